//! The clients users see. Source: rest-api.md 10.
//!
//! Here is reading and forgetting; `acl.rs` and `attributes.rs` change, `tags.rs` collects.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use rport_domain::access::client_not_found;
use rport_domain::{ClientId, ClientRecord, ClientView, Error, ListQuery, Page};

use super::{Client, Registry};
use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};
use crate::login::Login;

/// The client service. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) registry: Arc<Registry>,
    stored_tunnels: rport_store::StoredTunnels,
    /// Knows the user groups there are; `None` when the API is off.
    pub(super) login: Option<Login>,
    pub(super) audit: Audit,
    /// Clients whose attributes are being changed.
    pub(super) changing: Mutex<HashSet<ClientId>>,
}

impl Clients {
    pub(crate) fn new(
        registry: Arc<Registry>,
        stored_tunnels: rport_store::StoredTunnels,
        login: Option<Login>,
        audit: Audit,
    ) -> Self {
        let inner = Inner {
            registry,
            stored_tunnels,
            login,
            audit,
            changing: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The clients the actor may access, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::CLIENT_LIST`].
    ///
    /// # Errors
    /// None at present; a list of nothing is a list.
    pub fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ClientView>, Error> {
        let known = self.inner.registry.known();
        let groups = query.needs("groups").then(|| self.inner.registry.groups());
        let groups = groups.as_deref();
        let admin = actor.is_admin();
        let Some(sort) = query.sorts.first().filter(|sort| sort.column == "id") else {
            let visible = known.iter().filter(|client| admin || actor.may_access(client));
            return Ok(query.run(
                visible.filter_map(|client| client.view(groups)),
                ClientView::field,
            ));
        };
        // Most lists are sorted by id, and so are the clients that are known.
        let forward = (!sort.descending).then(|| known.iter());
        let backward = sort.descending.then(|| known.iter().rev());
        let mut sorted = forward
            .into_iter()
            .flatten()
            .chain(backward.into_iter().flatten());
        if admin && query.filters.is_empty() {
            let page = sorted.by_ref().skip(query.offset).take(query.limit);
            return Ok(Page {
                items: page.filter_map(|client| client.view(groups)).collect(),
                total: known.len(),
            });
        }
        let visible = sorted.filter(|client| admin || actor.may_access(client));
        let views = visible.filter_map(|client| client.view(groups));
        Ok(query.run_sorted(views, ClientView::field))
    }

    /// One client.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub fn get(&self, actor: &Actor, id: &ClientId) -> Result<ClientView, Error> {
        let (client, _) = self.inner.visible(actor, id)?;
        client
            .view(Some(&self.inner.registry.groups()))
            .ok_or_else(|| client_not_found(id))
    }

    /// Forgets a client that is not connected, together with its stored tunnels.
    ///
    /// Differs from RPort, which leaves the stored tunnels to whoever gets the id next.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` while the client is connected.
    pub async fn delete(&self, actor: &Actor, id: &ClientId) -> Result<(), Error> {
        let inner = &self.inner;
        let (client, record) = inner.visible(actor, id)?;
        if !inner.registry.remove(&client) {
            return Err(Error::invalid("Client is active, should be disconnected"));
        }
        tracing::info!(client.id = %id, user.name = %actor.user, "client deleted by user");
        // A deletion that could not be stored would come back at the next start: say so now.
        inner.registry.save(id).await?;
        inner.stored_tunnels.delete_all(id).await?;
        let event = Event {
            client: Some(&record),
            ..Event::new(Application::Client, Action::Delete, id.as_str())
        };
        inner.audit.note(actor, event).await;
        Ok(())
    }
}

impl Inner {
    /// A client the actor may access, with its record.
    pub(super) fn visible(
        &self,
        actor: &Actor,
        id: &ClientId,
    ) -> Result<(Arc<Client>, Arc<ClientRecord>), Error> {
        let client = self.registry.find(id).ok_or_else(|| client_not_found(id))?;
        let record = client.record().ok_or_else(|| client_not_found(id))?;
        actor.require_access(&client)?;
        Ok((client, record))
    }
}
