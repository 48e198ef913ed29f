//! The owner's handle of a running tunnel, and the task behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use rport_domain::TunnelAcl;
use rport_protocol::ChannelTarget;
use rport_runtime::Tasks;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::dial::Dial;
use crate::metrics_names::TUNNELS;
use crate::ports::BoundPort;
use crate::proxy::{Proxy, ProxySpec};
use crate::state::{State, TunnelStats};
use crate::tcp::Tcp;
use crate::udp::Udp;

/// What a tunnel needs besides its port.
#[derive(Clone, Debug)]
pub struct TunnelSpec {
    /// Names the tunnel in log lines, for example `client-id/3`.
    pub label: String,
    /// Host the client dials, a name or an address.
    pub remote_host: String,
    /// Port the client dials, as text because the protocol carries it so.
    pub remote_port: String,
    /// Who may visit; `None` is everybody.
    pub acl: Option<TunnelAcl>,
    /// Close after being unused this long. TCP is in use while a connection is open, UDP at each datagram.
    pub idle: Option<Duration>,
    /// Close this long after the start, used or not.
    pub auto_close: Option<Duration>,
    /// TCP connections served at the same time; further ones are closed at once.
    pub visitor_limit: usize,
    /// The HTTPS front of the TCP half, if it has one.
    pub proxy: Option<ProxySpec>,
}

impl TunnelSpec {
    /// Default for [`TunnelSpec::visitor_limit`].
    pub const VISITOR_LIMIT: usize = 4096;

    /// A tunnel for everybody that never closes by itself.
    #[must_use]
    pub fn new(
        label: impl Into<String>,
        remote_host: impl Into<String>,
        remote_port: impl Into<String>,
    ) -> Self {
        Self {
            label: label.into(),
            remote_host: remote_host.into(),
            remote_port: remote_port.into(),
            acl: None,
            idle: None,
            auto_close: None,
            visitor_limit: Self::VISITOR_LIMIT,
            proxy: None,
        }
    }
}

/// Why a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its owner closed or dropped it.
    Closed,
    /// It was unused for its idle timeout.
    Idle,
    /// Its auto-close time came.
    AutoClose,
    /// The server is stopping.
    ServerStops,
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Idle => "idle timeout",
            Self::AutoClose => "auto-close",
            Self::ServerStops => "the server stops",
        })
    }
}

/// A tunnel was not closed because of its open TCP connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tunnel has {0} active connection(s)")]
pub struct StillActive(pub usize);

/// A running tunnel. Dropping it ends the tunnel: listeners and visitors are cut and the port is returned.
#[derive(Debug)]
pub struct Tunnel {
    state: Arc<State>,
    port: u16,
    local_addr: Option<SocketAddr>,
    stop: CancellationToken,
    ended: watch::Receiver<Option<EndReason>>,
}

/// Starts serving visitors of a bound port.
///
/// # Errors
/// The sockets cannot be watched for events: the process has no runtime or no file descriptors left.
pub fn spawn(spec: TunnelSpec, bound: BoundPort, dial: Arc<dyn Dial>, tasks: &Tasks) -> io::Result<Tunnel> {
    let port = bound.port();
    let local_addr = bound.local_addr();
    let BoundPort { tcp, udp, lease } = bound;
    let listener = tcp.map(TcpListener::from_std).transpose()?;
    let socket = udp.map(UdpSocket::from_std).transpose()?;

    let state = Arc::new(State::new(spec.label, spec.acl));
    let server_stops = tasks.soft();
    let stop = server_stops.child_token();
    let (tell, ended) = watch::channel(None);
    let run = Run {
        tcp: listener.map(|listener| {
            let shared = Arc::new(Tcp {
                target: ChannelTarget::tcp(&spec.remote_host, &spec.remote_port),
                remote_host: spec.remote_host.clone(),
                proxy: spec.proxy.map(|proxy| Arc::new(Proxy::new(proxy))),
                dial: Arc::clone(&dial),
                state: Arc::clone(&state),
                visitor_limit: spec.visitor_limit,
                stop: stop.clone(),
                tasks: tasks.clone(),
            });
            (shared, listener)
        }),
        udp: socket.map(|socket| {
            let target = ChannelTarget::udp(&spec.remote_host, &spec.remote_port);
            (Udp::new(socket, Arc::clone(&state)), target, dial)
        }),
        idle: spec.idle,
        auto_close: spec.auto_close,
        stop: stop.clone(),
        server_stops,
        state: Arc::clone(&state),
    };
    tasks.spawn("tunnel", async move {
        gauge!(TUNNELS).increment(1.0);
        let label = run.state.label.clone();
        let reason = run.until_end().await;
        // The sockets went with `run`; the port goes before anybody hears of the end.
        drop(lease);
        gauge!(TUNNELS).decrement(1.0);
        info!(tunnel.label = %label, port, %reason, "tunnel ended");
        tell.send_replace(Some(reason));
    });
    Ok(Tunnel {
        state,
        port,
        local_addr,
        stop,
        ended,
    })
}

impl Tunnel {
    /// The public port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address the tunnel listens on.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Replaces the list of allowed visitors. Connections that are open stay open.
    pub fn set_acl(&self, acl: Option<TunnelAcl>) {
        self.state.set_acl(acl);
    }

    /// The list of allowed visitors; `None` is everybody.
    #[must_use]
    pub fn acl(&self) -> Option<Arc<TunnelAcl>> {
        self.state.acl()
    }

    /// Number of open TCP connections.
    #[must_use]
    pub fn active(&self) -> usize {
        self.state.activity().open()
    }

    /// Ends the tunnel. The port is free once [`Tunnel::ended`] resolves.
    ///
    /// # Errors
    /// TCP connections are open and `force` is not set; nothing changed then.
    pub fn close(&self, force: bool) -> Result<(), StillActive> {
        let active = self.active();
        if active > 0 && !force {
            return Err(StillActive(active));
        }
        self.stop.cancel();
        Ok(())
    }

    /// Resolves when the tunnel has ended and its port is free. Does not borrow the handle; may be asked for often.
    pub fn ended(&self) -> impl Future<Output = EndReason> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(reason) => reason.unwrap_or(EndReason::Closed),
                // The task was cut off by the end of the process's tasks before it could tell.
                Err(_) => EndReason::ServerStops,
            }
        }
    }

    /// Why the tunnel ended, if it has.
    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        *self.ended.borrow()
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> TunnelStats {
        self.state.stats()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Everything the task of a tunnel owns. Its end closes the sockets.
struct Run {
    tcp: Option<(Arc<Tcp>, TcpListener)>,
    udp: Option<(Udp, ChannelTarget, Arc<dyn Dial>)>,
    idle: Option<Duration>,
    auto_close: Option<Duration>,
    stop: CancellationToken,
    server_stops: CancellationToken,
    state: Arc<State>,
}

impl Run {
    async fn until_end(self) -> EndReason {
        let Self {
            tcp,
            udp,
            idle,
            auto_close,
            stop,
            server_stops,
            state,
        } = self;
        let serve_tcp = async move {
            match tcp {
                Some((tcp, listener)) => tcp.serve(listener).await,
                None => std::future::pending().await,
            }
        };
        let serve_udp = async move {
            match udp {
                Some((udp, target, dial)) => udp.serve(dial.as_ref(), &target).await,
                None => std::future::pending().await,
            }
        };
        let unused = async {
            match idle {
                Some(limit) => state.activity().idle_for(limit).await,
                None => std::future::pending().await,
            }
        };
        let reason = tokio::select! {
            biased;
            () = server_stops.cancelled() => EndReason::ServerStops,
            () = stop.cancelled() => EndReason::Closed,
            () = after(auto_close) => EndReason::AutoClose,
            () = unused => EndReason::Idle,
            never = serve_tcp => match never {},
            never = serve_udp => match never {},
        };
        // Visitors are tasks of their own; the end of the tunnel ends them too.
        stop.cancel();
        reason
    }
}

/// Resolves after `limit`; never without one.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
