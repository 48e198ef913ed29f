//! The vault.

use std::fmt;

use rport_domain::{VaultEntry, VaultLabel, VaultStatus};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of the vault.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VaultAdmin {
    /// `uninitialized` or `setup-completed`.
    #[schema(example = "setup-completed")]
    pub init: &'static str,
    /// `locked` or `unlocked`; empty while there is no vault.
    #[schema(example = "locked")]
    pub status: &'static str,
}

impl From<VaultStatus> for VaultAdmin {
    fn from(status: VaultStatus) -> Self {
        let (init, status) = match status {
            VaultStatus::Uninitialized => ("uninitialized", ""),
            VaultStatus::Locked => ("setup-completed", "locked"),
            VaultStatus::Unlocked => ("setup-completed", "unlocked"),
        };
        Self { init, status }
    }
}

/// The password of the vault.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct VaultPassword {
    /// 4 to 32 bytes; up to 1024 where the server makes keys with Argon2id.
    #[schema(format = Password)]
    pub password: String,
}

/// The password stays out of logs.
impl fmt::Debug for VaultPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultPassword(***)")
    }
}

/// A value in a list, without the value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListedVaultValue {
    /// Its id.
    pub id: i64,
    /// The client it belongs to; empty for none.
    pub client_id: String,
    /// Who stored it first.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
    /// Its name.
    pub key: String,
}

impl From<VaultEntry> for ListedVaultValue {
    fn from(entry: VaultEntry) -> Self {
        Self {
            id: entry.id.0,
            client_id: entry.label.client_id,
            created_by: entry.created_by.to_string(),
            created_at: GoTime(entry.created_at),
            key: entry.label.key,
        }
    }
}

/// A decrypted value.
#[derive(Clone, Serialize, ToSchema)]
pub struct VaultValue {
    /// The client it belongs to; empty for none.
    pub client_id: String,
    /// The user group whose members alone may use it; empty for everybody.
    pub required_group: String,
    /// Its name, unique among the values of the client.
    pub key: String,
    /// The value.
    #[schema(format = Password)]
    pub value: String,
    /// `text`, `secret`, `markdown` or `string`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: i64,
    /// When it was stored first.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: GoTime,
    /// Who stored it first.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
}

impl VaultValue {
    /// Shows a value.
    pub fn new(entry: VaultEntry, value: String) -> Self {
        Self {
            client_id: entry.label.client_id,
            required_group: entry.label.required_group,
            key: entry.label.key,
            value,
            kind: entry.label.kind,
            id: entry.id.0,
            created_at: GoTime(entry.created_at),
            updated_at: GoTime(entry.updated_at),
            created_by: entry.created_by.to_string(),
            updated_by: entry.updated_by.to_string(),
        }
    }
}

/// The value stays out of logs.
impl fmt::Debug for VaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultValue")
            .field("id", &self.id)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A value to store.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewVaultValue {
    /// The client it belongs to; missing for none. Not checked for existence.
    pub client_id: String,
    /// The user group whose members alone may use it; missing for everybody. Not checked for existence.
    pub required_group: String,
    /// Its name, unique among the values of the client; required.
    #[schema(example = "database password")]
    pub key: String,
    /// The value; required.
    #[schema(format = Password)]
    pub value: String,
    /// `text`, `secret`, `markdown` or `string`; required.
    #[serde(rename = "type")]
    #[schema(example = "secret")]
    pub kind: String,
}

impl NewVaultValue {
    /// Splits into what is stored in clear and what is not.
    pub fn into_parts(self) -> (VaultLabel, String) {
        let label = VaultLabel {
            key: self.key,
            client_id: self.client_id,
            required_group: self.required_group,
            kind: self.kind,
        };
        (label, self.value)
    }
}

/// The value stays out of logs.
impl fmt::Debug for NewVaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewVaultValue")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The id of a value that was stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoredVaultValue {
    /// The id.
    pub id: i64,
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn entry() -> VaultEntry {
        let at = DateTime::parse_from_rfc3339("2026-11-23T16:29:04Z").expect("a time");
        VaultEntry {
            id: rport_domain::VaultValueId(1),
            created_by: "admin".into(),
            created_at: at,
            updated_by: "admin".into(),
            updated_at: at,
            label: VaultLabel {
                key: "db".into(),
                client_id: "go-agent".into(),
                required_group: String::new(),
                kind: "secret".into(),
            },
        }
    }

    /// As recorded from a Go server.
    #[test]
    fn members_come_in_the_go_servers_order() {
        let text = serde_json::to_string(&VaultValue::new(entry(), "geheim".into())).expect("JSON");
        let expected = r#"{"client_id":"go-agent","required_group":"","key":"db","value":"geheim","type":"secret","id":1,"created_at":"2026-11-23T16:29:04Z","updated_at":"2026-11-23T16:29:04Z","created_by":"admin","updated_by":"admin"}"#;
        assert_eq!(text, expected);
        let text = serde_json::to_string(&ListedVaultValue::from(entry())).expect("JSON");
        let expected = r#"{"id":1,"client_id":"go-agent","created_by":"admin","created_at":"2026-11-23T16:29:04Z","key":"db"}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn debug_output_hides_values() {
        let new: NewVaultValue = serde_json::from_str(r#"{"key":"k","value":"geheim"}"#).expect("sound");
        let password: VaultPassword = serde_json::from_str(r#"{"password":"geheim"}"#).expect("sound");
        let shown = VaultValue::new(entry(), "geheim".into());
        let text = format!("{new:?} {password:?} {shown:?}");
        assert!(!text.contains("geheim"), "{text}");
    }
}
