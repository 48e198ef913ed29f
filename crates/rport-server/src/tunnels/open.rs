//! Opening a tunnel for a user.

use std::sync::Arc;
use std::time::Duration;

use rport_domain::{ClientId, Error, TunnelId, TunnelRecord, TunnelRequest, tunnel_rules};
use rport_protocol::Remote;
use rport_protocol::to_client::{CheckPort, CheckTunnelAllowed};
use rport_tunnel::PortError;

use super::service::Tunnels;
use super::start::TunnelError;
use crate::actor::Actor;
use crate::audit::Action;
use crate::clients::{AskError, Client, ClientLink, offline};
use crate::events::EventKind;

/// Stands for a secret in the audit log.
const MASK: &str = "***";
/// How long an agent may take to look at its own rules. It serves requests one by one, so something slower may have
/// to finish first.
const ASK_LIMIT: Duration = Duration::from_secs(15);

impl Tunnels {
    /// Opens a tunnel: checks the request, asks the agent, starts listening, remembers the tunnel.
    ///
    /// Runs to its end even if the caller goes away.
    ///
    /// # Errors
    /// `NotFound`, `ClientOffline`, `Forbidden`; `Invalid` for everything wrong with the request, `Conflict` when the
    /// port was lost in a race, `ClientTimeout` and `ClientRefused` for trouble with the agent.
    pub async fn open(
        &self,
        actor: &Actor,
        id: &ClientId,
        request: TunnelRequest,
    ) -> Result<TunnelRecord, Error> {
        let (this, actor, id) = (self.clone(), actor.clone(), id.clone());
        let opened = self.inner.tasks.spawn("tunnel_open", async move {
            this.open_now(&actor, &id, &request).await
        });
        opened.await.map_err(Error::internal)?
    }

    async fn open_now(
        &self,
        actor: &Actor,
        id: &ClientId,
        request: &TunnelRequest,
    ) -> Result<TunnelRecord, Error> {
        let (client, link) = self.connected(actor, id)?;
        let checked = request.checked(self.inner.proxy.is_some())?;
        let mut remote = checked.remote;
        remote.owner = actor.user.to_string();
        if !allowed_by_agent(&link, &remote, ASK_LIMIT)
            .await
            .map_err(|error| error.for_client(id))?
        {
            return Err(tunnel_rules::destination_not_allowed());
        }
        check_duplicate(&client, id, &remote)?;
        if checked.check_port {
            self.check_port(&link, id, &remote).await?;
        }
        let wanted_port = remote.lport.clone();
        let asked = serde_json::to_value(masked(&remote)).unwrap_or_default();
        let record = self
            .start(&client, &link, remote)
            .await
            .map_err(|error| match error {
                TunnelError::Port(PortError::InUse(_)) => tunnel_rules::port_in_use(&wanted_port),
                other => other.into(),
            })?;
        if let Err(error) = remember(&client, &link, &record) {
            self.undo(id, &record.id);
            return Err(error);
        }
        if let Err(error) = self.inner.registry.save(id).await {
            self.undo(id, &record.id);
            self.inner.forget(id, &record.id).await;
            return Err(error.into());
        }
        self.inner
            .registry
            .events()
            .tunnel(EventKind::TunnelOpened, &record.id, &client);
        let made = TunnelRecord {
            remote: masked(&record.remote),
            ..record.clone()
        };
        let made = serde_json::to_value(made).ok();
        self.note(actor, Action::Create, &client, record.id.as_str(), asked, made)
            .await;
        Ok(record)
    }

    fn undo(&self, client: &ClientId, tunnel: &TunnelId) {
        drop(self.inner.take(client, tunnel));
    }

    async fn check_port(&self, link: &ClientLink, id: &ClientId, remote: &Remote) -> Result<(), Error> {
        let timeout = self.inner.check_port_timeout;
        let question = CheckPort {
            host_port: remote.target(),
            timeout,
        };
        let reply = link
            .ask(&question, timeout + ASK_LIMIT)
            .await
            .map_err(|error| error.for_client(id))?;
        if reply.open {
            Ok(())
        } else {
            Err(tunnel_rules::not_listening(&remote.rport, &reply.err_msg))
        }
    }
}

/// Whether the agent's `tunnel_allowed` lets the tunnel's target be reached. Agents that do not know the question
/// have no such rules.
pub(crate) async fn allowed_by_agent(
    link: &ClientLink,
    remote: &Remote,
    limit: Duration,
) -> Result<bool, AskError> {
    match link
        .ask(
            &CheckTunnelAllowed {
                remote: remote.target(),
            },
            limit,
        )
        .await
    {
        Ok(reply) => Ok(reply.is_allowed),
        Err(error) if error.is_unknown_request() => Ok(true),
        Err(error) => Err(error),
    }
}

fn check_duplicate(client: &Client, id: &ClientId, remote: &Remote) -> Result<(), Error> {
    let record = client.record().ok_or_else(|| offline(id))?;
    tunnel_rules::check_duplicate(&record.details.tunnels, remote)
}

/// Puts the tunnel into the client's record, unless the connection it leads through is not the client's any more, or
/// somebody else was faster with the same tunnel.
fn remember(client: &Arc<Client>, link: &ClientLink, tunnel: &TunnelRecord) -> Result<(), Error> {
    if !client.is_seated(link.id) {
        return Err(offline(&client.id));
    }
    let added = client.update(|record| {
        tunnel_rules::check_duplicate(&record.details.tunnels, &as_asked(&tunnel.remote))?;
        record.details.tunnels.push(tunnel.clone());
        Ok(())
    });
    added.unwrap_or_else(|| Err(offline(&client.id)))
}

/// The remote without its password, for the audit log.
fn masked(remote: &Remote) -> Remote {
    let mut remote = remote.clone();
    if !remote.auth_password.is_empty() {
        MASK.clone_into(&mut remote.auth_password);
    }
    remote
}

/// The remote as it was before a port was picked: what duplicates are compared by.
fn as_asked(remote: &Remote) -> Remote {
    if !remote.lport_random {
        return remote.clone();
    }
    Remote {
        lhost: String::new(),
        lport: String::new(),
        lport_random: false,
        ..remote.clone()
    }
}
