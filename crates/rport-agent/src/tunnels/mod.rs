//! The agent's end of tunnels: channels the server opens, joined to sockets here.
//!
//! The server names a target in the channel's extra data. The local rules (`tunnel_allowed`) are asked first, then
//! the channel is confirmed, and only then the target is dialled: a visitor's first bytes can travel while we dial,
//! and a target that cannot be reached shows as a channel that closes at once, as with a Go agent.

mod target;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::sync::Arc;

use rport_protocol::channel::{KIND_RPORT, REJECT_NOT_ALLOWED};
use rport_protocol::{ChannelTarget, Protocol, TunnelAllowed};
use rport_runtime::Tasks;
use rport_transport::{Channel, IncomingChannel};
use tracing::{debug, warn};

pub(crate) use target::{TargetError, addresses, check_port, is_allowed};

/// SSH reason "administratively prohibited".
const REASON_PROHIBITED: u32 = 1;
/// SSH reason "connect failed".
const REASON_CONNECT_FAILED: u32 = 2;
/// SSH reason "unknown channel type".
const REASON_UNKNOWN_KIND: u32 = 3;

/// Serves one channel from its opening to its end.
///
/// Differs from RPort, which takes a channel of any kind for a tunnel: kinds that are not tunnels are rejected.
pub(crate) async fn serve(incoming: IncomingChannel, allowed: Arc<TunnelAllowed>, tasks: Tasks) {
    if incoming.kind != KIND_RPORT {
        let text = format!("unknown channel type {:?}", incoming.kind);
        incoming.reject(REASON_UNKNOWN_KIND, &text);
        return;
    }
    let target = match ChannelTarget::from_extra(&incoming.extra) {
        Ok(target) => target,
        Err(error) => {
            debug!("rejecting a tunnel channel: {error}");
            incoming.reject(REASON_CONNECT_FAILED, &error.to_string());
            return;
        }
    };
    // Without rules there is nothing to look up first, and the channel is confirmed at once.
    let checked = if allowed.is_empty() {
        None
    } else {
        match target::allowed_addresses(&target.host_port, &allowed).await {
            Ok(addresses) => Some(addresses),
            Err(error) => {
                warn!(tunnel.target = %target, "rejecting a tunnel: {error}");
                incoming.reject(REASON_PROHIBITED, REJECT_NOT_ALLOWED);
                return;
            }
        }
    };
    connect(incoming.accept(), &target, checked, &tasks).await;
}

async fn connect(
    channel: Channel,
    target: &ChannelTarget,
    checked: Option<Vec<std::net::SocketAddr>>,
    tasks: &Tasks,
) {
    let addresses = match checked {
        Some(addresses) => Ok(addresses),
        None => addresses(&target.host_port).await,
    };
    let outcome = match addresses {
        Ok(addresses) => match target.protocol {
            Protocol::Udp => udp::serve(channel, &addresses, tasks)
                .await
                .map_err(TargetError::Socket),
            Protocol::Tcp | Protocol::TcpUdp => {
                tcp::serve(channel, &addresses).await.map_err(TargetError::Socket)
            }
        },
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => debug!(tunnel.target = %target, "tunnel channel ended"),
        Err(error) => debug!(tunnel.target = %target, "tunnel channel failed: {error}"),
    }
}
