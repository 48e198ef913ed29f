//! Groups of users.

use std::collections::BTreeMap;

use rport_domain::{Error, Permission, Permissions, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::me::EffectivePermissions;

/// A group and what it grants to its members.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserGroup {
    /// Name of the group.
    #[schema(example = "ops")]
    pub name: String,
    /// What members may do.
    pub permissions: EffectivePermissions,
    /// Restrictions of tunnels; kept for the Go server's plugin and not enforced.
    #[schema(required, value_type = Option<Object>)]
    pub tunnels_restricted: Option<Value>,
    /// Restrictions of commands; kept for the Go server's plugin and not enforced.
    #[schema(required, value_type = Option<Object>)]
    pub commands_restricted: Option<Value>,
}

impl From<rport_domain::UserGroup> for UserGroup {
    fn from(group: rport_domain::UserGroup) -> Self {
        Self {
            name: group.name,
            permissions: EffectivePermissions(group.permissions),
            tunnels_restricted: group.tunnels_restricted,
            commands_restricted: group.commands_restricted,
        }
    }
}

/// All that a group shall grant.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserGroupChange {
    /// Ignored: the name in the path counts.
    pub name: String,
    /// Permissions with true or false; missing ones are false. The names are those of `GET /me`.
    #[schema(example = json!({"tunnels": true}))]
    pub permissions: BTreeMap<String, bool>,
    /// Restrictions of tunnels; kept for the Go server's plugin and not enforced.
    #[schema(value_type = Option<Object>)]
    pub tunnels_restricted: Option<Value>,
    /// Restrictions of commands; kept for the Go server's plugin and not enforced.
    #[schema(value_type = Option<Object>)]
    pub commands_restricted: Option<Value>,
}

impl UserGroupChange {
    /// Makes the group of this name.
    ///
    /// # Errors
    /// `Invalid` for a word that is no permission.
    pub fn named(self, name: &str) -> Result<rport_domain::UserGroup> {
        let mut permissions = Permissions::NONE;
        for (word, granted) in &self.permissions {
            let permission: Permission = word.parse().map_err(|_| {
                Error::invalid("Invalid JSON data.").detail(format!("invalid permission: {word}"))
            })?;
            if *granted {
                permissions.insert(permission);
            }
        }
        Ok(rport_domain::UserGroup {
            name: name.to_owned(),
            permissions,
            tunnels_restricted: self.tunnels_restricted,
            commands_restricted: self.commands_restricted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let change: UserGroupChange =
            serde_json::from_str(r#"{"name":"x","permissions":{"tunnels":true,"vault":false}}"#)
                .expect("a group");
        let group = change.named("ops").expect("known words");
        assert_eq!(
            serde_json::to_string(&UserGroup::from(group)).expect("JSON"),
            concat!(
                r#"{"name":"ops","permissions":{"tunnels":true,"scripts":false,"commands":false,"vault":false,"#,
                r#""scheduler":false,"monitoring":false,"uploads":false,"auditlog":false},"#,
                r#""tunnels_restricted":null,"commands_restricted":null}"#
            )
        );
        let change: UserGroupChange =
            serde_json::from_str(r#"{"permissions":{"Tunnels":true}}"#).expect("a group");
        let error = change.named("ops").expect_err("no permission");
        assert_eq!(error.detail, "invalid permission: Tunnels");
    }
}
