//! Local listeners that lead into a tunnel.

use std::{net::SocketAddr, sync::Arc};

use rport_runtime::Tasks;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::RwLock,
};

use super::{PrivateTunnel, Spec, tcp, udp};
use crate::failure::{Exit, Failure, Result};

/// A tunnel that several tasks use, and that any of them may open again.
pub(super) type Shared = Arc<RwLock<PrivateTunnel>>;

/// A local listener. It is bound before its tunnel is opened, so that a port in use costs nothing.
pub(crate) enum Listener {
    /// For connections.
    Tcp(TcpListener),
    /// For datagrams.
    Udp(UdpSocket),
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// When the port is in use or not for us.
    pub(crate) async fn bind(spec: &Spec, udp: bool) -> Result<Self> {
        let address = SocketAddr::new(spec.address, spec.port);
        let bound = if udp {
            UdpSocket::bind(address).await.map(Self::Udp)
        } else {
            TcpListener::bind(address).await.map(Self::Tcp)
        };
        bound.map_err(|error| {
            let exit = match error.kind() {
                std::io::ErrorKind::AddrInUse => Exit::Conflict,
                _ => Exit::Error,
            };
            Failure::new(exit, format!("cannot listen on {address}: {error}"))
                .hint("choose another local port, or 0 for a free one")
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let address = match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        };
        address.map_err(|error| Failure::error(format!("cannot tell the local port: {error}")))
    }

    /// Starts to lead whoever comes into the tunnel.
    pub(crate) fn start(self, tasks: &Tasks, tunnel: Shared) {
        let inner = tasks.clone();
        match self {
            Self::Tcp(listener) => drop(tasks.spawn("listener", tcp::serve(listener, inner, tunnel))),
            Self::Udp(socket) => drop(tasks.spawn("listener", udp::serve(socket, inner, tunnel))),
        }
    }
}

/// Where the tunnel is visited now.
pub(super) async fn place(tunnel: &Shared) -> (String, u16) {
    let tunnel = tunnel.read().await;
    (tunnel.host().to_owned(), tunnel.port())
}

/// Opens the tunnel again, unless another task did so since `stale` was seen. Says where it is visited then.
pub(super) async fn renew(tunnel: &Shared, stale: &(String, u16)) -> Result<(String, u16)> {
    let mut tunnel = tunnel.write().await;
    if (tunnel.host(), tunnel.port()) == (stale.0.as_str(), stale.1) {
        tunnel.reopen().await?;
    }
    Ok((tunnel.host().to_owned(), tunnel.port()))
}
