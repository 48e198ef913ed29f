//! What callers may ask of the service of users. No secret shows in debug output.

use rport_domain::{User, UserGroup};
use rport_runtime::Secret;

/// A user to be added.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The password in clear.
    pub password: Secret,
    /// Whether the user has to choose another password at the first login.
    pub password_expired: bool,
    /// The groups.
    pub groups: Vec<String>,
    /// Where codes of the second factor go; empty for nowhere.
    pub two_fa_send_to: String,
    /// The secret of an authenticator app; empty for none.
    pub totp_secret: Secret,
}

/// What is to become different about a user; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new password in clear.
    pub password: Option<Secret>,
    /// Whether the user has to choose a new password. A new password without this clears it.
    pub password_expired: Option<bool>,
    /// All groups from now on.
    pub groups: Option<Vec<String>>,
    /// Where codes of the second factor go.
    pub two_fa_send_to: Option<String>,
    /// The secret of an authenticator app; a blank deletes it.
    pub totp_secret: Option<Secret>,
}

/// What users may change about themselves; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct OwnUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new password in clear.
    pub password: Option<Secret>,
    /// The present password, needed for a new one.
    pub old_password: Option<Secret>,
    /// Where codes of the second factor go.
    pub two_fa_send_to: Option<String>,
}

/// A user without secrets.
#[derive(Debug, Clone)]
pub struct UserView {
    /// The name.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Whether the user has to choose a new password.
    pub password_expired: bool,
    /// Where codes of the second factor go.
    pub two_fa_send_to: String,
    /// Whether an authenticator app is set up.
    pub has_totp_secret: bool,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.to_string(),
            groups: user.groups.clone(),
            password_expired: user.password_expired,
            two_fa_send_to: user.two_fa_send_to.clone(),
            has_totp_secret: !user.totp_secret.is_empty(),
        }
    }
}

/// A group as it is asked for.
pub(crate) fn audit_of_group(group: &UserGroup) -> serde_json::Value {
    let permissions: Vec<&str> = group
        .permissions
        .iter()
        .map(rport_domain::Permission::as_str)
        .collect();
    serde_json::json!({
        "name": group.name,
        "permissions": permissions,
        "tunnels_restricted": group.tunnels_restricted,
        "commands_restricted": group.commands_restricted,
    })
}
