//! Settings of single sign-on.

use std::path::PathBuf;

use regex::Regex;
use rport_runtime::Secret;

/// Who users log in at, and what their word is worth here.
#[derive(Clone, Debug)]
pub struct SsoOptions {
    /// The provider.
    pub provider: SsoProvider,
    /// What the provider knows this server as.
    pub client_id: String,
    /// Proves to the provider that it is this server; empty for public clients.
    pub client_secret: Secret,
    /// Where the provider sends the browser back to, as registered there.
    pub redirect_url: String,
    /// PEM file with further authorities that the provider's certificate may come from.
    pub ca_file: Option<PathBuf>,
    /// Which users may come, and as members of which groups.
    pub mapping: SsoMapping,
    /// Whether users that the source of users does not know are created.
    pub create_missing_users: bool,
    /// Whether the groups of known users are replaced by the provider's at each login.
    pub sync_groups: bool,
    /// Whether names and passwords are still accepted.
    pub password_login: bool,
}

/// A kind of provider.
#[derive(Clone, Debug)]
pub enum SsoProvider {
    /// OpenID Connect, found by discovery.
    Oidc {
        /// The provider's issuer, an https URL.
        issuer_url: String,
        /// What is asked for; `openid` is added where it is missing.
        scopes: Vec<String>,
        /// The claim with the user's name; empty tries `preferred_username`, then `email`.
        username_claim: String,
        /// The claim with the user's groups; empty for none.
        groups_claim: String,
    },
    /// GitHub, or GitHub Enterprise.
    Github {
        /// Where people log in, `https://github.com`.
        base_url: String,
        /// Where programs ask, `https://api.github.com`.
        api_url: String,
    },
}

/// Which users may come, and as members of which groups.
#[derive(Clone, Debug, Default)]
pub struct SsoMapping {
    /// The provider's group a user must belong to; empty for none.
    pub required_group: String,
    /// The provider's groups and the user groups they stand for.
    pub group_map: Vec<(String, String)>,
    /// The provider's groups that begin like this stand for the user group of the rest of their name; empty for none.
    pub group_prefix: String,
    /// Names that may come; `None` for all.
    pub permitted_users: Option<Regex>,
}
