//! Logins on devices without a browser (RFC 8628).

use serde_json::Value;

use super::http::Problem;
use super::mapping::Identity;
use super::oidc::described;

/// What somebody at a device has to know.
#[derive(Clone, Debug)]
pub struct DeviceStart {
    /// To be typed at the provider's page.
    pub user_code: String,
    /// To be asked with, again and again.
    pub device_code: String,
    /// The provider's page.
    pub verification_uri: String,
    /// How long the codes are worth something, in seconds.
    pub expires_in: u64,
    /// Least pause between two questions, in seconds.
    pub interval: u64,
}

/// The provider's answer while there is nothing to log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAnswer {
    /// The provider's HTTP status, 400 where it answers 200 to everything.
    pub status: u16,
    /// `authorization_pending` and `slow_down` mean: ask again; everything else is the end.
    pub error: String,
    /// In words.
    pub error_description: String,
    /// Where to read more.
    pub error_uri: String,
}

/// What a question brings.
pub(super) enum Polled {
    Done(Identity),
    Waiting(DeviceAnswer),
}

impl Polled {
    pub(super) fn waiting(status: u16, answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self::Waiting(DeviceAnswer {
            status,
            error: text("error"),
            error_description: text("error_description"),
            error_uri: text("error_uri"),
        })
    }
}

impl DeviceAnswer {
    /// Whether asking again makes sense.
    pub fn is_pending(&self) -> bool {
        matches!(self.error.as_str(), "authorization_pending" | "slow_down")
    }
}

impl DeviceStart {
    pub(super) fn read(status: u16, answer: &Value) -> Result<Self, Problem> {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let start = Self {
            user_code: text("user_code"),
            device_code: text("device_code"),
            verification_uri: text("verification_uri"),
            expires_in: answer["expires_in"].as_u64().unwrap_or(600),
            // RFC 8628, section 3.2.
            interval: answer["interval"].as_u64().unwrap_or(5),
        };
        if status != 200 || start.user_code.is_empty() || start.device_code.is_empty() {
            return Err(Problem::refused(described(answer)));
        }
        Ok(start)
    }
}
