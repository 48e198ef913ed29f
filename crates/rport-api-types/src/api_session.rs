//! Logins of users.

use chrono::{DateTime, Utc};
use rport_protocol::GoTime;
use serde::Serialize;
use utoipa::ToSchema;

/// A login of a user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiSession {
    /// Names the session.
    pub session_id: i64,
    /// When it ends unless it is used.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: GoTime,
    /// When a request last used it.
    #[schema(value_type = String, format = DateTime)]
    pub last_access_at: GoTime,
    /// Whose login it is.
    pub username: String,
    /// The program of the login or of the last request.
    pub user_agent: String,
    /// Where the login or the last request came from.
    #[schema(example = "203.0.113.7")]
    pub ip_address: String,
    /// Whether it is the session of this request.
    pub current: bool,
}

impl ApiSession {
    /// Describes a session.
    pub fn new(
        id: i64,
        username: &str,
        times: (DateTime<Utc>, DateTime<Utc>),
        origin: (String, String),
        current: bool,
    ) -> Self {
        let (expires_at, last_access_at) = times;
        let (user_agent, ip_address) = origin;
        Self {
            session_id: id,
            expires_at: expires_at.into(),
            last_access_at: last_access_at.into(),
            username: username.to_owned(),
            user_agent,
            ip_address,
            current,
        }
    }
}
