//! Credentials of agents.

use std::fmt;

use chrono::{DateTime, Utc};
use rport_domain::{ClientAuthView, Error, Result};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Credentials that agents log in with.
///
/// The Go server knows `id` and `password` only.
#[derive(Clone, Serialize, ToSchema)]
pub struct ClientAuth {
    /// Name of the credentials. Any text; several clients may share one unless the server is told otherwise.
    #[schema(example = "clientAuth1")]
    pub id: String,
    /// The password in clear. Null when the server keeps only a hash of it, or is told not to show passwords.
    #[schema(required, format = Password)]
    pub password: Option<String>,
    /// Whether the server keeps only a hash of the password.
    pub password_hashed: bool,
    /// Note for people; may be empty.
    pub comment: String,
    /// From when on nobody can log in with them; null for never.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<GoTime>,
    /// Whether logging in with them is switched off.
    pub disabled: bool,
    /// Number of clients, connected or not, that logged in with them last.
    pub num_clients: usize,
    /// How many of those are connected.
    pub num_clients_connected: usize,
    /// When an agent last logged in with them; null if never since the server has taken notice.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<GoTime>,
    /// When they were added through the API or the command line; null for those that came otherwise.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub created_at: Option<GoTime>,
    /// When they were last changed that way.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<GoTime>,
    /// Until when the password before the last change is accepted, too; null when it is not.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub previous_password_until: Option<GoTime>,
}

/// The password stays out of logs.
impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl From<ClientAuthView> for ClientAuth {
    fn from(view: ClientAuthView) -> Self {
        let time = |time: Option<DateTime<Utc>>| time.map(GoTime::from);
        Self {
            id: view.id.to_string(),
            password: view.password,
            password_hashed: view.hashed,
            comment: view.comment,
            expires_at: time(view.expires_at),
            disabled: view.disabled,
            num_clients: view.bound_clients,
            num_clients_connected: view.connected_clients,
            last_used_at: time(view.last_used_at),
            created_at: time(view.created_at),
            updated_at: time(view.updated_at),
            previous_password_until: time(view.previous_password_until),
        }
    }
}

/// Credentials to add: with a password, or with `generate`.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewClientAuth {
    /// At least 3 bytes. Agents name it before the first colon of their credentials, so one with a colon is of no use
    /// to them.
    #[schema(example = "clientAuth1")]
    pub id: String,
    /// At least 3 bytes. Not together with `generate`.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Have the server make a strong password, which the answer shows once.
    pub generate: bool,
    /// Note for people.
    pub comment: String,
    /// From when on nobody can log in with them, RFC 3339; missing or empty for never.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// The password stays out of logs.
impl fmt::Debug for NewClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewClientAuth")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl NewClientAuth {
    /// Reads the expiry.
    ///
    /// # Errors
    /// [`rport_domain::Kind::Invalid`] when it is no time.
    pub fn expiry(&self) -> Result<Option<DateTime<Utc>>> {
        expiry(&self.expires_at)
    }
}

/// What to change in credentials. Whatever is missing or null stays as it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientAuthChange {
    /// The new password, at least 3 bytes. Not together with `generate`.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Have the server make a strong new password, which the answer shows once.
    pub generate: bool,
    /// How many seconds the password before this change is accepted, too; 0 if missing. Only with a new password.
    pub grace_seconds: Option<u64>,
    /// Note for people.
    pub comment: Option<String>,
    /// From when on nobody can log in with them, RFC 3339; empty for never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// Whether logging in with them is switched off.
    pub disabled: Option<bool>,
    /// Also end the connections of clients that use them, so that each has to log in again.
    pub force: bool,
}

/// The password stays out of logs.
impl fmt::Debug for ClientAuthChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthChange")
            .field("disabled", &self.disabled)
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}

impl ClientAuthChange {
    /// Reads the expiry: `None` to leave it, `Some(None)` to remove it.
    ///
    /// # Errors
    /// [`rport_domain::Kind::Invalid`] when it is no time.
    pub fn expiry(&self) -> Result<Option<Option<DateTime<Utc>>>> {
        self.expires_at.as_deref().map(expiry).transpose()
    }
}

fn expiry(text: &str) -> Result<Option<DateTime<Utc>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| {
        Error::invalid("Invalid expires_at.")
            .detail(format!("{error}; expected a time like 2030-12-31T23:59:59Z"))
            .code("ERR_CODE_INVALID_REQUEST")
    })?;
    Ok(Some(time.to_utc()))
}

/// A password that the server made. It cannot be asked for again.
#[derive(Clone, Serialize, ToSchema)]
pub struct GeneratedClientAuth {
    /// The id.
    pub id: String,
    /// The password.
    #[schema(format = Password)]
    pub password: String,
}

/// The password stays out of logs.
impl fmt::Debug for GeneratedClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedClientAuth")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The credentials a client shall belong to.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientIdBinding {
    /// Id of the credentials.
    #[schema(example = "clientAuth2")]
    pub client_auth_id: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view() -> ClientAuthView {
        ClientAuthView {
            id: "a/b".into(),
            password: Some("1234".into()),
            hashed: false,
            comment: String::new(),
            expires_at: None,
            disabled: false,
            created_at: None,
            updated_at: None,
            last_used_at: DateTime::from_timestamp(1_700_000_000, 500_000_000),
            previous_password_until: None,
            bound_clients: 2,
            connected_clients: 1,
        }
    }

    #[test]
    fn the_members_of_the_go_server_come_first() {
        let text = serde_json::to_string(&ClientAuth::from(view())).expect("JSON");
        assert!(
            text.starts_with(r#"{"id":"a/b","password":"1234","password_hashed":false,"#),
            "{text}"
        );
        assert!(
            text.contains(r#""last_used_at":"2023-11-14T22:13:20.5Z""#),
            "{text}"
        );
        assert!(
            text.contains(r#""num_clients":2,"num_clients_connected":1"#),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_shown_is_null() {
        let hashed = ClientAuthView {
            password: None,
            hashed: true,
            ..view()
        };
        let value = serde_json::to_value(ClientAuth::from(hashed)).expect("JSON");
        assert_eq!(
            (&value["password"], &value["password_hashed"]),
            (&json!(null), &json!(true))
        );
    }

    #[test]
    fn debug_output_hides_passwords() {
        let new: NewClientAuth =
            serde_json::from_value(json!({"id": "i", "password": "geheim"})).expect("sound");
        let change: ClientAuthChange = serde_json::from_value(json!({"password": "geheim"})).expect("sound");
        let shown = ClientAuth::from(ClientAuthView {
            password: Some("geheim".into()),
            ..view()
        });
        let made = GeneratedClientAuth {
            id: "i".into(),
            password: "geheim".into(),
        };
        let text = format!("{new:?} {change:?} {shown:?} {made:?}");
        assert!(!text.contains("geheim"), "{text}");
    }

    #[test]
    fn an_expiry_is_left_removed_or_set() {
        let change = |value| {
            serde_json::from_value::<ClientAuthChange>(value)
                .expect("sound")
                .expiry()
        };
        assert_eq!(change(json!({})).expect("sound"), None);
        assert_eq!(change(json!({"expires_at": ""})).expect("sound"), Some(None));
        let set = change(json!({"expires_at": "2030-01-01T01:00:00+01:00"})).expect("sound");
        assert_eq!(
            set.flatten().expect("a time").to_rfc3339(),
            "2030-01-01T00:00:00+00:00"
        );
        let error = change(json!({"expires_at": "tomorrow"}))
            .expect_err("no time")
            .to_string();
        assert!(error.starts_with("Invalid expires_at.: "), "{error}");
    }
}
