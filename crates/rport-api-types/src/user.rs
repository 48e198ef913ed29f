//! Users of the API.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::me::{EffectivePermissions, ExtendedPermissions};

/// A user. The password is never shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Name of the user.
    pub username: String,
    /// Whether the user has to choose a new password before anything else.
    pub password_expired: bool,
    /// Groups of the user; null when there are none.
    #[schema(required)]
    pub groups: Option<Vec<String>>,
    /// Where codes of the second factor are sent.
    pub two_fa_send_to: String,
    /// Always null here; `GET /me` tells it.
    #[schema(required)]
    pub effective_user_permissions: Option<EffectivePermissions>,
    /// Always without content here.
    pub effective_extended_permissions: ExtendedPermissions,
    /// Always false here.
    pub group_permissions_enabled: bool,
}

impl User {
    /// Describes a user.
    pub fn new(
        username: String,
        groups: Vec<String>,
        password_expired: bool,
        two_fa_send_to: String,
    ) -> Self {
        Self {
            username,
            password_expired,
            groups: Some(groups).filter(|groups| !groups.is_empty()),
            two_fa_send_to,
            effective_user_permissions: None,
            effective_extended_permissions: ExtendedPermissions::default(),
            group_permissions_enabled: false,
        }
    }
}

/// A user to be added.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewUser {
    /// Name of the user, without blanks around it.
    #[schema(example = "ann")]
    pub username: String,
    /// Password of the user.
    #[schema(format = Password)]
    pub password: String,
    /// Whether the user has to choose another password at the first login.
    pub password_expired: bool,
    /// Groups of the user. A group exists by being used; members of `Administrators` may do everything.
    pub groups: Vec<String>,
    /// Where codes of the second factor are sent; needed when codes are.
    pub two_fa_send_to: String,
    /// Secret of an authenticator app, an `otpauth://` URL. Users usually make their own.
    #[schema(format = Password)]
    pub totp_secret: String,
}

/// Password and secret stay out of logs.
impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("username", &self.username)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// What to change about a user. Whatever is missing stays as it is, and so does what is an empty text.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserChange {
    /// A new name. API tokens go with it; all sessions end.
    pub username: Option<String>,
    /// A new password. All sessions of the user end.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Whether the user has to choose a new password before anything else, which ends all sessions. A new password
    /// without this makes it false.
    pub password_expired: Option<bool>,
    /// All groups from now on; an empty list leaves all.
    pub groups: Option<Vec<String>>,
    /// Where codes of the second factor are sent.
    pub two_fa_send_to: Option<String>,
    /// Secret of an authenticator app; a blank deletes it.
    #[schema(format = Password)]
    pub totp_secret: Option<String>,
}

/// Password and secret stay out of logs.
impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("username", &self.username)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let user = User::new("ann".into(), Vec::new(), true, "a@example.com".into());
        assert_eq!(
            serde_json::to_string(&user).expect("JSON"),
            concat!(
                r#"{"username":"ann","password_expired":true,"groups":null,"two_fa_send_to":"a@example.com","#,
                r#""effective_user_permissions":null,"#,
                r#""effective_extended_permissions":{"tunnels_restricted":null,"commands_restricted":null},"#,
                r#""group_permissions_enabled":false}"#
            )
        );
        let new: NewUser =
            serde_json::from_str(r#"{"username":"u","password":"geheim","totp_secret":"geheim"}"#)
                .expect("a user");
        let change: UserChange = serde_json::from_str(r#"{"password":"geheim"}"#).expect("a change");
        assert!(!format!("{new:?}{change:?}").contains("geheim"));
    }
}
