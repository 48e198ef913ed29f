//! An HTTPS front before the TCP half of a tunnel.
//!
//! A visitor speaks TLS with the server and HTTP inside; each request goes on to the client's service through a
//! channel of the tunnel. The front decides about the visitor (ACL, own login), sets the headers a service behind a
//! proxy expects, and answers with a page of its own when it refuses or the service is away.
//!
//! Source: rest-api.md 11.1 and 11.3. Differs from RPort: the ACL looks at the real peer, unless a trusted proxy names
//! another; guessing the login is slowed down; the login's header does not reach the service.
//!
//! Start reading at `http.rs`, which walks one request through. A new kind of front is a file here and its arm in
//! [`Front`].

mod cors;
mod headers;
mod http;
mod login;
mod pages;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tracing::debug;

use crate::state::OpenVisitor;
use crate::tcp::Tcp;
use upstream::Upstream;

pub use login::ProxyLogin;

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a header block may take, and an HTTP/1 connection may idle between two requests.
const HEADER_LIMIT: Duration = Duration::from_secs(60);
/// How long an HTTP/2 connection may idle; it would keep the tunnel from idling out.
const IDLE_LIMIT: Duration = Duration::from_secs(90);
/// How often HTTP/2 asks whether a silent visitor is still there, and how long that may take.
const PING: Duration = Duration::from_secs(20);
/// Limit of a request's header block in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Requests one HTTP/2 connection may have in flight.
const MAX_STREAMS: u32 = 100;
/// ALPN word of a certificate authority's check (RFC 8737, section 4).
const ACME_ALPN: &[u8] = b"acme-tls/1";
/// Length of the HTTP/2 connection preface (RFC 9113, section 3.4).
const PREFACE_LEN: usize = 24;

/// What stands in front of a tunnel.
#[derive(Clone)]
pub struct ProxySpec {
    /// Certificate and versions of TLS; offers HTTP/2 if its ALPN list does.
    pub tls: Arc<ServerConfig>,
    /// What the client's service speaks.
    pub front: Front,
    /// `Host` header for the service; without one it gets the visitor's.
    pub host_header: Option<HeaderValue>,
    /// Name and password visitors have to give.
    pub login: Option<ProxyLogin>,
    /// Senders of `X-Forwarded-For` that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may use the service; `*` is every origin. Empty sends no CORS headers.
    pub cors: Vec<String>,
}

impl std::fmt::Debug for ProxySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxySpec")
            .field("front", &self.front)
            .field("host_header", &self.host_header)
            .field("login", &self.login)
            .field("cors", &self.cors)
            .finish_non_exhaustive()
    }
}

/// What the service behind the front speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// HTTP.
    Http,
    /// HTTP inside TLS. The certificate is not checked, as in the Go server: services behind tunnels rarely have one
    /// that could be, and the way to the client is encrypted and authenticated by itself.
    Https,
}

/// The front of one tunnel, shared by its visitors.
pub(crate) struct Proxy {
    spec: ProxySpec,
    acceptor: TlsAcceptor,
    throttle: login::Throttle,
}

impl Proxy {
    pub(crate) fn new(spec: ProxySpec) -> Self {
        Self {
            acceptor: TlsAcceptor::from(Arc::clone(&spec.tls)),
            throttle: login::Throttle::default(),
            spec,
        }
    }

    /// Serves one visitor until either side ends.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        tcp: &Arc<Tcp>,
        socket: TcpStream,
        peer: SocketAddr,
        open: OpenVisitor,
    ) {
        let label = &tcp.state.label;
        let stream = match tokio::time::timeout(HANDSHAKE_LIMIT, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return debug!(tunnel.label = %label, visitor = %peer, %error, "TLS handshake failed");
            }
            Err(_) => return debug!(tunnel.label = %label, visitor = %peer, "TLS handshake took too long"),
        };
        if stream.get_ref().1.alpn_protocol() == Some(ACME_ALPN) {
            // An authority looked at the certificate; nothing follows.
            return;
        }
        let visit = Arc::new(Visit {
            proxy: Arc::clone(self),
            tcp: Arc::clone(tcp),
            peer: peer.ip().to_canonical(),
            open: Arc::new(open),
            upstream: Upstream::new(Arc::clone(tcp), self.spec.front, self.spec.host_header.as_ref()),
            running: Arc::default(),
        });
        let ended = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            visit.http2(stream).await
        } else {
            visit.http1(stream).await
        };
        if let Err(error) = ended {
            debug!(tunnel.label = %label, visitor = %peer, %error, "visitor's connection ended with an error");
        }
    }

    /// Where a request comes from: the peer, or who a trusted proxy says.
    fn address(&self, peer: IpAddr, headers: &::http::HeaderMap) -> IpAddr {
        let forwarded: Vec<&str> = headers
            .get_all(headers::X_FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        rport_domain::client_address(peer, &forwarded, &self.spec.trusted_proxies)
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.spec.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// One visitor's connection.
struct Visit {
    proxy: Arc<Proxy>,
    tcp: Arc<Tcp>,
    peer: IpAddr,
    /// Counts as an open connection of the tunnel; WebSockets hold it beyond the HTTP connection they began on.
    open: Arc<OpenVisitor>,
    upstream: Upstream,
    running: Arc<Running>,
}

impl Visit {
    async fn http1<S>(self: Arc<Self>, stream: S) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .max_buf_size(MAX_HEADER_BYTES);
        let service = hyper::service::service_fn(move |request| Arc::clone(&self).answer(request));
        builder
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await
    }

    async fn http2<S>(self: Arc<Self>, stream: S) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(stream) = after_preface(stream).await else {
            return Ok(());
        };
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
        let running = Arc::clone(&self.running);
        let service = hyper::service::service_fn(move |request| Arc::clone(&self).answer(request));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = running.idle_for(IDLE_LIMIT) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// Waits for the bytes every HTTP/2 connection starts with: the protocol's own code has no deadline for them.
async fn after_preface<S>(stream: S) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut reader, writer) = tokio::io::split(stream);
    let mut preface = [0; PREFACE_LEN];
    match tokio::time::timeout(HANDSHAKE_LIMIT, reader.read_exact(&mut preface)).await {
        Ok(Ok(_)) => Some(tokio::io::join(
            std::io::Cursor::new(preface).chain(reader),
            writer,
        )),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// How many requests of a connection run, and since when none does.
struct Running {
    count: AtomicUsize,
    since: Mutex<Instant>,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            count: AtomicUsize::new(0),
            since: Mutex::new(Instant::now()),
        }
    }
}

impl Running {
    /// Counts a request in until the guard is dropped.
    fn enter(self: &Arc<Self>) -> RunningGuard {
        self.count.fetch_add(1, Ordering::AcqRel);
        RunningGuard(Arc::clone(self))
    }

    async fn idle_for(&self, limit: Duration) {
        loop {
            let since = if self.count.load(Ordering::Acquire) > 0 {
                Instant::now()
            } else {
                *self.since.lock()
            };
            let due = since + limit;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// One request under way, to the end of its answer.
struct RunningGuard(Arc<Running>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        *self.0.since.lock() = Instant::now();
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}
