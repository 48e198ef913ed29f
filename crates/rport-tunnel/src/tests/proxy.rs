//! The HTTPS front: real TLS, HTTP/1.1 and HTTP/2, a service behind the link.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rport_protocol::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::web::{BIG, byte_at, certificate};
use super::*;
use crate::{EndReason, Front, ProxyLogin, ProxySpec};

fn spec(front: Front) -> ProxySpec {
    ProxySpec {
        tls: certificate().1.clone(),
        front,
        host_header: None,
        login: None,
        trusted_proxies: Vec::new(),
        cors: Vec::new(),
    }
}

async fn proxied(rig: &Rig, change: impl FnOnce(&mut TunnelSpec, &mut ProxySpec)) -> Tunnel {
    rig.tunnel(Protocol::Tcp, |tunnel| {
        let mut proxy = spec(Front::Http);
        change(tunnel, &mut proxy);
        tunnel.proxy = Some(proxy);
    })
    .await
}

async fn tls(tunnel: &Tunnel, alpn: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate().0.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let socket = TcpStream::connect(local(tunnel))
        .await
        .expect("the tunnel listens");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .expect("TLS")
}

/// An HTTP/1.1 connection to the front.
async fn visit(rig: &Rig, tunnel: &Tunnel) -> http1::SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(tls(tunnel, b"http/1.1").await))
        .await
        .expect("HTTP");
    rig.tasks.spawn("test-visitor", async move {
        let _ = connection.with_upgrades().await;
    });
    sender
}

fn get(path: &str) -> http::request::Builder {
    Request::builder()
        .uri(path)
        .header(header::HOST, "tunnel.example")
}

fn empty(builder: http::request::Builder) -> Request<Full<Bytes>> {
    builder.body(Full::default()).expect("a request")
}

async fn text(response: Response<Incoming>) -> String {
    let body = soon("the body", response.into_body().collect())
        .await
        .expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

/// Status and text of a fresh connection's only request.
async fn once(rig: &Rig, tunnel: &Tunnel, request: http::request::Builder) -> (StatusCode, String) {
    let mut visitor = visit(rig, tunnel).await;
    let response = soon("an answer", visitor.send_request(empty(request)))
        .await
        .expect("an answer");
    (response.status(), text(response).await)
}

#[tokio::test]
async fn requests_reach_the_service_with_the_right_headers() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    let mut visitor = visit(&rig, &tunnel).await;
    for _ in 0..3 {
        let request = get("/where?q=1")
            .header("x-forwarded-for", "198.51.100.1")
            .header("connection", "x-mine")
            .header("x-mine", "1")
            .header("authorization", "Basic for the service");
        let response = soon("an answer", visitor.send_request(empty(request)))
            .await
            .expect("an answer");
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("keep-alive"));
        let seen = text(response).await;
        assert_eq!(
            seen.lines().collect::<Vec<_>>(),
            [
                "GET /where?q=1",
                "authorization: Basic for the service",
                "host: tunnel.example",
                "x-forwarded-for: 127.0.0.1",
                "x-forwarded-host: tunnel.example",
                "x-forwarded-proto: https",
            ]
        );
    }
    assert_eq!(rig.agent.opened(), 1, "the connection to the service is kept");
    assert!(tunnel.stats().bytes_to_client > 0 && tunnel.stats().bytes_from_client > 0);
    drop(visitor);
    eventually("nobody visits any more", || tunnel.active() == 0).await;
}

#[tokio::test]
async fn a_service_with_tls_and_another_name() {
    let rig = Rig::new(Does::WebTls).await;
    let tunnel = proxied(&rig, |_, proxy| {
        proxy.front = Front::Https;
        proxy.host_header = Some("intranet.example:8443".parse().expect("text"));
    })
    .await;
    let (status, seen) = once(&rig, &tunnel, get("/")).await;
    assert_eq!(status, 200);
    assert!(seen.contains("\nhost: intranet.example:8443\n"), "{seen}");
    assert!(seen.contains("\nx-forwarded-host: tunnel.example\n"), "{seen}");
}

#[tokio::test]
async fn http2_visitors_share_a_connection() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    let stream = tls(&tunnel, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    rig.tasks.spawn("test-visitor", async move {
        let _ = connection.await;
    });
    let ask = async |mut sender: http2::SendRequest<Full<Bytes>>, number: usize| {
        let request = Request::builder()
            .uri(format!("https://tunnel.example/{number}"))
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let response = sender.send_request(empty(request)).await.expect("an answer");
        text(response).await
    };
    let (one, two, three) = tokio::join!(
        ask(sender.clone(), 1),
        ask(sender.clone(), 2),
        ask(sender.clone(), 3)
    );
    for (number, seen) in [one, two, three].into_iter().enumerate() {
        assert!(
            seen.starts_with(&format!(
                "GET /{}\ncookie: a=1; b=2\nhost: tunnel.example\n",
                number + 1
            )),
            "{seen}"
        );
    }
    assert_eq!(tunnel.active(), 1);
}

#[tokio::test]
async fn a_hundred_megabytes_come_through_whole() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    let mut visitor = visit(&rig, &tunnel).await;
    let response = visitor.send_request(empty(get("/big"))).await.expect("an answer");
    let mut body = response.into_body();
    let mut place = 0;
    let reading = async {
        while let Some(frame) = body.frame().await {
            for byte in frame.expect("no break").data_ref().into_iter().flatten() {
                assert_eq!(*byte, byte_at(place), "at {place}");
                place += 1;
            }
        }
    };
    timeout(PATIENCE * 6, reading).await.expect("arrives");
    assert_eq!(place, BIG);
    let upload = Request::post("/count")
        .header(header::HOST, "h")
        .body(Full::from(vec![7; 5_000_000]))
        .expect("a request");
    let response = soon("an answer", visitor.send_request(upload))
        .await
        .expect("an answer");
    assert_eq!(text(response).await, "5000000");
}

#[tokio::test]
async fn upgrades_carry_bytes_both_ways_and_count_as_visitors() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    let mut visitor = visit(&rig, &tunnel).await;
    let request = get("/ws")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "echo");
    let response = visitor.send_request(empty(request)).await.expect("an answer");
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "echo");
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.expect("upgraded"));
    let mut back = [0; 5];
    stream.write_all(b"hello").await.expect("sends");
    soon("the echo", stream.read_exact(&mut back))
        .await
        .expect("receives");
    assert_eq!(&back, b"hello");
    assert_eq!(tunnel.active(), 1);
    let ended = tunnel.ended();
    tunnel.close(true).expect("forced");
    assert_eq!(soon("end", ended).await, EndReason::Closed);
    assert!(matches!(
        soon("cut", stream.read(&mut back)).await,
        Ok(0) | Err(_)
    ));
}

#[tokio::test]
async fn the_acl_looks_at_the_real_peer() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |tunnel, _| tunnel.acl = acl("198.51.100.1")).await;
    let lie = || get("/").header("x-forwarded-for", "198.51.100.1");
    let (status, page) = once(&rig, &tunnel, lie()).await;
    assert_eq!(status, 403);
    assert!(
        page.contains("[403] Rport tunnel proxy: Access rejected by ACL"),
        "{page}"
    );
    assert_eq!((tunnel.stats().denied, rig.agent.opened()), (1, 0));

    let tunnel = proxied(&rig, |tunnel, proxy| {
        tunnel.acl = acl("198.51.100.1");
        proxy.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    assert_eq!(once(&rig, &tunnel, lie()).await.0, 200);
    assert_eq!(once(&rig, &tunnel, get("/")).await.0, 403);
}

#[tokio::test]
async fn the_login_is_asked_for_kept_and_throttled() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, proxy| {
        proxy.login = Some(ProxyLogin {
            user: "visitor".into(),
            password: "geheim".into(),
        });
    })
    .await;
    let mut visitor = visit(&rig, &tunnel).await;
    let response = visitor.send_request(empty(get("/"))).await.expect("an answer");
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
    text(response).await;
    // "visitor:geheim" and "visitor:falsch".
    let (right, wrong) = ("Basic dmlzaXRvcjpnZWhlaW0=", "Basic dmlzaXRvcjpmYWxzY2g=");
    let (status, seen) = once(&rig, &tunnel, get("/").header("authorization", right)).await;
    assert_eq!(status, 200);
    assert!(!seen.contains("authorization"), "{seen}");
    for _ in 0..5 {
        let (status, _) = once(&rig, &tunnel, get("/").header("authorization", wrong)).await;
        assert_eq!(status, 401);
    }
    let (status, _) = once(&rig, &tunnel, get("/").header("authorization", right)).await;
    assert_eq!(status, 429);
    assert_eq!(rig.agent.opened(), 1, "guesses do not reach the service");
}

#[tokio::test]
async fn a_service_that_is_away_has_a_page() {
    let rig = Rig::new(Does::Refuse).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    for does in [Does::Refuse, Does::Close] {
        rig.agent.now_does(does);
        let (status, page) = once(&rig, &tunnel, get("/")).await;
        assert_eq!(status, 502, "{does:?}");
        assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    }
    rig.agent.now_does(Does::Web);
    assert_eq!(once(&rig, &tunnel, get("/")).await.0, 200);
}

#[tokio::test]
async fn other_origins_are_allowed_as_configured() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, proxy| {
        proxy.cors = vec!["https://app.example".into()];
        proxy.login = Some(ProxyLogin {
            user: "u".into(),
            password: "p".into(),
        });
    })
    .await;
    let mut visitor = visit(&rig, &tunnel).await;
    let preflight = get("/")
        .method("OPTIONS")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PUT");
    let response = visitor.send_request(empty(preflight)).await.expect("an answer");
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()["access-control-allow-methods"], "PUT");
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://app.example"
    );
    text(response).await;
    let other = get("/").header("origin", "https://evil.example");
    let response = visitor.send_request(empty(other)).await.expect("an answer");
    assert_eq!(response.status(), 401);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn nonsense_instead_of_tls_costs_one_connection() {
    let rig = Rig::new(Does::Web).await;
    let tunnel = proxied(&rig, |_, _| {}).await;
    let mut visitor = TcpStream::connect(local(&tunnel)).await.expect("listens");
    visitor
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    let mut answer = Vec::new();
    let _ = soon("the end", visitor.read_to_end(&mut answer)).await;
    eventually("it is gone", || tunnel.active() == 0).await;
    assert_eq!(once(&rig, &tunnel, get("/")).await.0, 200);
}
