//! API users.

use std::fmt;

use crate::{Permissions, UserName, access::ADMINISTRATORS};

/// An API user as a user backend knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// A hash, or a password in clear text, as RPort allows it; [`crate::StoredPassword`] tells which.
    pub password_hash: String,
    /// The user groups, in the order of the backend.
    pub groups: Vec<String>,
    /// Whether the user must choose a new password before anything else.
    pub password_expired: bool,
    /// Where codes of the second factor are sent; empty for nowhere.
    pub two_fa_send_to: String,
    /// An `otpauth://` URL; empty when there is none. RPort stores a single blank for a deleted one: backends read it
    /// as empty.
    pub totp_secret: String,
}

impl User {
    /// Tells whether the user sees all clients and may use the admin routes.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == ADMINISTRATORS)
    }
}

/// Hash and secret stay out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .field("password_expired", &self.password_expired)
            .field("two_fa_send_to", &self.two_fa_send_to)
            .finish_non_exhaustive()
    }
}

/// What is to become different about a user; what is absent stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// A new name, which no other user may have.
    pub name: Option<UserName>,
    /// The hash of a new password.
    pub password_hash: Option<String>,
    /// Whether the user must choose a new password.
    pub password_expired: Option<bool>,
    /// All groups from now on.
    pub groups: Option<Vec<String>>,
    /// Where codes of the second factor go; empty for nowhere.
    pub two_fa_send_to: Option<String>,
    /// The secret of the authenticator app; empty to delete it.
    pub totp_secret: Option<String>,
}

impl UserChange {
    /// Tells whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the user as it is after the change.
    #[must_use]
    pub fn applied_to(self, user: &User) -> User {
        User {
            name: self.name.unwrap_or_else(|| user.name.clone()),
            password_hash: self.password_hash.unwrap_or_else(|| user.password_hash.clone()),
            groups: self.groups.unwrap_or_else(|| user.groups.clone()),
            password_expired: self.password_expired.unwrap_or(user.password_expired),
            two_fa_send_to: self.two_fa_send_to.unwrap_or_else(|| user.two_fa_send_to.clone()),
            totp_secret: self.totp_secret.unwrap_or_else(|| user.totp_secret.clone()),
        }
    }
}

/// Hash and secret stay out of logs.
impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("name", &self.name)
            .field("password", &self.password_hash.is_some())
            .field("password_expired", &self.password_expired)
            .field("groups", &self.groups)
            .field("two_fa_send_to", &self.two_fa_send_to)
            .field("totp_secret", &self.totp_secret.is_some())
            .finish()
    }
}

/// A group of users and what it grants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserGroup {
    /// The name.
    pub name: String,
    /// What members may do.
    pub permissions: Permissions,
    /// Restrictions of tunnels, an object of the Go server's closed plugin. Kept and shown as it is.
    pub tunnels_restricted: Option<serde_json::Value>,
    /// Restrictions of commands, the same.
    pub commands_restricted: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secrets() {
        let user = User {
            name: "ann".into(),
            password_hash: "$2y$geheim".into(),
            groups: vec!["Administrators".into()],
            password_expired: false,
            two_fa_send_to: String::new(),
            totp_secret: "otpauth://geheim".into(),
        };
        assert!(user.is_admin());
        assert!(!format!("{user:?}").contains("geheim"));
        let change = UserChange {
            password_hash: Some("$2y$geheim".into()),
            totp_secret: Some("otpauth://geheim".into()),
            ..UserChange::default()
        };
        assert!(!format!("{change:?}").contains("geheim"));
        assert!(!change.is_empty() && UserChange::default().is_empty());
        assert_eq!(UserChange::default().applied_to(&user), user);
    }
}
