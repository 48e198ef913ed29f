//! Who acts, and what they may.

use std::net::IpAddr;
use std::sync::Arc;

use rport_domain::access::{ADMINISTRATORS, access_denied};
use rport_domain::{ApiSessionId, Error, Permission, Permissions, TokenScope, UserName};

use crate::clients::Client;

/// Someone on whose behalf a service acts. Every service method that changes or shows something takes one, so that
/// there is no way around the checks.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The user.
    pub user: UserName,
    /// The user's groups.
    pub groups: Arc<[String]>,
    /// What the user's groups grant.
    pub permissions: Permissions,
    /// Where the request came from, behind trusted proxies.
    pub address: IpAddr,
    /// The login whose token was presented, if it was one.
    pub session: Option<ApiSessionId>,
    /// Prefix and scope of the API token that was presented, if it was one.
    pub api_token: Option<(String, TokenScope)>,
}

impl Actor {
    /// A user with what the groups grant.
    pub(crate) fn new(user: UserName, groups: &[String], permissions: Permissions, address: IpAddr) -> Self {
        Self {
            user,
            groups: groups.into(),
            permissions,
            address,
            session: None,
            api_token: None,
        }
    }

    /// Whether the user may see all clients and use the routes for administrators.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == ADMINISTRATORS)
    }

    /// Passes users with a permission. Administrators are not exempt, as in the Go server.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.permissions.contains(permission) {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "user does not have \"{permission}\" permission"
        )))
    }

    /// Passes administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require_admin(&self) -> Result<(), Error> {
        if self.is_admin() {
            return Ok(());
        }
        let group = ADMINISTRATORS;
        Err(Error::forbidden(format!(
            "current user should belong to {group} group to access this resource"
        )))
    }

    /// Whether the user may see and use a client: as administrator, by the client's own list, or by that of a client
    /// group it belongs to at this moment.
    pub(crate) fn may_access(&self, client: &Client) -> bool {
        self.is_admin() || client.allows(&self.groups)
    }

    pub(crate) fn require_access(&self, client: &Client) -> Result<(), Error> {
        if self.may_access(client) {
            Ok(())
        } else {
            Err(access_denied([&client.id]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(groups: &[&str]) -> Actor {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let address = IpAddr::from([127, 0, 0, 1]);
        Actor::new("someone".into(), &groups, Permissions::all(), address)
    }

    #[test]
    fn administrators_pass() {
        assert!(
            actor(&["Administrators"]).require_admin().is_ok() && actor(&["ops"]).require_admin().is_err()
        );
    }

    #[test]
    fn permissions_are_named() {
        let mut nobody = actor(&["Administrators"]);
        nobody.permissions = Permissions::NONE;
        let error = nobody.require(Permission::Tunnels).expect_err("refused");
        assert_eq!(error.title, "user does not have \"tunnels\" permission");
    }
}
