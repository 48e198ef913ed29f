//! Accepts connections of the API port and speaks HTTP on them.
//!
//! Every step before a request is complete has a deadline: TLS handshake, header block, and (in `body.rs`) the body. A
//! silent peer is gone within seconds, and the number of connections is bounded.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics::gauge;
use rport_runtime::Tasks;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::metrics_names::CONNECTIONS;
use crate::pace::{Busy, Limits, Pace, Paced};

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a header block may take.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long an HTTP/1 connection may idle between two requests. Longer than the half minute at which programs poll.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// How often HTTP/2 asks whether a silent peer is still there, and how long that may take.
const PING: Duration = Duration::from_secs(20);
/// Pause after a failed accept; out of file descriptors, accept would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Silence after which the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long a peer may leave sent bytes unacknowledged or its window shut.
#[cfg(target_os = "linux")]
const UNREAD_LIMIT: Duration = Duration::from_secs(60);
/// Smallest buffer the HTTP/1 parser works with.
const SMALLEST_HEADER_LIMIT: usize = 8192;
/// Length of the HTTP/2 connection preface (RFC 9113, section 3.4).
const PREFACE_LEN: usize = 24;
/// Requests one HTTP/2 connection may have in flight.
const MAX_STREAMS: u32 = 100;

/// The accept loop's parts.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) router: Router,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) tasks: Tasks,
}

impl Acceptor {
    /// Serves until the soft stop; requests under way then may finish until the hard stop.
    pub(crate) async fn run(self) {
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let stop = self.tasks.soft();
        let connection = Arc::new(ConnectionParts {
            tls: self.tls.map(TlsAcceptor::from),
            router: self.router,
            max_header_bytes: self.max_header_bytes.max(SMALLEST_HEADER_LIMIT),
            tasks: self.tasks.clone(),
        });
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                Ok((slot, socket, peer)) => {
                    let connection = Arc::clone(&connection);
                    self.tasks.spawn("api-connection", async move {
                        gauge!(CONNECTIONS).increment(1.0);
                        connection.serve(socket, peer).await;
                        gauge!(CONNECTIONS).decrement(1.0);
                        drop(slot);
                    });
                }
                Err(error) => {
                    warn!(%error, "the API cannot accept a connection, trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Waits for a free slot first, so that connections over the limit stay in the backlog.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    Ok((slot, socket, peer))
}

/// What every connection needs.
struct ConnectionParts {
    tls: Option<TlsAcceptor>,
    router: Router,
    max_header_bytes: usize,
    tasks: Tasks,
}

impl ConnectionParts {
    async fn serve(&self, socket: TcpStream, peer: SocketAddr) {
        tune(&socket);
        let Some(tls) = &self.tls else {
            return self.http1(socket, peer).await;
        };
        match tokio::time::timeout(HANDSHAKE_LIMIT, tls.accept(socket)).await {
            Ok(Ok(stream)) => match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => self.http2(stream, peer).await,
                Some(rport_tls::ACME_ALPN) => debug!(%peer, "a certificate authority had a look"),
                _ => self.http1(stream, peer).await,
            },
            Ok(Err(error)) => debug!(%peer, %error, "TLS handshake on the API port failed"),
            Err(_) => debug!(%peer, "TLS handshake on the API port took too long"),
        }
    }

    async fn http1<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        // Hyper's deadline for headers is off: it would count the time between two requests as well.
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(self.max_header_bytes);
        let limits = Limits {
            header: HEADER_LIMIT,
            idle: IDLE_LIMIT,
        };
        let pace = Pace::default();
        let stream = Paced::new(stream, pace.clone(), limits);
        let router = self.router.clone();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let busy = pace.busy();
            request.extensions_mut().insert(ConnectInfo(peer));
            let (router, pace) = (router.clone(), pace.clone());
            async move {
                let Ok(response) = router.oneshot(request).await;
                if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                    pace.upgraded();
                }
                Ok::<_, Infallible>(response.map(|body| Answering { body, _busy: busy }))
            }
        });
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let soft = self.tasks.soft();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = soft.cancelled() => {
                connection.as_mut().graceful_shutdown();
                self.until_hard_stop(connection).await
            }
        };
        report(peer, ended);
    }

    async fn http2<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(stream) = after_preface(stream).await else {
            return debug!(%peer, "HTTP/2 preface did not arrive");
        };
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(self.max_header_bytes).unwrap_or(u32::MAX));
        let connection = builder.serve_connection(TokioIo::new(stream), self.service(peer));
        tokio::pin!(connection);
        let soft = self.tasks.soft();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = soft.cancelled() => {
                connection.as_mut().graceful_shutdown();
                self.until_hard_stop(connection).await
            }
        };
        report(peer, ended);
    }

    async fn until_hard_stop(
        &self,
        connection: impl Future<Output = hyper::Result<()>>,
    ) -> hyper::Result<()> {
        let hard = self.tasks.hard();
        tokio::select! {
            ended = connection => ended,
            () = hard.cancelled() => Ok(()),
        }
    }

    fn service(
        &self,
        peer: SocketAddr,
    ) -> impl hyper::service::Service<
        http::Request<Incoming>,
        Response = axum::response::Response,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + use<> {
        let router = self.router.clone().into_service::<Incoming>();
        TowerToHyperService::new(router.map_request(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        }))
    }
}

/// Best effort: a socket that takes no options still carries requests.
///
/// A peer that is gone, or that reads nothing of its answer for a minute, loses its connection.
fn tune(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNREAD_LIMIT));
}

/// Waits for the bytes every HTTP/2 connection starts with: the protocol's own code has no deadline for them.
async fn after_preface<S>(stream: S) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut reader, writer) = tokio::io::split(stream);
    let mut preface = [0; PREFACE_LEN];
    match tokio::time::timeout(HEADER_LIMIT, reader.read_exact(&mut preface)).await {
        Ok(Ok(_)) => Some(tokio::io::join(io::Cursor::new(preface).chain(reader), writer)),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// A body that keeps its connection from counting as idle.
struct Answering {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn report(peer: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%peer, %error, "API connection ended with an error");
    }
}
