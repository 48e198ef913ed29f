//! The tunnels users see and change. Source: rest-api.md 11.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rport_domain::access::client_not_found;
use rport_domain::{
    ClientId, ConnectionId, Error, Permission, TunnelAcl, TunnelId, TunnelRecord, tunnel_rules,
};
use rport_runtime::{Clock, Tasks};
use rport_tunnel::{PortPool, Tunnel};

use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};
use crate::clients::{Client, ClientLink, Registry, offline};
use crate::options::{TunnelProxyOptions, TunnelsOptions};

/// How long a caller waits for the listeners of a closed tunnel to be gone.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// The tunnel service. Cheap to clone.
#[derive(Clone)]
pub struct Tunnels {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) registry: Arc<Registry>,
    pub(super) pool: PortPool,
    pub(super) check_port_timeout: Duration,
    pub(super) proxy: Option<TunnelProxyOptions>,
    pub(super) audit: Audit,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    /// The handles; dropping one ends its tunnel.
    pub(super) running: Mutex<HashMap<ClientId, Vec<Running>>>,
}

/// A running tunnel and the connection it leads through.
pub(super) struct Running {
    pub(super) id: TunnelId,
    pub(super) connection: ConnectionId,
    pub(super) tunnel: Arc<Tunnel>,
}

/// A running tunnel and whose it is.
#[derive(Debug, Clone)]
pub struct ClientTunnel {
    /// The client it leads to.
    pub client_id: ClientId,
    /// The tunnel.
    pub tunnel: TunnelRecord,
}

impl Tunnels {
    pub(crate) fn new(
        options: &TunnelsOptions,
        registry: Arc<Registry>,
        audit: Audit,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        let inner = Inner {
            registry,
            pool: PortPool::new(options.ports.clone()),
            check_port_timeout: options.check_port_timeout,
            proxy: options.proxy.clone(),
            audit,
            clock,
            tasks,
            running: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Number of ports leased now; nothing is connected when it is not zero after all tunnels have ended.
    pub fn leased_ports(&self) -> usize {
        self.inner.pool.leased()
    }

    /// All tunnels of connected clients the actor may access, in no order.
    ///
    /// # Errors
    /// `Forbidden` without the permission `tunnels`.
    pub fn list_all(&self, actor: &Actor) -> Result<Vec<ClientTunnel>, Error> {
        actor.require(Permission::Tunnels)?;
        let mut tunnels = Vec::new();
        for client in self.inner.registry.all() {
            let Some(record) = client.record().filter(|record| record.disconnected_at.is_none()) else {
                continue;
            };
            if record.details.tunnels.is_empty() || !actor.may_access(&client) {
                continue;
            }
            let of_client = record.details.tunnels.iter().cloned();
            tunnels.extend(of_client.map(|tunnel| ClientTunnel {
                client_id: client.id.clone(),
                tunnel,
            }));
        }
        Ok(tunnels)
    }

    /// Closes a tunnel. With `force` its visitors are cut off.
    ///
    /// # Errors
    /// `NotFound`, `ClientOffline`, `Forbidden`; `Conflict` when visitors are connected and `force` is not set.
    pub async fn close(
        &self,
        actor: &Actor,
        id: &ClientId,
        tunnel_id: &TunnelId,
        force: bool,
    ) -> Result<(), Error> {
        let (client, _) = self.connected(actor, id)?;
        let running = self
            .inner
            .find(id, tunnel_id)
            .ok_or_else(tunnel_rules::tunnel_not_found)?;
        running
            .close(force)
            .map_err(|active| tunnel_rules::still_active(active.0))?;
        // From here on it has to be finished, whether the caller stays or not.
        let (this, tunnel_id, actor) = (self.clone(), tunnel_id.clone(), actor.clone());
        let finished = self.inner.tasks.spawn("tunnel_close", async move {
            let _ = tokio::time::timeout(CLOSE_LIMIT, running.ended()).await;
            this.inner.take(&client.id, &tunnel_id);
            this.inner.forget(&client.id, &tunnel_id).await;
            let request = serde_json::json!({ "force": force });
            this.note(&actor, Action::Delete, &client, tunnel_id.as_str(), request, None)
                .await;
            let (client, user) = (&client.id, &actor.user);
            tracing::info!(client.id = %client, tunnel.id = %tunnel_id, user.name = %user, "tunnel closed by user");
        });
        finished.await.map_err(Error::internal)
    }

    /// Replaces the list of allowed visitors; `None` or an empty text lets everybody in. Open connections stay.
    ///
    /// # Errors
    /// `NotFound`, `ClientOffline`, `Forbidden`; `Invalid` for a bad list, which then changes nothing.
    pub async fn set_acl(
        &self,
        actor: &Actor,
        id: &ClientId,
        tunnel_id: &TunnelId,
        acl: Option<&str>,
    ) -> Result<(), Error> {
        let (client, _) = self.connected(actor, id)?;
        let running = self
            .inner
            .find(id, tunnel_id)
            .ok_or_else(tunnel_rules::tunnel_not_found)?;
        let acl = TunnelAcl::parse(acl).map_err(|error| Error::invalid(error.to_string()))?;
        let text = acl.as_ref().map(ToString::to_string);
        let stored = text.clone();
        running.set_acl(acl);
        client.update(|record| {
            if let Some(known) = record
                .details
                .tunnels
                .iter_mut()
                .find(|known| known.id == *tunnel_id)
            {
                known.remote.acl = stored;
            }
        });
        tracing::info!(client.id = %id, tunnel.id = %tunnel_id, user.name = %actor.user, "tunnel ACL changed");
        self.inner.registry.save(id).await?;
        let request = serde_json::json!({ "acl": text });
        self.note(actor, Action::Update, &client, tunnel_id.as_str(), request, None)
            .await;
        Ok(())
    }

    /// Writes the audit log.
    pub(super) async fn note(
        &self,
        actor: &Actor,
        action: Action,
        client: &Client,
        tunnel: &str,
        request: serde_json::Value,
        response: Option<serde_json::Value>,
    ) {
        let record = client.record();
        let event = Event {
            client: record.as_deref(),
            request: Some(request),
            response,
            ..Event::new(Application::ClientTunnel, action, tunnel)
        };
        self.inner.audit.note(actor, event).await;
    }

    /// The client and its link, for an actor who may use its tunnels. Access comes before permission, as in the Go
    /// server.
    pub(super) fn connected(&self, actor: &Actor, id: &ClientId) -> Result<(Arc<Client>, ClientLink), Error> {
        let client = self.inner.registry.find(id).ok_or_else(|| client_not_found(id))?;
        client.record().ok_or_else(|| client_not_found(id))?;
        actor.require_access(&client)?;
        actor.require(Permission::Tunnels)?;
        let link = client.link().ok_or_else(|| offline(id))?;
        Ok((client, link))
    }
}

impl Inner {
    fn find(&self, client: &ClientId, id: &TunnelId) -> Option<Arc<Tunnel>> {
        let running = self.running.lock();
        let found = running.get(client)?.iter().find(|running| running.id == *id)?;
        Some(found.tunnel.clone())
    }
}
