//! The second step of a login.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A code for the second step of a login.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Verification {
    /// Name of the user.
    #[schema(example = "admin")]
    pub username: String,
    /// The code that was sent, the code of the authenticator app, or a recovery code.
    pub token: String,
}

/// The code stays out of logs.
impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The secret of an authenticator app. Not wrapped in `data`.
#[derive(Clone, Serialize, ToSchema)]
pub struct TotpSecret {
    /// For typing in, base32.
    pub secret: String,
    /// For the app's camera: a PNG of 200 by 200 pixels, in base64.
    pub qr: String,
    /// With a new secret: each of them replaces a code of the app once. They are not shown again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recovery_codes: Vec<String>,
}

/// The secret stays out of logs.
impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotpSecret").finish_non_exhaustive()
    }
}

/// A new set of recovery codes.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each of them replaces a code of the second factor once. They are not shown again.
    pub codes: Vec<String>,
}

/// The codes stay out of logs.
impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryCodes").finish_non_exhaustive()
    }
}

/// About the set of recovery codes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecoveryCodesLeft {
    /// How many have not been used.
    pub left: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let mut secret = TotpSecret {
            secret: "GEHEIM".into(),
            qr: "png".into(),
            recovery_codes: Vec::new(),
        };
        let json = serde_json::to_string(&secret).expect("JSON");
        assert_eq!(json, r#"{"secret":"GEHEIM","qr":"png"}"#);
        secret.recovery_codes.push("geheim".into());
        let json = serde_json::to_string(&secret).expect("JSON");
        assert!(json.ends_with(r#""recovery_codes":["geheim"]}"#));
        let code: Verification =
            serde_json::from_str(r#"{"username":"u","token":"geheim"}"#).expect("a code");
        assert!(!format!("{secret:?}{code:?}").to_lowercase().contains("geheim"));
    }
}
