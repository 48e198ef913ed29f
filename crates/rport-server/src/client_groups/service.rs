//! The client groups users see and change.

use std::collections::HashMap;
use std::sync::Arc;

use rport_domain::{
    ClientGroup, ClientGroupId, ClientGroupView, ClientId, Error, ListQuery, Page, client_group_not_found,
};

use super::{GroupSet, Memberships};
use crate::actor::Actor;
use crate::audit::{Action, Application, Audit};
use crate::clients::Registry;

/// The service of client groups. Cheap to clone.
#[derive(Clone)]
pub struct ClientGroups {
    inner: Arc<Inner>,
}

struct Inner {
    store: rport_store::ClientGroups,
    memberships: Arc<Memberships>,
    registry: Arc<Registry>,
    audit: Audit,
    /// One change at a time, so that memory follows the file in the same order.
    changing: tokio::sync::Mutex<()>,
}

/// Clients of a group that somebody may see.
#[derive(Default)]
struct Members {
    ids: Vec<ClientId>,
    connected: usize,
}

impl ClientGroups {
    pub(crate) fn new(
        store: rport_store::ClientGroups,
        memberships: Arc<Memberships>,
        registry: Arc<Registry>,
        audit: Audit,
    ) -> Self {
        let inner = Inner {
            store,
            memberships,
            registry,
            audit,
            changing: tokio::sync::Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The groups, filtered, sorted and cut to a page; for others than administrators only those with a client they
    /// may access. `query` was read with [`rport_domain::CLIENT_GROUP_LIST`].
    ///
    /// # Errors
    /// None at present; a list of nothing is a list.
    pub fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ClientGroupView>, Error> {
        let groups = self.inner.memberships.current();
        let shows_members = ["client_ids", "num_clients", "num_clients_connected"]
            .iter()
            .any(|member| query.fields.contains(member));
        let admin = actor.is_admin();
        let mut members = if shows_members || !admin {
            self.members(actor, &groups, None)
        } else {
            HashMap::new()
        };
        let visible = groups
            .iter()
            .filter(|group| admin || members.contains_key(group.id.as_str()))
            .cloned()
            .collect::<Vec<_>>();
        let views = visible.into_iter().map(|group| {
            let members = members.remove(group.id.as_str()).unwrap_or_default();
            view(group, members)
        });
        Ok(query.run(views, ClientGroupView::field))
    }

    /// One group with those of its clients that the actor may access. Every user may ask, as with the Go server.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, actor: &Actor, id: &ClientGroupId) -> Result<ClientGroupView, Error> {
        let groups = self.inner.memberships.current();
        let group = groups.get(id).ok_or_else(|| client_group_not_found(id))?;
        let members = self.members(actor, &groups, Some(id)).remove(id.as_str());
        Ok(view(group.clone(), members.unwrap_or_default()))
    }

    /// Adds a group.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`; `Conflict` if there is one of this id (the Go server answers 500).
    pub async fn add(&self, actor: &Actor, group: ClientGroup) -> Result<(), Error> {
        actor.require_admin()?;
        group.check()?;
        let _changing = self.inner.changing.lock().await;
        if !self.inner.store.insert(&group).await? {
            let id = group.id.as_str();
            return Err(
                Error::conflict(format!("Client Group[id={id:?}] already exists."))
                    .code("ERR_CODE_ALREADY_EXIST"),
            );
        }
        self.changed(actor, Action::Create, group).await;
        Ok(())
    }

    /// Replaces a group, or adds it if there is none of this id.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`.
    pub async fn put(&self, actor: &Actor, group: ClientGroup) -> Result<(), Error> {
        actor.require_admin()?;
        group.check()?;
        let _changing = self.inner.changing.lock().await;
        self.inner.store.save(&group).await?;
        self.changed(actor, Action::Update, group).await;
        Ok(())
    }

    /// Removes a group. One that does not exist is no error, as with the Go server.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn delete(&self, actor: &Actor, id: &ClientGroupId) -> Result<(), Error> {
        actor.require_admin()?;
        let inner = &self.inner;
        let _changing = inner.changing.lock().await;
        if !inner.store.delete(id).await? {
            return Ok(());
        }
        inner.memberships.remove(id);
        tracing::info!(client_group.id = %id, user.name = %actor.user, "client group deleted");
        inner
            .audit
            .record(actor, Application::ClientGroup, Action::Delete, id.as_str(), None)
            .await;
        Ok(())
    }

    async fn changed(&self, actor: &Actor, action: Action, group: ClientGroup) {
        let id = group.id.clone();
        let request = serde_json::json!({
            "id": group.id, "description": group.description, "params": group.params,
            "allowed_user_groups": group.allowed_user_groups,
        });
        self.inner.memberships.put(group);
        tracing::info!(client_group.id = %id, user.name = %actor.user, "client group saved");
        self.inner
            .audit
            .record(
                actor,
                Application::ClientGroup,
                action,
                id.as_str(),
                Some(request),
            )
            .await;
    }

    /// The members of one group or of all, as far as the actor may see them. Groups without any are absent.
    fn members(
        &self,
        actor: &Actor,
        groups: &GroupSet,
        only: Option<&ClientGroupId>,
    ) -> HashMap<String, Members> {
        let mut members: HashMap<String, Members> = HashMap::new();
        for client in self.inner.registry.known().iter() {
            let Some((membership, connected)) = client.membership(groups) else {
                continue;
            };
            let of = membership
                .groups
                .iter()
                .filter(|id| only.is_none_or(|only| only.as_str() == id.as_str()));
            if membership.groups.is_empty() || !actor.may_access(client) {
                continue;
            }
            for id in of {
                let members = match members.get_mut(id) {
                    Some(members) => members,
                    None => members.entry(id.clone()).or_default(),
                };
                members.ids.push(client.id.clone());
                members.connected += usize::from(connected);
            }
        }
        members
    }
}

fn view(group: ClientGroup, mut members: Members) -> ClientGroupView {
    members.ids.sort_unstable();
    ClientGroupView {
        group,
        client_ids: members.ids,
        connected: members.connected,
    }
}
