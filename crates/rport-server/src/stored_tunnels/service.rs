//! The stored tunnels users see and change.

use std::sync::Arc;

use rport_domain::access::client_not_found;
use rport_domain::{
    ClientId, ClientRecord, Error, ListQuery, MAX_STORED_TUNNELS, Page, Permission, StoredTunnel,
    StoredTunnelId, TunnelDefinition, stored_tunnel_not_found,
};
use rport_runtime::Clock;

use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};
use crate::clients::Registry;

/// The service of stored tunnels. Cheap to clone. The client may be disconnected in all of it.
#[derive(Clone)]
pub struct StoredTunnels {
    inner: Arc<Inner>,
}

struct Inner {
    store: rport_store::StoredTunnels,
    registry: Arc<Registry>,
    audit: Audit,
    clock: Clock,
}

impl StoredTunnels {
    pub(crate) fn new(
        store: rport_store::StoredTunnels,
        registry: Arc<Registry>,
        audit: Audit,
        clock: Clock,
    ) -> Self {
        let inner = Inner {
            store,
            registry,
            audit,
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The stored tunnels of a client, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::STORED_TUNNEL_LIST`].
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn list(
        &self,
        actor: &Actor,
        client: &ClientId,
        query: &ListQuery,
    ) -> Result<Page<StoredTunnel>, Error> {
        self.visible(actor, client)?;
        Ok(self.inner.store.list(client, query).await?)
    }

    /// One stored tunnel of a client.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn get(
        &self,
        actor: &Actor,
        client: &ClientId,
        id: &StoredTunnelId,
    ) -> Result<StoredTunnel, Error> {
        self.visible(actor, client)?;
        let found = self.inner.store.find(client, id).await?;
        found.ok_or_else(|| stored_tunnel_not_found(id))
    }

    /// Stores a definition under a new id.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`; `Conflict` when the client has too many.
    pub async fn add(
        &self,
        actor: &Actor,
        client: &ClientId,
        definition: TunnelDefinition,
    ) -> Result<StoredTunnel, Error> {
        let record = self.visible(actor, client)?;
        definition.check()?;
        let tunnel = StoredTunnel {
            id: uuid::Uuid::new_v4().to_string().into(),
            created_at: self.inner.clock.now_local(),
            definition,
        };
        if !self.inner.store.insert(client, tunnel.clone()).await? {
            return Err(Error::conflict(format!(
                "the client has {MAX_STORED_TUNNELS} stored tunnels, which is the limit"
            )));
        }
        let request = Some(audited(&tunnel.definition));
        self.note(actor, Action::Create, &tunnel.id, &record, request)
            .await;
        Ok(tunnel)
    }

    /// Replaces a definition; id and time of creation stay.
    ///
    /// Differs from RPort, which answers 200 for an id that does not exist and then keeps nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn replace(
        &self,
        actor: &Actor,
        client: &ClientId,
        id: &StoredTunnelId,
        definition: TunnelDefinition,
    ) -> Result<StoredTunnel, Error> {
        let record = self.visible(actor, client)?;
        definition.check()?;
        let request = Some(audited(&definition));
        let replaced = self.inner.store.replace(client, id, definition).await?;
        let tunnel = replaced.ok_or_else(|| stored_tunnel_not_found(id))?;
        self.note(actor, Action::Update, id, &record, request).await;
        Ok(tunnel)
    }

    /// Removes a stored tunnel. One that does not exist is no error, as with the Go server.
    ///
    /// # Errors
    /// `NotFound` for the client, `Forbidden`.
    pub async fn delete(&self, actor: &Actor, client: &ClientId, id: &StoredTunnelId) -> Result<(), Error> {
        let record = self.visible(actor, client)?;
        if self.inner.store.delete(client, id).await? {
            self.note(actor, Action::Delete, id, &record, None).await;
        }
        Ok(())
    }

    /// Access comes before permission, as in the Go server.
    fn visible(&self, actor: &Actor, id: &ClientId) -> Result<Arc<ClientRecord>, Error> {
        let client = self.inner.registry.find(id).ok_or_else(|| client_not_found(id))?;
        let record = client.record().ok_or_else(|| client_not_found(id))?;
        actor.require_access(&client)?;
        actor.require(Permission::Tunnels)?;
        Ok(record)
    }

    async fn note(
        &self,
        actor: &Actor,
        action: Action,
        id: &StoredTunnelId,
        client: &ClientRecord,
        request: Option<serde_json::Value>,
    ) {
        let event = Event {
            client: Some(client),
            request,
            ..Event::new(Application::ClientStoredTunnel, action, id.as_str())
        };
        self.inner.audit.note(actor, event).await;
    }
}

/// A definition as the audit log shows it: without the further options, in which front ends may keep passwords.
fn audited(definition: &TunnelDefinition) -> serde_json::Value {
    serde_json::json!({
        "name": definition.name, "scheme": definition.scheme, "remote_ip": definition.remote_ip,
        "remote_port": definition.remote_port, "public_port": definition.public_port, "acl": definition.acl,
    })
}
