//! One line per request, in the main log and, if configured, in the access log.
//!
//! A line is written when the answer's body has gone out, or when the caller hung up.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use hyper::body::{Frame, SizeHint};
use metrics::counter;
use rport_runtime::telemetry::request_line;

use super::access_log::AccessLog;
use crate::metrics_names::REQUESTS_TOTAL;

/// Where request lines go besides the main log.
#[derive(Clone)]
pub(crate) struct Logs {
    pub(crate) access: Option<AccessLog>,
}

/// Everything a line tells.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) peer: Option<IpAddr>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) referer: String,
    pub(crate) user_agent: String,
    pub(crate) status: StatusCode,
    pub(crate) bytes: u64,
    pub(crate) started: Instant,
}

/// Writes the lines.
pub(crate) async fn log(State(logs): State<Logs>, request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip().to_canonical());
    let mut served = Served {
        peer,
        method: request.method().clone(),
        uri: request.uri().clone(),
        version: request.version(),
        referer: text(request.headers(), &header::REFERER),
        user_agent: text(request.headers(), &header::USER_AGENT),
        status: StatusCode::OK,
        bytes: 0,
        started: Instant::now(),
    };
    let response = next.run(request).await;
    served.status = response.status();
    response.map(|body| Body::new(Counted { body, served, logs }))
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> String {
    let value = headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

/// A body that counts what went out and reports at its end.
struct Counted {
    body: Body,
    served: Served,
    logs: Logs,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.served.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let served = &self.served;
        let status = served.status.as_str().to_owned();
        counter!(REQUESTS_TOTAL, "method" => method_label(&served.method), "status" => status).increment(1);
        let took = served.started.elapsed();
        let method = served.method.as_str();
        request_line(
            method,
            served.uri.path(),
            served.status.as_u16(),
            took,
            served.bytes,
            served.peer,
        );
        if let Some(access) = &self.logs.access {
            access.write(served);
        }
    }
}

/// Callers can invent methods; metrics must not grow a series for each.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "HEAD" => "HEAD",
        _ => "other",
    }
}
