//! Groups of users and what they grant. Source: rest-api.md 18.3.

use rport_domain::access::ADMINISTRATORS;
use rport_domain::{AuditAction as Action, AuditApplication as Application, Error, UserGroup};
use serde_json::Value;

use super::checks::check_group;
use super::requests::audit_of_group;
use super::service::Users;
use crate::actor::Actor;

/// Larger restrictions are refused.
const MAX_RESTRICTION_BYTES: usize = 16 << 10;

impl Users {
    /// All groups: those with details by name, then those known from memberships only.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` where users are in no database; `Unavailable`.
    pub async fn groups(&self, actor: &Actor) -> Result<Vec<UserGroup>, Error> {
        actor.require_admin()?;
        self.inner.accounts.provider.groups().await
    }

    /// One group. An unknown one grants nothing.
    ///
    /// # Errors
    /// As [`Self::groups`].
    pub async fn group(&self, actor: &Actor, name: &str) -> Result<UserGroup, Error> {
        self.check_groups(actor)?;
        self.inner.accounts.provider.group(name).await
    }

    /// Passes administrators unless there is only the static pair; to be asked before anything of a request is looked
    /// at.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for the static pair.
    pub fn check_groups(&self, actor: &Actor) -> Result<(), Error> {
        actor.require_admin()?;
        self.check_writable()
    }

    /// Adds a group or replaces all that it grants. On disk when this returns, and counts from the next request of
    /// its members on.
    ///
    /// # Errors
    /// As [`Self::groups`]; `Invalid` without a table for details and for what it cannot keep.
    pub async fn put_group(&self, actor: &Actor, group: UserGroup) -> Result<UserGroup, Error> {
        self.check_groups(actor)?;
        check_group(&group.name)?;
        check_restriction("tunnels_restricted", group.tunnels_restricted.as_ref())?;
        check_restriction("commands_restricted", group.commands_restricted.as_ref())?;
        let inner = &self.inner;
        {
            let _alone = inner.accounts.changing.lock().await;
            inner.accounts.provider.put_group(group.clone()).await?;
        }
        tracing::info!(group = group.name, by = %actor.user, "user group changed");
        let request = audit_of_group(&group);
        inner
            .audit
            .record(
                actor,
                Application::AuthUserGroup,
                Action::Update,
                &group.name,
                Some(request),
            )
            .await;
        Ok(group)
    }

    /// Removes a group and all memberships in it; also one that is unknown.
    ///
    /// # Errors
    /// As [`Self::groups`]; `Conflict` for the group of administrators, without which nobody could manage users.
    pub async fn delete_group(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        self.check_groups(actor)?;
        let inner = &self.inner;
        if name == ADMINISTRATORS && inner.accounts.provider.has_groups() {
            return Err(
                Error::conflict(format!("The group {ADMINISTRATORS} cannot be deleted"))
                    .detail("Nobody could manage users any more."),
            );
        }
        {
            let _alone = inner.accounts.changing.lock().await;
            inner.accounts.provider.delete_group(name).await?;
        }
        tracing::info!(group = name, by = %actor.user, "user group deleted");
        inner
            .audit
            .record(actor, Application::AuthUserGroup, Action::Delete, name, None)
            .await;
        Ok(())
    }
}

/// Restrictions are objects; what they mean is known to the Go server's closed plugin only.
fn check_restriction(key: &str, value: Option<&Value>) -> Result<(), Error> {
    match value {
        None => Ok(()),
        Some(Value::Object(_))
            if value.is_some_and(|value| value.to_string().len() <= MAX_RESTRICTION_BYTES) =>
        {
            Ok(())
        }
        Some(Value::Object(_)) => Err(Error::invalid(format!(
            "{key} must not be longer than {MAX_RESTRICTION_BYTES} bytes"
        ))),
        Some(_) => Err(Error::invalid(format!("{key} must be an object"))),
    }
}
