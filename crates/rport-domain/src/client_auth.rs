//! Client auth: the ids and passwords agents connect with.
//!
//! Rules only. Where credentials are kept and how a password is checked is the server's business.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    ClientAuthId, Error, Result,
    list::{FilterSpec, ListSpec, SortSpec},
};

/// Ids and passwords have at least this many bytes. Source: API notes, section 9.1.
pub const MIN_BYTES: usize = 3;

/// Ids and passwords have at most this many bytes. Differs from RPort, which knows no limit.
pub const MAX_BYTES: usize = 4096;

/// Comments have at most this many bytes.
pub const MAX_COMMENT_BYTES: usize = 1024;

/// What a list of client auths allows. Differs from RPort: sorting by id is accepted.
pub static CLIENT_AUTH_LIST: ListSpec = ListSpec {
    default_limit: 50,
    max_limit: 500,
    sorts: &["id"],
    default_sort: &[SortSpec::ascending("id")],
    single_sort: None,
    filters: &[FilterSpec::matching("id")],
    fields: None,
};

/// A password as its source keeps it: as it is, or hashed.
///
/// The prefix decides, so that operators can mix both in one file or table. A text that begins like a hash is never
/// taken for a password, even when the rest is damaged: a hash cut short by a narrow column must not become the
/// password itself.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// The password in clear.
    Plain(String),
    /// A hash: `$argon2id$…` or bcrypt's `$2a$NN$…`, `$2b$NN$…`, `$2y$NN$…`.
    Hashed(String),
}

impl StoredPassword {
    /// Classifies a value as read from a source.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if looks_hashed(&text) {
            Self::Hashed(text)
        } else {
            Self::Plain(text)
        }
    }

    /// Returns the value as the source keeps it. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Hashed(text) => text,
        }
    }

    /// Tells whether the value is a hash.
    pub fn is_hashed(&self) -> bool {
        matches!(self, Self::Hashed(_))
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_hashed() {
            "Hashed(***)"
        } else {
            "Plain(***)"
        })
    }
}

/// Tells whether a text begins like one of the hashes that are understood.
fn looks_hashed(text: &str) -> bool {
    if text.starts_with("$argon2id$") {
        return true;
    }
    let rest = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let cost = rest.and_then(|rest| rest.as_bytes().get(..3));
    cost.is_some_and(|cost| cost[0].is_ascii_digit() && cost[1].is_ascii_digit() && cost[2] == b'$')
}

/// Checks the id of new credentials.
///
/// # Errors
/// [`crate::Kind::Invalid`] when it is too short, too long or contains control characters.
pub fn check_id(id: &str) -> Result<()> {
    check_text(id, "Invalid or missing ID.")
}

/// Checks a new password.
///
/// # Errors
/// [`crate::Kind::Invalid`] when it is too short, too long, contains control characters, or begins like a hash and
/// would be taken for one from then on.
pub fn check_password(password: &str) -> Result<()> {
    const TITLE: &str = "Invalid or missing password.";
    check_text(password, TITLE)?;
    if looks_hashed(password) {
        return Err(invalid(
            TITLE,
            "It begins like a password hash and could not be told from one.".into(),
        ));
    }
    Ok(())
}

/// Checks the comment of credentials.
///
/// # Errors
/// [`crate::Kind::Invalid`] when it is too long or contains control characters other than line breaks and tabs.
pub fn check_comment(comment: &str) -> Result<()> {
    const TITLE: &str = "Invalid comment.";
    if comment.len() > MAX_COMMENT_BYTES {
        return Err(invalid(TITLE, format!("Max size is {MAX_COMMENT_BYTES}.")));
    }
    if comment
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(invalid(TITLE, "Control characters are not allowed.".into()));
    }
    Ok(())
}

fn check_text(text: &str, title: &str) -> Result<()> {
    if text.len() < MIN_BYTES {
        return Err(invalid(title, format!("Min size is {MIN_BYTES}.")));
    }
    if text.len() > MAX_BYTES {
        return Err(invalid(title, format!("Max size is {MAX_BYTES}.")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(title, "Control characters are not allowed.".into()));
    }
    Ok(())
}

fn invalid(title: &str, detail: String) -> Error {
    Error::invalid(title)
        .detail(detail)
        .code("ERR_CODE_INVALID_REQUEST")
}

/// Credentials as administrators see them.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientAuthView {
    /// The id.
    pub id: ClientAuthId,
    /// The password in clear; none when it is hashed or the server is told not to show passwords.
    pub password: Option<String>,
    /// Whether the source keeps a hash.
    pub hashed: bool,
    /// What somebody noted about them; may be empty.
    pub comment: String,
    /// From when on nobody can log in with them.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether logging in with them is switched off.
    pub disabled: bool,
    /// When they were added through this server; unknown for those that came otherwise.
    pub created_at: Option<DateTime<Utc>>,
    /// When they were last changed through this server.
    pub updated_at: Option<DateTime<Utc>>,
    /// When an agent last logged in with them.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Until when the password before the last rotation is accepted, too.
    pub previous_password_until: Option<DateTime<Utc>>,
    /// Known clients, connected or not, that belong to them.
    pub bound_clients: usize,
    /// Those of them that are connected.
    pub connected_clients: usize,
}

/// The password stays out of logs.
impl fmt::Debug for ClientAuthView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthView")
            .field("id", &self.id)
            .field("hashed", &self.hashed)
            .field("disabled", &self.disabled)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Kind;

    #[test]
    fn prefixes_tell_hashes_from_passwords() {
        let hashed = [
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
            "$argon2id$cut",
            "$2a$10$abc",
            "$2b$12$",
            "$2y$05$x",
        ];
        for text in hashed {
            assert!(StoredPassword::new(text).is_hashed(), "{text}");
        }
        for text in [
            "",
            "1234",
            "$2a$",
            "$2a$1x$",
            "$2x$10$a",
            "$argon2i$",
            "x$argon2id$",
            "$2y$1ä$",
        ] {
            assert!(!StoredPassword::new(text).is_hashed(), "{text}");
        }
    }

    #[test]
    fn debug_output_hides_passwords() {
        for text in ["geheim", "$2y$10$geheim"] {
            assert!(!format!("{:?}", StoredPassword::new(text)).contains("geheim"));
        }
    }

    #[test]
    fn texts_and_codes_are_those_of_the_reference() {
        let error = check_id("ab").expect_err("too short");
        assert_eq!(
            (error.kind, error.code),
            (Kind::Invalid, "ERR_CODE_INVALID_REQUEST")
        );
        assert_eq!(error.to_string(), "Invalid or missing ID.: Min size is 3.");
        let error = check_password("").expect_err("missing");
        assert_eq!(error.to_string(), "Invalid or missing password.: Min size is 3.");
    }

    #[test]
    fn lengths_are_bytes() {
        assert!(check_id("äö").is_ok() && check_id("abc").is_ok());
        assert!(check_id(&"x".repeat(MAX_BYTES)).is_ok());
        assert!(check_id(&"x".repeat(MAX_BYTES + 1)).is_err());
        assert!(check_password(&"x".repeat(10_000)).is_err());
        assert!(check_comment(&"x".repeat(MAX_COMMENT_BYTES + 1)).is_err());
    }

    #[test]
    fn odd_ids_are_fine_and_control_characters_are_not() {
        for id in [
            "a/b",
            "a:b",
            "' OR 1=1 --",
            "a b ",
            "客户端",
            "%00",
            "\"); DROP TABLE clients_auth",
        ] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        for id in ["ab\0c", "a\nbc", "ab\u{7f}", "\u{85}abc"] {
            assert!(check_id(id).is_err() && check_password(id).is_err(), "{id:?}");
        }
        assert!(check_comment("two\nlines\tand a tab").is_ok() && check_comment("a\0").is_err());
    }

    #[test]
    fn a_password_must_not_look_like_a_hash() {
        assert!(check_password("$2y$10$abcdefgh").is_err() && check_password("$2y$").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_all_are_kept(text in "\\PC{0,80}|[$2aby0-9]{0,12}") {
            let _ = (check_id(&text), check_password(&text), check_comment(&text));
            let stored = StoredPassword::new(text.clone());
            prop_assert_eq!(stored.expose(), text);
        }
    }
}
