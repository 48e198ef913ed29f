//! The vault: values that are kept encrypted.
//!
//! Source: rest-api.md 4.2 and 16, storage.md 4.10 and 9. Rules only; keys and ciphers are the server's business.

use chrono::{DateTime, FixedOffset};

use crate::{
    Error, Result, UserName, VaultValueId,
    list::{FilterSpec, ListSpec},
};

/// The least bytes of a vault's password.
pub const VAULT_PASSWORD_MIN: usize = 4;
/// The most bytes of a password from which the Go server's key is made.
pub const VAULT_PASSWORD_MAX_GO: usize = 32;
/// The most bytes of a password from which a key is made with Argon2id.
pub const VAULT_PASSWORD_MAX: usize = 1024;

/// Longest key, client id and group, in bytes. Differs from RPort, which knows no limit.
const MAX_WORD: usize = 500;
/// Words for what a value is; front ends show it accordingly.
const KINDS: [&str; 4] = ["text", "secret", "markdown", "string"];

/// What a list of vault values allows. It has no pages.
pub static VAULT_LIST: ListSpec = ListSpec {
    default_limit: usize::MAX,
    max_limit: usize::MAX,
    sorts: &["id", "client_id", "created_by", "created_at", "key"],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("client_id"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("created_at"),
        FilterSpec::matching("key"),
    ],
    fields: None,
};

/// The state of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultStatus {
    /// Nobody has given it a password.
    Uninitialized,
    /// Its key is not known.
    Locked,
    /// It can be used.
    Unlocked,
}

/// What is known about a value without decrypting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultEntry {
    /// Its id.
    pub id: VaultValueId,
    /// Who stored it first.
    pub created_by: UserName,
    /// When.
    pub created_at: DateTime<FixedOffset>,
    /// Who changed it last.
    pub updated_by: UserName,
    /// When.
    pub updated_at: DateTime<FixedOffset>,
    /// What it is for.
    pub label: VaultLabel,
}

/// What a value is for. None of it is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VaultLabel {
    /// The name, unique among the values of a client.
    pub key: String,
    /// The client it belongs to; empty for none. Not checked for existence.
    pub client_id: String,
    /// The user group whose members alone may use it; empty for everybody.
    pub required_group: String,
    /// `text`, `secret`, `markdown` or `string`.
    pub kind: String,
}

impl VaultLabel {
    /// Checks a label; `value_is_empty` says whether its value is missing.
    ///
    /// # Errors
    /// `Invalid`: the first mistake, in the order of the Go server.
    pub fn check(&self, value_is_empty: bool) -> Result<()> {
        if self.key.is_empty() {
            return Err(Error::invalid("key is required"));
        }
        if value_is_empty {
            return Err(Error::invalid("value is required"));
        }
        if self.kind.is_empty() {
            return Err(Error::invalid("value type is required"));
        }
        if !KINDS.contains(&self.kind.as_str()) {
            let kind: String = self.kind.chars().take(100).collect();
            return Err(Error::invalid(format!(
                "unknown or invalid value value type {kind}"
            )));
        }
        for (member, text) in [
            ("key", &self.key),
            ("client_id", &self.client_id),
            ("required_group", &self.required_group),
        ] {
            if text.len() > MAX_WORD {
                let size = text.len();
                return Err(Error::invalid(format!(
                    "{member} has {size} bytes, {MAX_WORD} are allowed"
                )));
            }
        }
        Ok(())
    }

    /// Whether a member of these groups may use the value. Administrators are not exempt, as in the Go server.
    pub fn is_open_to(&self, groups: &[String]) -> bool {
        self.required_group.is_empty() || groups.contains(&self.required_group)
    }

    /// Makes the answer for a key that is taken.
    pub fn key_taken(&self) -> Error {
        let Self { key, client_id, .. } = self;
        Error::conflict(format!(
            "another key '{key}' exists for this client '{client_id}'"
        ))
    }
}

/// Makes the answer for a value that does not exist.
pub fn vault_value_not_found(id: VaultValueId) -> Error {
    Error::not_found(format!("Cannot find a vault value by the provided id: {id}"))
}

/// Makes the answer for what takes an unlocked vault.
pub fn vault_locked() -> Error {
    Error::conflict("vault is locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut VaultLabel), value_is_empty: bool, refusal: Option<&str>) {
        let mut label = VaultLabel {
            key: "k".into(),
            kind: "text".into(),
            ..VaultLabel::default()
        };
        change(&mut label);
        let found = label.check(value_is_empty).err().map(|error| error.title);
        assert_eq!(found.as_deref(), refusal);
    }

    #[test]
    fn what_is_missing_is_named() {
        check(|_| {}, false, None);
        check(
            |label| *label = VaultLabel::default(),
            true,
            Some("key is required"),
        );
        check(|label| label.kind.clear(), true, Some("value is required"));
        check(|label| label.kind.clear(), false, Some("value type is required"));
        check(
            |label| label.kind = "Text".into(),
            false,
            Some("unknown or invalid value value type Text"),
        );
        check(
            |label| label.client_id = "x".repeat(501),
            false,
            Some("client_id has 501 bytes, 500 are allowed"),
        );
    }

    #[test]
    fn groups_are_required_of_everybody() {
        let groups = ["Administrators".to_owned()];
        let label = |required: &str| VaultLabel {
            required_group: required.into(),
            ..VaultLabel::default()
        };
        assert!(label("").is_open_to(&[]) && label("Administrators").is_open_to(&groups));
        assert!(!label("ops").is_open_to(&groups));
    }
}
