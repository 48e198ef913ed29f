//! `[oidc]`, `[github]`: single sign-on. Both are ours; `[plus-oauth]`, which the Go server's add-on reads, is understood
//! as one of them.

use http::Uri;
use rport_runtime::{
    Secret,
    toml_config::{Document, Section},
};

use super::{api::ApiSection, check, check::Source};

const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
/// Below the base URL: a path that a user interface answers.
const CALLBACK: &str = "/auth/callback";

/// A provider and what its word is worth, as far as it was configured.
#[derive(Clone, Debug, PartialEq)]
pub struct SsoSection {
    /// The name of the section, for messages.
    pub section: &'static str,
    /// The kind of provider with its own settings.
    pub provider: SsoProviderSection,
    /// What the provider knows this server as.
    pub client_id: String,
    /// Proves to the provider that it is this server.
    pub client_secret: Secret,
    /// File with the secret.
    pub client_secret_file: String,
    /// Where the browser comes back to.
    pub redirect_url: String,
    /// Further certificate authorities.
    pub ca_file: String,
    /// The provider's group a user must belong to.
    pub required_group: String,
    /// Pairs `theirs=ours`.
    pub group_map: Vec<String>,
    /// Beginning of the provider's groups whose rest names a user group.
    pub group_prefix: String,
    /// Pattern of names that may come.
    pub permitted_user_match: String,
    /// Whether unknown users are created.
    pub create_missing_users: bool,
    /// Whether groups of known users follow the provider.
    pub sync_groups: bool,
    /// Whether passwords are accepted besides.
    pub password_login: bool,
}

/// A kind of provider with its own settings.
#[derive(Clone, Debug, PartialEq)]
pub enum SsoProviderSection {
    /// OpenID Connect.
    Oidc {
        /// The provider's issuer.
        issuer_url: String,
        /// What is asked for.
        scopes: Vec<String>,
        /// The claim with the name.
        username_claim: String,
        /// The claim with the groups.
        groups_claim: String,
    },
    /// GitHub.
    Github {
        /// Where people log in.
        base_url: String,
        /// Where programs ask.
        api_url: String,
    },
}

/// All sections about single sign-on. At most one is in use.
pub(super) struct SsoSections(Vec<SsoSection>);

impl SsoSections {
    pub(super) fn read(document: &Document) -> Self {
        let oidc = document.section("oidc");
        let provider = SsoProviderSection::Oidc {
            issuer_url: oidc.string("issuer_url", ""),
            scopes: oidc.list("scopes", &["openid", "profile", "email"]),
            username_claim: oidc.string("username_claim", ""),
            groups_claim: oidc.string("groups_claim", ""),
        };
        let oidc = SsoSection::read(&oidc, "oidc", provider);
        let github = document.section("github");
        let provider = SsoProviderSection::Github {
            base_url: github.string("base_url", GITHUB),
            api_url: github.string("api_url", GITHUB_API),
        };
        let github = SsoSection::read(&github, "github", provider);
        let sections = [Some(oidc), Some(github), plus(document)];
        Self(
            sections
                .into_iter()
                .flatten()
                .filter(|section| !section.client_id.is_empty())
                .collect(),
        )
    }

    /// The section in use, with its secret and its address.
    pub(super) fn check(
        self,
        document: &Document,
        api: &ApiSection,
        users: Option<&Source>,
    ) -> Option<SsoSection> {
        let mut sections = self.0.into_iter();
        let mut sso = sections.next()?;
        if let Some(other) = sections.next() {
            let text = format!(
                "[{}] and [{}] are both in use: expected only one of them",
                sso.section, other.section
            );
            document.error(&format!("{}.client_id", other.section), text);
        }
        let name = sso.section;
        let wrong = |key: &str, text: &str| document.error(&format!("{name}.{key}"), text.to_owned());
        if users.is_none() {
            document.warn(
                &format!("{name}.client_id"),
                "has no effect: '[api] address' is empty",
            );
            return None;
        }
        match &sso.provider {
            SsoProviderSection::Oidc { issuer_url, .. } => {
                if !is_safe(issuer_url) {
                    wrong("issuer_url", "must be the https address of the provider's issuer");
                }
            }
            SsoProviderSection::Github { base_url, api_url } => {
                for (key, url) in [("base_url", base_url), ("api_url", api_url)] {
                    if !is_safe(url) {
                        wrong(key, "must be an https address");
                    }
                }
            }
        }
        if !sso.client_secret_file.is_empty() {
            if sso.client_secret.is_empty() {
                match std::fs::read_to_string(&sso.client_secret_file) {
                    Ok(text) => sso.client_secret = Secret::new(text.trim()),
                    Err(error) => wrong(
                        "client_secret_file",
                        &format!("cannot read {}: {error}", sso.client_secret_file),
                    ),
                }
            } else {
                wrong(
                    "client_secret_file",
                    "'client_secret' is set as well: expected only one of them",
                );
            }
        }
        if sso.redirect_url.is_empty() {
            if api.base_url.is_empty() {
                wrong("redirect_url", "must be set, or 'base_url' in [api]");
            }
            sso.redirect_url = format!("{}{CALLBACK}", api.base_url.trim_end_matches('/'));
        } else if check::http_url(&sso.redirect_url).is_err() {
            wrong(
                "redirect_url",
                "must be an absolute address, as registered at the provider",
            );
        }
        if !sso.ca_file.is_empty()
            && let Err(error) = rport_tls::client_config(Some(sso.ca_file.as_ref()))
        {
            wrong("ca_file", &error.to_string());
        }
        if sso.group_map.iter().any(|pair| pair_of(pair).is_none()) {
            wrong(
                "group_map",
                "expected entries like \"group of the provider=user group\"",
            );
        }
        if let Err(error) = regex::Regex::new(&sso.permitted_user_match) {
            wrong("permitted_user_match", &error.to_string().replace('\n', " "));
        }
        if sso.create_missing_users && matches!(users, Some(Source::Pair(_))) {
            wrong(
                "create_missing_users",
                "needs users in a file or a table: '[api] auth' names the only one",
            );
        }
        Some(sso)
    }
}

impl SsoSection {
    fn read(section: &Section<'_>, name: &'static str, provider: SsoProviderSection) -> Self {
        Self {
            section: name,
            provider,
            client_id: section.string("client_id", ""),
            client_secret: section.secret("client_secret"),
            client_secret_file: section.string("client_secret_file", ""),
            redirect_url: section.string("redirect_url", ""),
            ca_file: section.string("ca_file", ""),
            required_group: section.string("required_group", ""),
            group_map: section.list("group_map", &[]),
            group_prefix: section.string("group_prefix", ""),
            permitted_user_match: section.string("permitted_user_match", ""),
            create_missing_users: section.boolean("create_missing_users", false),
            sync_groups: section.boolean("sync_groups", false),
            password_login: section.boolean("password_login", true),
        }
    }

    /// The entries of `group_map`.
    pub fn groups(&self) -> impl Iterator<Item = (String, String)> {
        self.group_map.iter().filter_map(|pair| pair_of(pair))
    }
}

fn pair_of(text: &str) -> Option<(String, String)> {
    let (theirs, ours) = text.rsplit_once('=')?;
    let (theirs, ours) = (theirs.trim(), ours.trim());
    (!theirs.is_empty() && !ours.is_empty()).then(|| (theirs.to_owned(), ours.to_owned()))
}

/// Secrets travel there: https, or this machine.
fn is_safe(url: &str) -> bool {
    check::http_url(url).is_ok_and(|uri| {
        let is_here = uri
            .host()
            .is_some_and(|host| host == "localhost" || host.starts_with("127."));
        uri.scheme_str() == Some("https") || is_here
    })
}

/// `[plus-oauth]` of an existing file. There, passwords are off and users have to exist where their list is in use.
fn plus(document: &Document) -> Option<SsoSection> {
    let name = "plus-oauth";
    let section = document.section(name);
    let text = |key: &str| section.string(key, "");
    let provider = text("provider");
    // Found by discovery, or always the same.
    for key in [
        "token_url",
        "device_authorize_url",
        "device_client_secret",
        "jwks_url",
    ] {
        section.accept(key);
    }
    let (organization, group, role) = (
        text("required_organization"),
        text("required_group_id"),
        text("required_role"),
    );
    let (role_claim, username_claim) = (text("role_claim"), text("username_claim"));
    let (authorize_url, client_id, device_client) =
        (text("authorize_url"), text("client_id"), text("device_client_id"));
    let mut sso = SsoSection {
        section: name,
        provider: SsoProviderSection::Github {
            base_url: GITHUB.to_owned(),
            api_url: GITHUB_API.to_owned(),
        },
        client_id,
        client_secret: section.secret("client_secret"),
        client_secret_file: String::new(),
        redirect_url: text("redirect_uri"),
        ca_file: String::new(),
        required_group: [role, group, organization]
            .into_iter()
            .find(|group| !group.is_empty())
            .unwrap_or_default(),
        group_map: Vec::new(),
        group_prefix: String::new(),
        permitted_user_match: text("permitted_user_match"),
        create_missing_users: !section.boolean("permitted_user_list", false),
        sync_groups: false,
        password_login: false,
    };
    if provider.is_empty() {
        return None;
    }
    if !device_client.is_empty() && device_client != sso.client_id {
        section.warn(
            "device_client_id",
            "is not used: browsers and devices log in with the same client_id",
        );
    }
    let uri: Option<Uri> = authorize_url.parse().ok();
    let origin = uri
        .as_ref()
        .and_then(|uri| Some(format!("https://{}", uri.host()?)));
    let tenant = uri
        .as_ref()
        .and_then(|uri| uri.path().split('/').nth(1))
        .filter(|tenant| !tenant.is_empty());
    let (issuer_url, groups_claim) = match (provider.to_ascii_lowercase().as_str(), origin) {
        ("github", _) => return Some(sso),
        ("google", _) => ("https://accounts.google.com".to_owned(), "groups"),
        ("microsoft", _) if tenant.is_some() => {
            let tenant = tenant.unwrap_or_default();
            (
                format!("https://login.microsoftonline.com/{tenant}/v2.0"),
                "groups",
            )
        }
        ("auth0", Some(origin)) => (format!("{origin}/"), "roles"),
        ("microsoft" | "auth0", _) => {
            section.error(
                "authorize_url",
                "must be the provider's address: its issuer is found by it",
            );
            return None;
        }
        _ => {
            section.error(
                "provider",
                "expected github, google, microsoft or auth0; use the section [oidc] for other providers",
            );
            return None;
        }
    };
    sso.provider = SsoProviderSection::Oidc {
        issuer_url,
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        username_claim,
        groups_claim: if role_claim.is_empty() {
            groups_claim.to_owned()
        } else {
            role_claim
        },
    };
    Some(sso)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const LEAST: &str = "[server]\nauth = 'a:b'\n[api]\naddress = ':1'\nbase_url = 'https://rport.example.com/'\n\
                         auth_file = 'users.json'\n";

    fn read(lines: &str) -> Result<SsoSection, String> {
        let document = Document::parse(&format!("{LEAST}{lines}"), "rportd.conf").expect("sound TOML");
        let (config, report) = Config::read(document);
        let errors = report
            .errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        config.and_then(|config| config.sso).ok_or(errors)
    }

    #[test]
    fn a_provider_is_read_with_its_defaults() {
        let sso = read(
            "[oidc]\nissuer_url = 'https://id.example.com'\nclient_id = 'x'\ngroup_map = ['a=b=c', 'it = ops']\n",
        );
        let sso = sso.expect("sound");
        assert_eq!(sso.redirect_url, "https://rport.example.com/auth/callback");
        assert!(sso.password_login && !sso.create_missing_users && !sso.sync_groups);
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            sso.groups().collect::<Vec<_>>(),
            [pair("a=b", "c"), pair("it", "ops")]
        );
        let sso = read("[github]\nclient_id = 'x'\nclient_secret = 's'\n").expect("sound");
        assert!(matches!(sso.provider, SsoProviderSection::Github { base_url, .. } if base_url == GITHUB));
        assert_eq!(read(""), Err(String::new()));
    }

    #[test]
    fn mistakes_are_named() {
        let oidc = "[oidc]\nclient_id = 'x'\nissuer_url = 'https://id.example.com'\n";
        for (lines, expected) in [
            (
                "[oidc]\nclient_id = 'x'\nissuer_url = 'http://id.example.com'\n".to_owned(),
                "issuer_url",
            ),
            (
                format!("{oidc}[github]\nclient_id = 'x'\n"),
                "[oidc] and [github] are both in use",
            ),
            (format!("{oidc}client_secret_file = '/missing'\n"), "/missing"),
            (format!("{oidc}redirect_url = '/x'\n"), "redirect_url"),
            (format!("{oidc}group_map = ['x']\n"), "group_map"),
            (
                format!("{oidc}permitted_user_match = '('\n"),
                "permitted_user_match",
            ),
            (
                "[plus-oauth]\nprovider = 'other'\nclient_id = 'x'\n".to_owned(),
                "use the section [oidc]",
            ),
            (
                "[plus-oauth]\nprovider = 'auth0'\nclient_id = 'x'\n".to_owned(),
                "authorize_url",
            ),
        ] {
            let error = read(&lines).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn settings_of_the_add_on_carry_over() {
        let plus = |provider: &str, authorize: &str| {
            read(&format!(
                "[plus-oauth]\nprovider = '{provider}'\nauthorize_url = '{authorize}'\nclient_id = 'x'\n\
                 redirect_uri = 'https://rport.example.com/oauth/callback'\npermitted_user_list = true\n"
            ))
            .expect("sound")
        };
        let github = plus("github", "https://github.com/login/oauth/authorize");
        assert!(!github.password_login && !github.create_missing_users);
        assert_eq!(github.redirect_url, "https://rport.example.com/oauth/callback");
        for (provider, authorize, issuer) in [
            (
                "google",
                "https://accounts.google.com/o/oauth2/auth",
                "https://accounts.google.com",
            ),
            (
                "microsoft",
                "https://login.microsoftonline.com/t-1/oauth2/v2.0/authorize",
                "https://login.microsoftonline.com/t-1/v2.0",
            ),
            (
                "auth0",
                "https://x.eu.auth0.com/authorize",
                "https://x.eu.auth0.com/",
            ),
        ] {
            let sso = plus(provider, authorize).provider;
            assert!(
                matches!(&sso, SsoProviderSection::Oidc { issuer_url, .. } if issuer_url == issuer),
                "{sso:?}"
            );
        }
    }
}
