//! The port for HTTP-01: answers the authority, sends everybody else to https (operations.md 3).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rport_runtime::Tasks;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Inner;

const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";
/// Connections served at the same time.
const CONNECTIONS: usize = 256;
/// How long one connection may live: one short question and its answer.
const CONNECTION_LIMIT: Duration = Duration::from_secs(15);
/// How long a header block may take.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
const HEADER_BYTES: usize = 16 * 1024;
/// Pause after a failed accept; out of file descriptors, accept would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Acceptor {
    listener: TcpListener,
    inner: Arc<Inner>,
    tasks: Tasks,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, inner: Arc<Inner>, tasks: Tasks) -> Self {
        Self {
            listener,
            inner,
            tasks,
        }
    }

    pub(super) async fn run(self) {
        let stop = self.tasks.soft();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.accept() => {}
        }
    }

    async fn accept(&self) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match self.listener.accept().await {
                Ok((socket, _)) => {
                    let inner = Arc::clone(&self.inner);
                    self.tasks.spawn("acme-http-connection", async move {
                        // Whoever is too slow, or breaks off, gets no answer and misses nothing.
                        let _ = tokio::time::timeout(CONNECTION_LIMIT, serve(socket, inner)).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the ACME port cannot accept a connection, trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(socket: TcpStream, inner: Arc<Inner>) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&inner, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

fn answer<B>(inner: &Inner, request: &Request<B>) -> Response<Full<Bytes>> {
    if let Some(token) = request.uri().path().strip_prefix(CHALLENGE_PATH) {
        return match inner.challenges.text(token) {
            Some(text) => plain(StatusCode::OK, text),
            None => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::BAD_REQUEST, "Use HTTPS\n");
    }
    match location(inner, request) {
        Some(location) => {
            let mut response = plain(StatusCode::FOUND, "");
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        None => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

/// The same path over https. Only names of ours are taken from the request: the others lead to the first of ours.
fn location<B>(inner: &Inner, request: &Request<B>) -> Option<HeaderValue> {
    let asked = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let asked = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
    let hosts = &inner.options.hosts;
    let host = hosts
        .iter()
        .find(|host| host.name.eq_ignore_ascii_case(asked))
        .or(hosts.first())?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let name = &host.name;
    let location = match host.https_port {
        Some(port) => format!("https://{name}:{port}{path}"),
        None => format!("https://{name}{path}"),
    };
    HeaderValue::from_str(&location).ok()
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use rport_runtime::Clock;

    use super::*;
    use crate::acme::{Acme, AcmeHost, AcmeOptions};

    #[test]
    fn the_authority_is_answered_and_visitors_are_sent_on() {
        let folder = tempfile::tempdir().expect("folder");
        let mut options = AcmeOptions::new(folder.path().join("acme"));
        let host = |name: &str, https_port| AcmeHost {
            name: name.to_owned(),
            https_port,
        };
        options.hosts = vec![
            host("api.example.org", Some(8443)),
            host("tunnels.example.org", None),
        ];
        let acme = Acme::open(options, Clock::system()).expect("folder");
        let check = |method: Method, host: &str, path: &str, status: u16, location: &str| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::HOST, host);
            let response = answer(&acme.inner, &request.body(()).expect("request"));
            let found = response.headers().get(header::LOCATION);
            let found = found.map_or("", |value| value.to_str().expect("text"));
            assert_eq!(
                (response.status().as_u16(), found),
                (status, location),
                "{host}{path}"
            );
        };
        let _open = acme.inner.challenges.open_http("abc", "abc.thumb");
        let well_known = "/.well-known/acme-challenge/";
        check(
            Method::GET,
            "api.example.org",
            &format!("{well_known}abc"),
            200,
            "",
        );
        check(
            Method::GET,
            "api.example.org",
            &format!("{well_known}other"),
            404,
            "",
        );
        check(
            Method::GET,
            "API.example.org:80",
            "/x?y=1",
            302,
            "https://api.example.org:8443/x?y=1",
        );
        check(
            Method::HEAD,
            "tunnels.example.org",
            "/",
            302,
            "https://tunnels.example.org/",
        );
        check(
            Method::GET,
            "evil.example",
            "//evil.example",
            302,
            "https://api.example.org:8443//evil.example",
        );
        check(Method::POST, "api.example.org", "/x", 400, "");
    }
}
