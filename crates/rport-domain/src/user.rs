//! API users.

use std::fmt;

use crate::{UserName, access::ADMINISTRATORS};

/// An API user as a user backend knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// A bcrypt hash starting with `$2y$`; anything else is a password in clear text, as RPort allows it.
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
    }
}
