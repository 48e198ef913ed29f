//! API tokens of users.

use std::fmt;

use chrono::{DateTime, FixedOffset};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API token, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiToken {
    /// The half that is no secret; names the token.
    #[schema(example = "ab12cd34")]
    pub prefix: String,
    /// What the user calls it.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
    /// From when on it is worthless; null never.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<GoTime>,
    /// `read`: GET requests, no WebSockets. `read+write`: everything the user may do. `clients-auth`: credentials of
    /// agents.
    #[schema(example = "read")]
    pub scope: String,
}

/// An API token to make.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewApiToken {
    /// `read`, `read+write` or `clients-auth`; the last is for administrators only.
    #[schema(example = "read")]
    pub scope: String,
    /// What the user calls it; at most 249 bytes, unique among the user's tokens.
    pub name: String,
    /// From when on it is worthless; in a year unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<DateTime<FixedOffset>>,
}

/// What to change of an API token.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ApiTokenChange {
    /// What the user calls it.
    pub name: Option<String>,
    /// From when on it is worthless.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<DateTime<FixedOffset>>,
}

/// An API token that was just made.
#[derive(Clone, Serialize, ToSchema)]
pub struct MadeApiToken {
    /// The half that is no secret; names the token.
    #[schema(example = "ab12cd34")]
    pub prefix: String,
    /// From when on it is worthless.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: GoTime,
    /// What it is good for.
    pub scope: String,
    /// Send it as the password of HTTP Basic, with the user's name. Shown here and never again.
    #[schema(example = "ab12cd34_0b54a1d8-7c0a-4f0e-9a4f-0c2b8e7f6a51")]
    pub token: String,
}

/// The token stays out of logs.
impl fmt::Debug for MadeApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeApiToken")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What was changed of an API token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangedApiToken {
    /// Names the token.
    pub prefix: String,
    /// The new name, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new end, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<GoTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let changed = ChangedApiToken {
            prefix: "ab12cd34".into(),
            name: Some("ci".into()),
            expires_at: None,
        };
        let json = serde_json::to_string(&changed).expect("JSON");
        assert_eq!(json, r#"{"prefix":"ab12cd34","name":"ci"}"#);
        let time = DateTime::parse_from_rfc3339("2034-05-01T12:00:00+02:00").expect("time");
        let made = MadeApiToken {
            prefix: "ab12cd34".into(),
            expires_at: GoTime(time),
            scope: "read".into(),
            token: "geheim".into(),
        };
        assert!(!format!("{made:?}").contains("geheim"));
        let json = serde_json::to_string(&made).expect("JSON");
        assert_eq!(
            json,
            r#"{"prefix":"ab12cd34","expires_at":"2034-05-01T12:00:00+02:00","scope":"read","token":"geheim"}"#
        );
    }
}
