//! Requests that do not come from an agent: passed on to `[server] proxy`, or told that nothing is here.
//!
//! A connection per request: this is a convenience for small installations, which put the user interface behind the
//! agents' port, and not a web server. Upgrades (the API's WebSockets) are passed through.

mod rewrite;
mod target;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rport_runtime::Tasks;
use tokio::time::timeout;

use self::rewrite::{append_forwarded_for, joined, remove_hop_by_hop};
use self::target::Target;
use crate::error::StartError;

/// How long the web server may take to accept a connection and to begin its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

type Problem = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Body = BoxBody<Bytes, Problem>;

/// Passes requests on to one web server.
pub(super) struct ReverseProxy {
    target: Target,
    max_body: usize,
    tasks: Tasks,
}

impl ReverseProxy {
    pub(super) fn new(target: Uri, max_body: usize, tasks: &Tasks) -> Result<Self, StartError> {
        Ok(Self {
            target: Target::new(target)?,
            max_body,
            tasks: tasks.clone(),
        })
    }

    pub(super) async fn pass(&self, request: Request<Incoming>, address: IpAddr) -> Response<Body> {
        let passed = timeout(ANSWER_LIMIT, self.try_pass(request, address)).await;
        passed.unwrap_or_else(|elapsed| Err(elapsed.into())).unwrap_or_else(|error| {
            tracing::warn!(%error, target = %self.target.uri(), "the web server named by 'proxy' did not answer");
            text(StatusCode::BAD_GATEWAY, "Bad Gateway\n")
        })
    }

    async fn try_pass(
        &self,
        mut request: Request<Incoming>,
        address: IpAddr,
    ) -> Result<Response<Body>, Problem> {
        let from_visitor = request
            .headers()
            .contains_key(UPGRADE)
            .then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        head.uri = joined(self.target.uri(), &head.uri).ok_or("the path cannot be joined")?;
        let upgrade = head.headers.get(UPGRADE).cloned();
        remove_hop_by_hop(&mut head.headers);
        if let Some(upgrade) = upgrade {
            head.headers.insert(UPGRADE, upgrade);
            head.headers
                .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        head.headers
            .insert(HOST, HeaderValue::from_str(self.target.authority())?);
        append_forwarded_for(&mut head.headers, address);

        let stream = TokioIo::new(self.target.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        self.tasks.spawn("reverse_proxy", async move {
            // The one who waits for the answer gets the same error.
            let _ = connection.with_upgrades().await;
        });
        let mut response = sender
            .send_request(Request::from_parts(head, Limited::new(body, self.max_body)))
            .await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let to_server = hyper::upgrade::on(&mut response);
            let to_visitor = from_visitor.ok_or("the web server switched protocols unasked")?;
            self.tasks.spawn("reverse_proxy", join(to_visitor, to_server));
        } else {
            remove_hop_by_hop(response.headers_mut());
        }
        Ok(response.map(|body| body.map_err(Into::into).boxed()))
    }
}

/// Carries bytes both ways after an upgrade, until either side ends.
async fn join(visitor: OnUpgrade, server: OnUpgrade) {
    if let (Ok(visitor), Ok(server)) = tokio::join!(visitor, server) {
        let (mut visitor, mut server) = (TokioIo::new(visitor), TokioIo::new(server));
        let _ = tokio::io::copy_bidirectional(&mut visitor, &mut server).await;
    }
}

/// A short plain answer, after which the connection ends: who gets one has nothing more to say here.
pub(super) fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(body.as_bytes()))
        .map_err(|never| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
