//! Deciding on a connection request. Source: wire-protocol.md 6.4, 6.5 and 11.5.
//!
//! Differs from RPort: nothing can keep a returning agent out for long. The same agent process takes its seat back at
//! once; a different one gets it as soon as the older connection fails to answer a ping. A refused request changes
//! nothing. An earlier tunnel that cannot be opened again, or that the agent does not vouch for, is dropped instead
//! of costing the whole connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rport_domain::{ClientAuthId, ClientId, ClientRecord, TunnelRecord, tunnel_rules};
use rport_protocol::to_server::NewConnection;
use rport_protocol::{Remote, texts};
use tokio::time::timeout;

use super::registry::Seat;
use super::session::Shared;
use super::version::Version;
use super::{AskError, Client, cleanup};
use crate::client_auth::Bound;
use crate::tunnels::{TunnelError, allowed_by_agent};

/// How long an older connection may take to clean up after it was told to go.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);
/// How long an agent may think about one earlier tunnel; it waits for its answer meanwhile.
const REOPEN_LIMIT: Duration = Duration::from_secs(5);
/// Longer ids are refused: they are keys of many maps and part of many log lines.
const ID_LIMIT: usize = 512;

/// Why an agent is not let in. The texts go to the agent; those of the Go server are kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Another agent is connected under this id and alive.
    #[error("{}", texts::already_connected(name, id.as_str()))]
    AlreadyConnected { name: String, id: ClientId },
    /// Another client uses the same credentials, which is not allowed here.
    #[error("{}", texts::auth_id_in_use(.0.as_str()))]
    AuthInUse(ClientAuthId),
    /// The version of a known client cannot be read.
    #[error("failed to determine client version: Malformed version: {0}")]
    BadVersion(String),
    /// A tunnel the agent asks for cannot be opened.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// A new client could not be stored.
    #[error("unable to save the client on the server, see its log")]
    NotSaved,
    /// The client id belongs to other credentials.
    #[error(
        "client id \"{0}\" belongs to other client auth credentials; give this agent another id, or have an administrator re-bind the client"
    )]
    OtherOwner(ClientId),
    /// The client id is not acceptable.
    #[error("could not get clientID: {0}")]
    BadId(&'static str),
    /// The decision took longer than the agent waits.
    #[error("the server could not process the connection request in time, please try again")]
    TooSlow,
    /// A newer connection of this client came meanwhile.
    #[error("a newer connection of this client has taken over")]
    Superseded,
}

/// The id the client will have: its own, or one the server gives it.
pub(super) fn choose_id(shared: &Shared, hello: &NewConnection, auth: &ClientAuthId) -> ClientId {
    if !hello.id.is_empty() {
        return ClientId::new(hello.id.as_str());
    }
    if !shared.options.auth_multiuse && shared.options.equate_auth_id {
        return ClientId::new(auth.as_str());
    }
    ClientId::new(uuid::Uuid::new_v4().to_string())
}

/// Decides on a request; what it returns is the reply. On failure the caller ends the tunnels that were started.
pub(super) async fn admit(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    seat: &Arc<Seat>,
    hello: NewConnection,
    auth: ClientAuthId,
    address: IpAddr,
) -> Result<Option<Vec<Remote>>, Refusal> {
    check_id(&client.id)?;
    // Before the seat is touched: a stranger must not get the connected agent questioned or replaced.
    let owner = check_owner(shared, client, None, &auth, address).await?;
    take_seat(shared, client, seat).await?;
    // Once more, because a client may have become known while this connection waited for its seat.
    check_owner(shared, client, owner, &auth, address).await?;
    let known = client.record().filter(|_| !is_obsolete(shared, client));
    let mut reopen = Vec::new();
    if let Some(record) = &known {
        let version =
            Version::parse(&hello.version).ok_or_else(|| Refusal::BadVersion(hello.version.clone()))?;
        let requested = hello.remotes.as_deref().unwrap_or_default();
        reopen = tunnel_rules::to_reopen(&record.details.tunnels, requested);
        if version.knows_tunnel_allowed() {
            reopen = keep_allowed(seat, reopen).await;
        }
    }
    let counts = |other: &Client| !is_obsolete(shared, other);
    if shared.registry.has_other_user(&auth, &client.id, counts) {
        return Err(Refusal::AuthInUse(auth));
    }
    let requested = hello.remotes.clone();
    let tunnels = open_tunnels(
        shared,
        client,
        seat,
        requested.as_deref().unwrap_or_default(),
        reopen,
    )
    .await?;
    let reply = reply(requested.is_some(), &tunnels);

    let address = address.to_string();
    let is_new = known.is_none();
    drop(known);
    // Made of the record as it is now: what changed while the agent was questioned must not be lost.
    let record = |current: Option<Arc<ClientRecord>>| {
        let mut record = match current.filter(|_| !is_new) {
            Some(current) => {
                let mut record = Arc::unwrap_or_clone(current);
                record.reconnected(auth, hello, &address);
                record
            }
            None => ClientRecord::new(client.id.clone(), auth, hello, &address),
        };
        record.details.tunnels = tunnels;
        record
    };
    if !shared.registry.admit(client, seat, record) {
        return Err(Refusal::Superseded);
    }
    // On disk before the agent hears of it. A client that is there already is let in all the same: a full disk must
    // not cut off every machine when they reconnect.
    if let Err(error) = shared.registry.save(&client.id).await {
        tracing::error!(client.id = %client.id, %error, "a connect was not saved");
        if is_new {
            return Err(Refusal::NotSaved);
        }
    }
    Ok(reply)
}

/// Whether these credentials may speak for the client, see [`crate::client_auth`]. Returns whose client it is;
/// `checked` is an owner that was looked at already.
async fn check_owner(
    shared: &Shared,
    client: &Client,
    checked: Option<ClientAuthId>,
    auth: &ClientAuthId,
    address: IpAddr,
) -> Result<Option<ClientAuthId>, Refusal> {
    let Some(record) = client.record().filter(|_| !is_obsolete(shared, client)) else {
        return Ok(None);
    };
    if checked.as_ref() != Some(&record.client_auth_id) {
        let allowed = shared.client_auth.may_become(auth, &record, address).await;
        allowed.map_err(|Bound| Refusal::OtherOwner(client.id.clone()))?;
    }
    Ok(Some(record.client_auth_id.clone()))
}

fn check_id(id: &ClientId) -> Result<(), Refusal> {
    let text = id.as_str();
    if text.len() > ID_LIMIT {
        return Err(Refusal::BadId("it is longer than 512 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::BadId("it contains control characters"));
    }
    Ok(())
}

/// Sits down on the client's seat, taking it from an older connection where that is right.
async fn take_seat(shared: &Shared, client: &Client, seat: &Arc<Seat>) -> Result<(), Refusal> {
    loop {
        let Err(old) = client.sit(seat) else { return Ok(()) };
        let same_process = !seat.session_id.is_empty() && seat.session_id == old.session_id;
        let give_way = same_process
            || old.link.connection.is_closed()
            || !old.link.answers_ping(shared.deadlines.probe).await;
        if !give_way {
            let name = client
                .record()
                .map(|record| record.details.name.clone())
                .unwrap_or_default();
            return Err(Refusal::AlreadyConnected {
                name,
                id: client.id.clone(),
            });
        }
        if !client.take_over(&old, seat) {
            // Somebody else was faster; look again at who sits there now.
            continue;
        }
        tracing::info!(client.id = %client.id, connection.id = %seat.link.id, replaced = %old.link.id, same_process,
            "newer connection takes over");
        if timeout(LEAVE_LIMIT, old.left.cancelled()).await.is_err() {
            tracing::error!(client.id = %client.id, "an older connection does not leave");
        }
        return Ok(());
    }
}

fn is_obsolete(shared: &Shared, client: &Client) -> bool {
    shared
        .options
        .purge
        .is_some_and(|purge| cleanup::is_obsolete(client, purge, shared.clock.now()))
}

/// Leaves out the earlier tunnels whose targets the agent does not allow any more.
///
/// An agent that cannot tell gets in without them; one that does not answer is not asked again and again.
async fn keep_allowed(seat: &Seat, tunnels: Vec<Remote>) -> Vec<Remote> {
    let client = &seat.link.client;
    let mut allowed = Vec::with_capacity(tunnels.len());
    for remote in tunnels {
        let tunnel = remote.canonical();
        match allowed_by_agent(&seat.link, &remote, REOPEN_LIMIT).await {
            Ok(true) => allowed.push(remote),
            Ok(false) => {
                tracing::info!(client.id = %client, tunnel, "an earlier tunnel is not allowed by the client any more");
            }
            Err(error @ (AskError::Timeout | AskError::Offline)) => {
                tracing::warn!(client.id = %client, tunnel, %error, "earlier tunnels are not opened again");
                break;
            }
            Err(error) => {
                tracing::warn!(client.id = %client, tunnel, %error, "an earlier tunnel is not opened again");
            }
        }
    }
    allowed
}

/// Opens the tunnels the agent asks for, all or none, and then the earlier ones, as many as possible.
async fn open_tunnels(
    shared: &Shared,
    client: &Client,
    seat: &Seat,
    requested: &[Remote],
    reopen: Vec<Remote>,
) -> Result<Vec<TunnelRecord>, Refusal> {
    let mut tunnels: Vec<TunnelRecord> = Vec::with_capacity(requested.len() + reopen.len());
    for remote in requested {
        // A tunnel that is there already is not started twice.
        if tunnels
            .iter()
            .any(|tunnel| tunnel.remote.canonical() == remote.canonical())
        {
            continue;
        }
        let mut remote = remote.clone();
        // Only users own tunnels, whatever the agent says.
        remote.owner.clear();
        tunnels.push(shared.tunnels.start(client, &seat.link, remote).await?);
    }
    for remote in reopen {
        let what = remote.canonical();
        match shared.tunnels.start(client, &seat.link, remote).await {
            Ok(tunnel) => tunnels.push(tunnel),
            Err(error) => {
                tracing::warn!(client.id = %client.id, tunnel = what, %error, "an earlier tunnel was not opened again");
            }
        }
    }
    Ok(tunnels)
}

/// `null` for an agent that asked with `null` and gets nothing; a list in all other cases.
fn reply(asked: bool, tunnels: &[TunnelRecord]) -> Option<Vec<Remote>> {
    (asked || !tunnels.is_empty()).then(|| tunnels.iter().map(|tunnel| tunnel.remote.clone()).collect())
}
