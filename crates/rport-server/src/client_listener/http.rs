//! The HTTP part of the agents' listener.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rport_transport::ws::{UpgradeVerdict, check_upgrade};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ClientListener;
use super::proxy::{Body, text};
use rport_domain::client_address;

/// hyper refuses smaller limits.
const LEAST_HEAD: usize = 8192;
/// Room for a request's head at most, whatever is configured: it is given to strangers, thousands at a time.
/// Differs from RPort, which gives each 512 KiB.
const LARGEST_HEAD: usize = 64 * 1024;
/// Without a web server behind us every answer is short, so a connection that lasts this many head deadlines is held
/// open on purpose.
const LIFETIME_IN_HEADS: u32 = 4;

/// A connection that has left HTTP.
pub(super) struct Upgraded {
    pub(super) socket: TcpStream,
    /// What the agent sent behind its request without waiting for the answer.
    pub(super) leftover: Bytes,
    pub(super) address: IpAddr,
}

type Slot = Arc<Mutex<Option<(OnUpgrade, IpAddr)>>>;

/// Speaks HTTP with a peer until it becomes an agent or goes away.
pub(super) async fn serve(
    listener: &ClientListener,
    socket: TcpStream,
    peer: SocketAddr,
) -> Option<Upgraded> {
    let slot = Slot::default();
    let service = service_fn(|request| {
        let slot = slot.clone();
        async move { Ok::<_, Infallible>(answer(listener, request, peer, &slot).await) }
    });
    let deadline = listener.options.deadlines.head;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadline)
        .max_buf_size(listener.options.max_request_bytes.clamp(LEAST_HEAD, LARGEST_HEAD))
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let ended = if listener.proxy.is_some() {
        connection.await
    } else {
        timeout(deadline * LIFETIME_IN_HEADS, connection)
            .await
            .unwrap_or(Ok(()))
    };
    if let Err(error) = ended {
        tracing::trace!(%peer, %error, "HTTP on the agents' listener ended early");
    }
    let (upgrade, address) = slot.lock().take()?;
    let upgraded = timeout(deadline, upgrade).await.ok()?.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Upgraded {
        socket: parts.io.into_inner(),
        leftover: parts.read_buf,
        address,
    })
}

async fn answer(
    listener: &ClientListener,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    slot: &Slot,
) -> Response<Body> {
    let forwarded = request.headers().get_all("x-forwarded-for");
    let forwarded: Vec<&str> = forwarded.iter().filter_map(|value| value.to_str().ok()).collect();
    let address = client_address(peer.ip(), &forwarded, &listener.trusted_proxies);
    if listener.gate.is_banned(address) {
        return text(StatusCode::LOCKED, "Too many bad attempts. Please try later.\n");
    }
    match check_upgrade(request.method(), request.headers()) {
        UpgradeVerdict::Upgrade { accept } => {
            let Ok(accept) = HeaderValue::from_str(&accept) else {
                return text(StatusCode::BAD_REQUEST, "Bad Request\n");
            };
            *slot.lock() = Some((hyper::upgrade::on(&mut request), address));
            let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
            let headers = response.headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            response
        }
        UpgradeVerdict::Bad(status) => {
            let body = if status == StatusCode::METHOD_NOT_ALLOWED {
                "Method Not Allowed\n"
            } else {
                "Bad Request\n"
            };
            let mut response = text(status, body);
            let version = HeaderName::from_static("sec-websocket-version");
            response
                .headers_mut()
                .insert(version, HeaderValue::from_static("13"));
            response
        }
        UpgradeVerdict::NotAnAgent => match &listener.proxy {
            Some(proxy) => proxy.pass(request, address).await,
            None => text(StatusCode::NOT_FOUND, ""),
        },
    }
}
