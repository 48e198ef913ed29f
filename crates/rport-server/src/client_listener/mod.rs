//! Where agents knock: TCP, HTTP upgrade, SSH login. What comes out is a link, handed to a client session.
//!
//! Everything before the login is hostile until shown otherwise. Each step has a deadline ([`Deadlines`]), the number
//! of connections that are not through yet is bounded ([`pending`]), and the processor time they get is bounded
//! ([`throttle`]). Facts: wire-protocol.md 2.1 and 5.
//!
//! [`Deadlines`]: crate::options::Deadlines

mod http;
mod pending;
mod proxy;
mod throttle;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use rport_runtime::Tasks;
use rport_transport::{Authenticator, HandshakeError, HostKey, Link, LinkOptions, ws::WsStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use self::pending::Pending;
use self::proxy::ReverseProxy;
use self::throttle::Throttled;
use crate::client_auth::Gate;
use crate::clients::Sessions;
use crate::error::StartError;
use crate::metrics_names::HANDSHAKES_TOTAL;
use crate::options::ListenerOptions;

/// How long accepting rests when the process or the machine is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves the agents' listener.
pub(crate) struct ClientListener {
    options: ListenerOptions,
    trusted_proxies: Vec<IpNet>,
    gate: Arc<Gate>,
    host_key: Arc<HostKey>,
    link_options: LinkOptions,
    pending: Arc<Pending>,
    handshakes: Arc<Semaphore>,
    proxy: Option<ReverseProxy>,
    sessions: Sessions,
    tasks: Tasks,
}

impl ClientListener {
    pub(crate) fn new(
        options: ListenerOptions,
        trusted_proxies: Vec<IpNet>,
        gate: Arc<Gate>,
        host_key: HostKey,
        sessions: Sessions,
        tasks: Tasks,
    ) -> Result<Arc<Self>, StartError> {
        let proxy = options.reverse_proxy.clone();
        let proxy = proxy
            .map(|target| ReverseProxy::new(target, options.max_request_bytes, &tasks))
            .transpose()?;
        Ok(Arc::new(Self {
            pending: Pending::new(options.max_pending, options.max_pending_per_ip),
            handshakes: Arc::new(Semaphore::new(options.max_concurrent_handshakes.max(1))),
            link_options: LinkOptions {
                handshake_timeout: options.deadlines.handshake,
                ..LinkOptions::default()
            },
            options,
            trusted_proxies,
            gate,
            host_key: Arc::new(host_key),
            proxy,
            sessions,
            tasks,
        }))
    }

    /// Accepts until the tasks are asked to stop.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        let stop = self.tasks.soft();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    self.tasks.spawn("handshake", self.clone().serve(socket, peer));
                }
                Err(error) if is_exhaustion(&error) => {
                    tracing::error!(%error, "cannot accept agents for the moment");
                    // Whoever has been waiting longest for nothing gives its descriptor back.
                    self.pending.drop_oldest();
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The peer gave up between knocking and being let in.
                Err(error) => {
                    tracing::debug!(%error, "an agent's connection was gone before it was accepted")
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let ticket = self.pending.enter(peer.ip());
        let stop = self.tasks.soft();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = ticket.evicted() => handshake_ended("evicted"),
            () = self.welcome(socket, peer) => {}
        }
    }

    async fn welcome(&self, socket: TcpStream, peer: SocketAddr) {
        // The futures are large and most of their life is over when the link stands.
        let Some(upgraded) = Box::pin(http::serve(self, socket, peer)).await else {
            return;
        };
        let address = upgraded.address;
        let login = AgentLogin {
            gate: self.gate.clone(),
            address,
            refused: AtomicBool::new(false),
        };
        let stream = WsStream::server_tcp(upgraded.socket, upgraded.leftover.into());
        let handshake =
            rport_transport::accept(stream, &self.host_key, &login, &self.link_options, &self.tasks);
        let handshake = Throttled::new(handshake, self.handshakes.clone());
        match handshake.await {
            Ok(link) => self.hand_over(link, address),
            Err(HandshakeError::Timeout(_)) => {
                handshake_ended("timeout");
                tracing::debug!(%address, "an agent's handshake took too long");
            }
            Err(error) => {
                let refused = login.refused.load(Ordering::Relaxed);
                handshake_ended(if refused { "refused" } else { "failed" });
                tracing::debug!(%address, error = &error as &dyn std::error::Error, "an agent's handshake failed");
            }
        }
    }

    fn hand_over(&self, link: Link, address: IpAddr) {
        handshake_ended("accepted");
        tracing::debug!(%address, client_auth.id = link.peer.user, peer = link.peer.id_line, "agent logged in");
        self.tasks
            .spawn("client_session", self.sessions.clone().run(link, address));
    }
}

/// The password check as the SSH layer calls it.
struct AgentLogin {
    gate: Arc<Gate>,
    address: IpAddr,
    /// Whether a password was wrong. Agents hang up then, which looks like any other lost connection.
    refused: AtomicBool,
}

impl Authenticator for AgentLogin {
    async fn verify(&self, user: &str, password: &[u8]) -> bool {
        let admitted = self.gate.admits(user, password, self.address).await;
        self.refused.fetch_or(!admitted, Ordering::Relaxed);
        admitted
    }
}

fn handshake_ended(result: &'static str) {
    metrics::counter!(HANDSHAKES_TOTAL, "result" => result).increment(1);
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: the next accept would fail at once again.
fn is_exhaustion(error: &std::io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    error.kind() == std::io::ErrorKind::OutOfMemory
        || error
            .raw_os_error()
            .is_some_and(|code| [ENOMEM, ENFILE, EMFILE, ENOBUFS].contains(&code))
}
