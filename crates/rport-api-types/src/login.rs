//! Logging in.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// User name and password.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct LoginRequest {
    /// Name of the user.
    #[schema(example = "admin")]
    pub username: String,
    /// Password of the user.
    #[schema(format = Password)]
    pub password: String,
    /// A new password for the user; needed when the present one has expired. It ends all sessions of the user.
    #[schema(format = Password)]
    pub new_password: Option<String>,
}

/// The password stays out of logs.
impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The outcome of a login.
#[derive(Clone, Serialize, ToSchema)]
pub struct LoginToken {
    /// Send it as `Authorization: Bearer TOKEN`.
    pub token: String,
    /// The second factor that is still missing; null when the login is complete.
    #[schema(required)]
    pub two_fa: Option<TwoFa>,
}

impl From<&str> for LoginToken {
    fn from(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            two_fa: None,
        }
    }
}

/// A second factor the login waits for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TwoFa {
    /// Where the code was sent; empty for authenticator apps.
    pub send_to: String,
    /// How it was delivered.
    #[schema(example = "email")]
    pub delivery_method: String,
    /// For authenticator apps, whether the secret exists; else empty.
    pub totp_key_status: String,
}

/// The token stays out of logs.
impl fmt::Debug for LoginToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginToken").finish_non_exhaustive()
    }
}

/// How users log in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuthProvider {
    /// Name of the provider.
    #[schema(example = "built-in")]
    pub auth_provider: String,
    /// Where to find settings for logging in with a browser; empty with the built-in provider.
    pub settings_uri: String,
    /// Where to find settings for logging in with a device; empty with the built-in provider.
    pub device_settings_uri: String,
    /// Longest life of a token in hours.
    pub max_token_lifetime: u64,
}

impl AuthProvider {
    /// Describes the login at a provider of single sign-on.
    pub fn external(
        provider: &str,
        settings: &str,
        device_settings: &str,
        max_token_lifetime_hours: u64,
    ) -> Self {
        Self {
            auth_provider: provider.to_owned(),
            settings_uri: settings.to_owned(),
            device_settings_uri: device_settings.to_owned(),
            max_token_lifetime: max_token_lifetime_hours,
        }
    }

    /// Describes the login with user name and password.
    pub fn built_in(max_token_lifetime_hours: u64) -> Self {
        Self {
            auth_provider: "built-in".to_owned(),
            settings_uri: String::new(),
            device_settings_uri: String::new(),
            max_token_lifetime: max_token_lifetime_hours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let token = serde_json::to_string(&LoginToken::from("JWT")).expect("JSON");
        assert_eq!(token, r#"{"token":"JWT","two_fa":null}"#);
        let provider = serde_json::to_string(&AuthProvider::built_in(24)).expect("JSON");
        assert_eq!(
            provider,
            r#"{"auth_provider":"built-in","settings_uri":"","device_settings_uri":"","max_token_lifetime":24}"#
        );
        let request: LoginRequest =
            serde_json::from_str(r#"{"username":"u","password":"geheim"}"#).expect("login");
        assert!(!format!("{request:?}{:?}", LoginToken::from("geheim")).contains("geheim"));
    }
}
