//! Single sign-on.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// How to log in with a browser.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SsoSettings {
    /// Name of the provider.
    #[schema(example = "oidc")]
    pub auth_provider: String,
    /// What to do.
    pub details: SsoDetails,
}

/// A login with a browser that has begun.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SsoDetails {
    /// For people.
    pub message: String,
    /// Where to send the browser.
    pub authorize_url: String,
    /// Where to bring `code` and `state` that the browser comes back with.
    #[schema(example = "/api/v1/oauth/login")]
    pub login_uri: String,
    /// Marks this login; it works once.
    pub state: String,
    /// Until when it works, RFC 3339.
    pub expiry: String,
}

/// How to log in on a device without a browser.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceSettings {
    /// Name of the provider.
    #[schema(example = "oidc")]
    pub auth_provider: String,
    /// What to do.
    pub details: DeviceDetails,
}

/// A login on a device that has begun.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceDetails {
    /// Where to ask with the `device_code`.
    #[schema(example = "/api/v1/oauth/login/device")]
    pub login_uri: String,
    /// The codes.
    pub auth_info: DeviceAuthInfo,
}

/// The codes of a login on a device.
#[derive(Clone, Serialize, ToSchema)]
pub struct DeviceAuthInfo {
    /// To be typed at the provider's page.
    pub user_code: String,
    /// To be asked with.
    pub device_code: String,
    /// The provider's page.
    pub verification_uri: String,
    /// How long the codes work, in seconds.
    pub expires_in: u64,
    /// Least pause between two questions, in seconds.
    pub interval: u64,
    /// For people.
    pub message: String,
}

/// Who has the device code gets the login.
impl fmt::Debug for DeviceAuthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthInfo")
            .field("verification_uri", &self.verification_uri)
            .finish_non_exhaustive()
    }
}

/// What the provider says while there is no login yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceError {
    /// The provider's status.
    pub status_code: u16,
    /// `authorization_pending` and `slow_down` mean: ask again later.
    #[schema(example = "authorization_pending")]
    pub error: String,
    /// In words.
    pub error_description: String,
    /// Where to read more.
    pub error_uri: String,
}
