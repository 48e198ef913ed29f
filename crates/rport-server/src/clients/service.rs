//! The clients users see. Source: rest-api.md 10.

use std::sync::Arc;

use rport_domain::access::client_not_found;
use rport_domain::{ClientId, ClientView, Error, ListQuery, Page};

use super::{Client, Registry};
use crate::actor::Actor;

/// The client service. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    registry: Arc<Registry>,
}

impl Clients {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// The clients the actor may access, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::CLIENT_LIST`].
    ///
    /// # Errors
    /// None at present; a list of nothing is a list.
    pub fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ClientView>, Error> {
        let views = self.registry.all().into_iter().filter_map(|client| view(&client));
        let visible = views.filter(|view| actor.may_access(&view.record));
        Ok(query.run(visible, ClientView::field))
    }

    /// One client.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub fn get(&self, actor: &Actor, id: &ClientId) -> Result<ClientView, Error> {
        let (_, view) = self.visible(actor, id)?;
        Ok(view)
    }

    /// Forgets a client that is not connected.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` while the client is connected.
    pub async fn delete(&self, actor: &Actor, id: &ClientId) -> Result<(), Error> {
        let (client, _) = self.visible(actor, id)?;
        if !self.registry.remove(&client) {
            return Err(Error::invalid("Client is active, should be disconnected"));
        }
        tracing::info!(client.id = %id, user.name = %actor.user, "client deleted by user");
        // A deletion that could not be stored would come back at the next start: say so now.
        Ok(self.registry.save(id).await?)
    }

    fn visible(&self, actor: &Actor, id: &ClientId) -> Result<(Arc<Client>, ClientView), Error> {
        let client = self.registry.find(id).ok_or_else(|| client_not_found(id))?;
        let view = view(&client).ok_or_else(|| client_not_found(id))?;
        actor.require_access(&view.record)?;
        Ok((client, view))
    }
}

fn view(client: &Client) -> Option<ClientView> {
    let record = client.record()?;
    // Client groups arrive with a later release.
    Some(ClientView {
        record,
        last_heartbeat_at: client.last_heartbeat_at(),
        groups: Vec::new(),
    })
}
