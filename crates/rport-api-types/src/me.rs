//! The user behind a request.

use rport_domain::{Permission, Permissions};
use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// The current user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Me {
    /// Name of the user.
    pub username: String,
    /// Always false: users with an expired password get no further than the login.
    pub password_expired: bool,
    /// Groups of the user; null when there are none.
    #[schema(required)]
    pub groups: Option<Vec<String>>,
    /// Where codes of the second factor are sent.
    pub two_fa_send_to: String,
    /// What the user may do.
    pub effective_user_permissions: EffectivePermissions,
    /// Restrictions beyond the permissions.
    pub effective_extended_permissions: ExtendedPermissions,
    /// Whether permissions are granted group by group. If not, every user has all of them.
    pub group_permissions_enabled: bool,
}

impl Me {
    /// Describes a user.
    pub fn new(username: &str, groups: &[String], two_fa_send_to: &str, permissions: Permissions) -> Self {
        Self {
            username: username.to_owned(),
            password_expired: false,
            groups: Some(groups.to_vec()).filter(|groups| !groups.is_empty()),
            two_fa_send_to: two_fa_send_to.to_owned(),
            effective_user_permissions: EffectivePermissions(permissions),
            effective_extended_permissions: ExtendedPermissions::default(),
            group_permissions_enabled: false,
        }
    }

    /// Adds what a source of users with permissions by group knows.
    #[must_use]
    pub fn with_groups(mut self, enabled: bool, tunnels: Vec<Value>, commands: Vec<Value>) -> Self {
        let some =
            |restrictions: Vec<Value>| Some(restrictions).filter(|restrictions| !restrictions.is_empty());
        self.group_permissions_enabled = enabled;
        self.effective_extended_permissions = ExtendedPermissions {
            tunnels_restricted: some(tunnels),
            commands_restricted: some(commands),
        };
        self
    }
}

/// What to change about the caller. Whatever is missing or empty stays as it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct MeChange {
    /// A new name. It ends all sessions of the caller.
    pub username: Option<String>,
    /// A new password. It ends all sessions of the caller.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// The present password; needed for a new one.
    #[schema(format = Password)]
    pub old_password: Option<String>,
    /// Where codes of the second factor are sent.
    pub two_fa_send_to: Option<String>,
}

/// Passwords stay out of logs.
impl std::fmt::Debug for MeChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeChange")
            .field("username", &self.username)
            .field("two_fa_send_to", &self.two_fa_send_to)
            .finish_non_exhaustive()
    }
}

/// The eight permissions, each with true or false.
#[derive(Debug, Clone, Copy)]
pub struct EffectivePermissions(pub Permissions);

impl Serialize for EffectivePermissions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Permission::ALL.len()))?;
        for permission in Permission::ALL {
            map.serialize_entry(permission.as_str(), &self.0.contains(permission))?;
        }
        map.end()
    }
}

impl PartialSchema for EffectivePermissions {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().description(Some("Whether the user has each permission."));
        Permission::ALL
            .into_iter()
            .fold(object, |object, permission| {
                let flag = ObjectBuilder::new().schema_type(Type::Boolean);
                object
                    .property(permission.as_str(), flag)
                    .required(permission.as_str())
            })
            .into()
    }
}

impl ToSchema for EffectivePermissions {}

/// Restrictions beyond the permissions; both null where none are defined.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ExtendedPermissions {
    /// Restrictions of tunnels, one object per group.
    #[schema(required, value_type = Option<Vec<Object>>)]
    pub tunnels_restricted: Option<Vec<Value>>,
    /// Restrictions of commands, one object per group.
    #[schema(required, value_type = Option<Vec<Object>>)]
    pub commands_restricted: Option<Vec<Value>>,
}

/// Where the request came from.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallerAddress {
    /// The caller's IP address, behind trusted proxies.
    #[schema(example = "203.0.113.7")]
    pub ip: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let permissions = [Permission::Tunnels].into_iter().collect();
        let me = serde_json::to_string(&Me::new("ann", &["a".into()], "ann@example.com", permissions))
            .expect("JSON");
        assert_eq!(
            me,
            concat!(
                r#"{"username":"ann","password_expired":false,"groups":["a"],"two_fa_send_to":"ann@example.com","#,
                r#""effective_user_permissions":{"tunnels":true,"scripts":false,"commands":false,"vault":false,"#,
                r#""scheduler":false,"monitoring":false,"uploads":false,"auditlog":false},"#,
                r#""effective_extended_permissions":{"tunnels_restricted":null,"commands_restricted":null},"#,
                r#""group_permissions_enabled":false}"#
            )
        );
        assert!(Me::new("ann", &[], "", Permissions::NONE).groups.is_none());
    }
}
