//! Requests that do not come from an agent: passed on to `[server] proxy`, or told that nothing is here.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use rport_runtime::Tasks;

use crate::error::StartError;

pub(crate) type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Runs the connections to the web server as tracked tasks.
#[derive(Clone)]
struct Tracked(Tasks);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        self.0.spawn("reverse_proxy", work);
    }
}

/// Passes requests on to one web server.
pub(crate) struct ReverseProxy {
    target: Uri,
    client: Client<HttpConnector, Limited<Incoming>>,
    max_body: usize,
}

impl ReverseProxy {
    pub(crate) fn new(target: Uri, max_body: usize, tasks: &Tasks) -> Result<Self, StartError> {
        if target.host().is_none() || target.scheme_str() != Some("http") {
            return Err(StartError::Unsupported("'proxy' in [server] must be a URL of the form http://host[:port][/path]"));
        }
        let client = Client::builder(Tracked(tasks.clone())).pool_timer(TokioTimer::new()).build_http();
        Ok(Self { target, client, max_body })
    }

    pub(crate) async fn pass(&self, request: Request<Incoming>, address: IpAddr) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let Some(uri) = joined(&self.target, &head.uri) else { return text(StatusCode::BAD_REQUEST, "Bad Request\n") };
        head.uri = uri;
        remove_hop_by_hop(&mut head.headers);
        let host = self.target.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        if let Some(host) = host {
            head.headers.insert(HOST, host);
        }
        append_forwarded_for(&mut head.headers, address);
        let request = Request::from_parts(head, Limited::new(body, self.max_body));
        match self.client.request(request).await {
            Ok(mut response) => {
                remove_hop_by_hop(response.headers_mut());
                response.map(|body| body.map_err(Into::into).boxed())
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, target = %self.target, "the web server named by 'proxy' did not answer");
                text(StatusCode::BAD_GATEWAY, "Bad Gateway\n")
            }
        }
    }
}

/// The target's path in front of the request's path and query.
fn joined(target: &Uri, request: &Uri) -> Option<Uri> {
    let prefix = target.path().trim_end_matches('/');
    let rest = request.path_and_query().map_or("/", |rest| rest.as_str());
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(format!("{prefix}{slash}{rest}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Headers that concern one connection only (RFC 9110 7.6.1), and those the connection header names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, header::PROXY_AUTHENTICATE, header::PROXY_AUTHORIZATION];
    for name in named.into_iter().chain(fixed).chain([HeaderName::from_static("keep-alive")]) {
        headers.remove(name);
    }
}

fn append_forwarded_for(headers: &mut HeaderMap, address: IpAddr) {
    let name = HeaderName::from_static("x-forwarded-for");
    let earlier: Vec<&str> = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()).collect();
    let list = if earlier.is_empty() { address.to_string() } else { format!("{}, {address}", earlier.join(", ")) };
    if let Ok(value) = HeaderValue::from_str(&list) {
        headers.insert(name, value);
    }
}

/// A short plain answer, after which the connection ends: who gets one has nothing more to say here.
pub(crate) fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, request: &str, expected: &str) {
        let joined = joined(&target.parse().expect("a URI"), &request.parse().expect("a URI")).expect("joins");
        assert_eq!(joined.to_string(), expected);
    }

    #[test]
    fn path_and_query_are_kept() {
        check("http://web:8000", "/a/b?c=d", "http://web:8000/a/b?c=d");
        check("http://web/base/", "/a", "http://web/base/a");
        check("http://web/base", "/", "http://web/base/");
        check("http://web", "http://other/x?y", "http://web/x?y");
    }

    #[test]
    fn connection_headers_stay_behind() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, X-Secret"));
        headers.insert("x-secret", HeaderValue::from_static("1"));
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
        remove_hop_by_hop(&mut headers);
        append_forwarded_for(&mut headers, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 10.0.0.1");
    }
}
