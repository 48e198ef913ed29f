//! A provider of OpenID Connect: discovery, authorization code with PKCE, device flow.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJsonWebKeySet;
use rport_runtime::Clock;
use serde_json::Value;
use tokio::time::Instant;

use super::device::{DeviceStart, Polled};
use super::http::{Http, Problem};
use super::id_token::{self, Claims, Doubt};
use super::mapping::Identity;
use super::options::{SsoOptions, SsoProvider};
use super::pending::Pending;

/// How old what was discovered may get.
const FRESH: Duration = Duration::from_secs(3600);
/// After this time it is looked up again for a token whose key is unknown.
const RELOOK: Duration = Duration::from_secs(30);
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) struct Oidc {
    options: Arc<SsoOptions>,
    clock: Clock,
    known: ArcSwapOption<Known>,
}

/// What the provider tells about itself (OpenID Connect Discovery, section 3).
struct Known {
    issuer: String,
    authorize: String,
    token: String,
    userinfo: String,
    device: String,
    /// Whether the secret goes into the form instead of a header.
    secret_in_form: bool,
    keys: CoreJsonWebKeySet,
    at: Instant,
}

/// Settings of this kind of provider.
struct Settings<'a> {
    issuer_url: &'a str,
    scopes: &'a [String],
    username_claim: &'a str,
    groups_claim: &'a str,
}

impl Oidc {
    pub(super) fn new(options: Arc<SsoOptions>, clock: Clock) -> Self {
        Self {
            options,
            clock,
            known: ArcSwapOption::empty(),
        }
    }

    fn settings(&self) -> Settings<'_> {
        match &self.options.provider {
            SsoProvider::Oidc {
                issuer_url,
                scopes,
                username_claim,
                groups_claim,
            } => Settings {
                issuer_url,
                scopes,
                username_claim,
                groups_claim,
            },
            SsoProvider::Github { .. } => unreachable!("made for OpenID Connect"),
        }
    }

    fn scope(&self) -> String {
        let mut scopes: Vec<&str> = self.settings().scopes.iter().map(String::as_str).collect();
        if !scopes.contains(&"openid") {
            scopes.insert(0, "openid");
        }
        scopes.join(" ")
    }

    /// Looks the provider up, unless that was done a short while ago.
    async fn known(&self, http: &Http, max_age: Duration) -> Result<Arc<Known>, Problem> {
        if let Some(known) = self.known.load_full()
            && known.at.elapsed() < max_age
        {
            return Ok(known);
        }
        let configured = self.settings().issuer_url;
        let url = format!(
            "{}/.well-known/openid-configuration",
            configured.trim_end_matches('/')
        );
        let found = http.get(&url, None).await?;
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        let issuer = text("issuer");
        if issuer.trim_end_matches('/') != configured.trim_end_matches('/') {
            let text = format!("{url} speaks for the issuer {issuer:?}; see 'issuer_url' in [oidc]");
            return Err(Problem::unreachable(text));
        }
        let keys = http.get(&text("jwks_uri"), None).await?;
        let keys = serde_json::from_value(keys)
            .map_err(|error| Problem::unreachable(format!("the provider's keys cannot be read: {error}")))?;
        let methods = found["token_endpoint_auth_methods_supported"].as_array();
        let has = |methods: &Vec<Value>, name: &str| methods.iter().any(|method| method == name);
        let known = Arc::new(Known {
            issuer,
            authorize: text("authorization_endpoint"),
            token: text("token_endpoint"),
            userinfo: text("userinfo_endpoint"),
            device: text("device_authorization_endpoint"),
            secret_in_form: methods
                .is_some_and(|all| has(all, "client_secret_post") && !has(all, "client_secret_basic")),
            keys,
            at: Instant::now(),
        });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }

    /// Where the browser has to go.
    pub(super) async fn authorize_url(
        &self,
        http: &Http,
        state: &str,
        login: &Pending,
    ) -> Result<String, Problem> {
        let known = self.known(http, FRESH).await?;
        let query = [
            ("response_type", "code"),
            ("client_id", &self.options.client_id),
            ("redirect_uri", &self.options.redirect_url),
            ("scope", &self.scope()),
            ("state", state),
            ("nonce", &login.nonce),
            ("code_challenge", &challenge(login.verifier.expose())),
            ("code_challenge_method", "S256"),
        ];
        Ok(with_query(&known.authorize, &query))
    }

    /// Redeems the code the browser came back with.
    pub(super) async fn redeem(&self, http: &Http, code: &str, login: &Pending) -> Result<Identity, Problem> {
        let known = self.known(http, FRESH).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.options.redirect_url),
            ("code_verifier", login.verifier.expose()),
        ];
        match self.token(http, &known, &form).await? {
            (200, tokens) => self.identity(http, known, &tokens, Some(&login.nonce)).await,
            (400..500, answer) => Err(Problem::refused(described(&answer))),
            (status, _) => Err(Problem::unreachable(format!(
                "the token endpoint answered {status}"
            ))),
        }
    }

    /// Begins a login on a device without a browser (RFC 8628, section 3.1).
    pub(super) async fn begin_device(&self, http: &Http) -> Result<DeviceStart, Problem> {
        let known = self.known(http, FRESH).await?;
        if known.device.is_empty() {
            return Err(Problem::refused("the provider offers no login for devices"));
        }
        let scope = self.scope();
        let form = [("client_id", self.options.client_id.as_str()), ("scope", &scope)];
        let (status, answer) = http.post(&known.device, &form, None).await?;
        DeviceStart::read(status, &answer)
    }

    /// Asks whether the user has confirmed by now (RFC 8628, section 3.4).
    pub(super) async fn poll_device(&self, http: &Http, code: &str) -> Result<Polled, Problem> {
        let known = self.known(http, FRESH).await?;
        let form = [("grant_type", DEVICE_GRANT), ("device_code", code)];
        match self.token(http, &known, &form).await? {
            (200, tokens) => self.identity(http, known, &tokens, None).await.map(Polled::Done),
            (status @ 400..500, answer) => Ok(Polled::waiting(status, &answer)),
            (status, _) => Err(Problem::unreachable(format!(
                "the token endpoint answered {status}"
            ))),
        }
    }

    async fn token(
        &self,
        http: &Http,
        known: &Known,
        form: &[(&str, &str)],
    ) -> Result<(u16, Value), Problem> {
        let (id, secret) = (self.options.client_id.as_str(), &self.options.client_secret);
        let mut form = form.to_vec();
        if secret.is_empty() || known.secret_in_form {
            form.push(("client_id", id));
        }
        if !secret.is_empty() && known.secret_in_form {
            form.push(("client_secret", secret.expose()));
        }
        let basic = (!secret.is_empty() && !known.secret_in_form).then(|| (id, secret.expose()));
        http.post(&known.token, &form, basic).await
    }

    /// Believes what the ID token says, and asks for what it does not say.
    async fn identity(
        &self,
        http: &Http,
        known: Arc<Known>,
        tokens: &Value,
        nonce: Option<&str>,
    ) -> Result<Identity, Problem> {
        let token = tokens["id_token"]
            .as_str()
            .ok_or_else(|| Problem::refused("the provider sent no ID token"))?;
        let verify = |known: &Known| {
            id_token::verify(
                token,
                &known.issuer,
                &self.options.client_id,
                &known.keys,
                nonce,
                &self.clock,
            )
        };
        let (known, mut claims) = match verify(&known) {
            Ok(claims) => (known, claims),
            Err(Doubt::UnknownKey) => {
                let known = self.known(http, RELOOK).await?;
                let claims = verify(&known)?;
                (known, claims)
            }
            Err(doubt) => return Err(doubt.into()),
        };
        let settings = self.settings();
        let groups = settings.groups_claim;
        let is_whole = self.name(&claims).is_some() && (groups.is_empty() || claims.contains_key(groups));
        if !is_whole && !known.userinfo.is_empty() {
            let bearer = tokens["access_token"].as_str();
            let more = http.get(&known.userinfo, bearer).await?;
            // Else another user's answer could be taken for this one's (OpenID Connect Core, section 5.3.2).
            if more["sub"] != claims["sub"] {
                return Err(Problem::refused("the provider's answers are about two users"));
            }
            for (name, value) in more.as_object().into_iter().flatten() {
                claims.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(Identity {
            name: self.name(&claims).unwrap_or_default(),
            groups: listed(claims.get(groups)),
        })
    }

    /// The user's name. An address that the provider has not verified is none.
    fn name(&self, claims: &Claims) -> Option<String> {
        let wanted = self.settings().username_claim;
        let names: &[&str] = match wanted {
            "" => &["preferred_username", "email"],
            claim => &[claim],
        };
        let is_believed =
            |name: &str| name != "email" || claims.get("email_verified") != Some(&Value::Bool(false));
        let found = names
            .iter()
            .filter(|name| is_believed(name))
            .find_map(|name| claims.get(*name)?.as_str());
        found.filter(|name| !name.is_empty()).map(str::to_owned)
    }
}

/// One text, or a list of them.
fn listed(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// RFC 7636, section 4.2.
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

pub(super) fn with_query(url: &str, query: &[(&str, &str)]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query);
    format!("{url}{separator}{}", encoded.finish())
}

/// The words of an OAuth error (RFC 6749, section 5.2).
pub(super) fn described(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    match (text("error"), text("error_description")) {
        ("", _) => "the provider refused the login".to_owned(),
        (error, "") => format!("the provider refused the login: {error}"),
        (error, description) => format!("the provider refused the login: {error}, {description}"),
    }
}
