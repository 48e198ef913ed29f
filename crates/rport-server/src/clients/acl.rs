//! Which user groups may access a client. Source: rest-api.md 10.3.

use std::collections::HashSet;

use rport_domain::access::ADMINISTRATORS;
use rport_domain::{ClientId, Error};

use super::Clients;
use crate::actor::Actor;
use crate::audit::{Action, Application, Event};
use crate::events::EventKind;
use crate::users::UserProvider;

impl Clients {
    /// Replaces the list of user groups that may access a client.
    ///
    /// Differs from RPort: works with users from a file, too, whose groups are those their users are in.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the client and for user groups that do not exist; `Invalid` where there is only the
    /// one user of the configuration.
    pub async fn set_acl(&self, actor: &Actor, id: &ClientId, groups: Vec<String>) -> Result<(), Error> {
        let inner = &self.inner;
        let (client, record) = inner.visible(actor, id)?;
        actor.require_admin()?;
        let login = inner
            .login
            .as_ref()
            .ok_or_else(|| Error::unavailable("there are no users"))?;
        check_groups(login.users(), &groups).await?;
        let request = serde_json::json!({ "allowed_user_groups": &groups });
        client.update(|record| record.details.allowed_user_groups = Some(groups));
        inner.registry.save(id).await?;
        inner.registry.events().client(EventKind::ClientChanged, &client);
        tracing::info!(client.id = %id, user.name = %actor.user, "access to client changed");
        let event = Event {
            client: Some(&record),
            request: Some(request),
            ..Event::new(Application::ClientAcl, Action::Update, id.as_str())
        };
        inner.audit.note(actor, event).await;
        Ok(())
    }
}

async fn check_groups(users: &dyn UserProvider, wanted: &[String]) -> Result<(), Error> {
    let mut known = HashSet::from([ADMINISTRATORS.to_owned()]);
    if users.supports_groups() {
        known.extend(users.groups().await?.into_iter().map(|group| group.name));
    } else if !users.is_writable() {
        return Err(Error::invalid(users.no_groups_text()));
    }
    known.extend(users.list().await?.iter().flat_map(|user| user.groups.clone()));
    let mut missing: Vec<&str> = Vec::new();
    for group in wanted.iter().filter(|group| !known.contains(*group)) {
        if !missing.contains(&group.as_str()) {
            missing.push(group);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::not_found(format!(
        "user groups not found: {}",
        missing.join(", ")
    )))
}
