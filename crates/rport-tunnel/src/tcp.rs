//! The TCP half of a tunnel: one channel per visitor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::ChannelTarget;
use rport_runtime::Tasks;
use rport_transport::{Channel, OpenError, pipe};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::accept_backoff::AcceptBackoff;
use crate::dial::Dial;
use crate::proxy::Proxy;
use crate::state::{OpenVisitor, State};

/// How long a client may take to confirm a channel.
pub(crate) const DIAL_LIMIT: Duration = Duration::from_secs(30);
/// Silence after which the kernel probes whether a visitor is still there. A visitor that vanished without a FIN
/// would otherwise keep its channel, and the tunnel from idling out, for ever.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What every visitor of a tunnel needs.
pub(crate) struct Tcp {
    pub(crate) target: ChannelTarget,
    /// The host in `target`, for TLS with the service.
    pub(crate) remote_host: String,
    /// The HTTPS front, if there is one. It asks the ACL itself, to answer with a page.
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) state: Arc<State>,
    pub(crate) visitor_limit: usize,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: Tasks,
}

impl Tcp {
    /// Accepts visitors until dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> std::convert::Infallible {
        let mut backoff = AcceptBackoff::default();
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => {
                    backoff.succeeded();
                    self.admit(socket, peer);
                }
                Err(error) => {
                    if let Some(pause) = backoff.failed(&error) {
                        warn!(tunnel.label = %self.state.label, %error, pause = ?pause,
                            "tunnel cannot accept visitors, trying again");
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        }
    }

    /// Decides whether a visitor is served. A refused one is closed at once, so that it need not wait for a time-out.
    fn admit(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let state = &self.state;
        state.visitor_came();
        if self.proxy.is_none() && !state.allows(peer.ip()) {
            state.visitor_denied();
            debug!(tunnel.label = %state.label, visitor = %peer, "visitor refused by the tunnel's ACL");
            return;
        }
        let Some(open) = OpenVisitor::enter(state, self.visitor_limit) else {
            state.visitor_over_limit();
            debug!(tunnel.label = %state.label, visitor = %peer, limit = self.visitor_limit,
                "visitor refused, too many connections on this tunnel");
            return;
        };
        let tcp = Arc::clone(self);
        self.tasks.spawn("tunnel-visitor", async move {
            tokio::select! {
                biased;
                () = tcp.stop.cancelled() => {}
                () = tcp.serve_visitor(socket, peer, open) => {}
            }
        });
    }

    async fn serve_visitor(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr, open: OpenVisitor) {
        match &self.proxy {
            None => self.carry(socket, peer, &open).await,
            Some(proxy) => {
                tune(&socket);
                proxy.serve(self, socket, peer, open).await;
            }
        }
    }

    /// Carries one visitor's bytes until either side ends.
    async fn carry(&self, socket: TcpStream, peer: SocketAddr, open: &OpenVisitor) {
        tune(&socket);
        let channel = match self.open_channel().await {
            Ok(channel) => channel,
            Err(reason) => {
                open.state().visitor_not_dialled();
                info!(tunnel.label = %self.state.label, visitor = %peer, target = %self.target, %reason,
                    "visitor closed, the client did not open a channel");
                return;
            }
        };
        let carried = pipe(channel, socket).await;
        self.state.sent_to_client(carried.from_socket);
        self.state.received_from_client(carried.to_socket);
    }

    /// Opens a channel to the service within [`DIAL_LIMIT`].
    pub(crate) async fn open_channel(&self) -> Result<Channel, DialFailure> {
        match tokio::time::timeout(DIAL_LIMIT, self.dial.dial(&self.target)).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(DialFailure::Refused(error)),
            Err(_) => Err(DialFailure::Late),
        }
    }
}

/// Why a channel was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialFailure {
    #[error(transparent)]
    Refused(OpenError),
    #[error("no answer within {} s", DIAL_LIMIT.as_secs())]
    Late,
}

/// Best effort: a socket that takes no options still carries bytes.
fn tune(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
}
