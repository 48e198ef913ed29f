//! Dialling against hand-written servers and proxies on loopback.

use std::sync::Arc;

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::ws::accept_key;

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    (listener, port)
}

fn url(text: String) -> ServerUrl {
    text.parse().expect("url")
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.expect("request"));
    }
    String::from_utf8(bytes).expect("text")
}

/// Plays a server that upgrades like a Go server, without naming the subprotocol, and speaks at once.
async fn upgrade_like_go(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let request = head(stream).await;
    let key = request
        .lines()
        .find_map(|l| l.strip_prefix("Sec-WebSocket-Key: "))
        .expect("key");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n\x02\x01!",
        accept_key(key)
    );
    stream.write_all(answer.as_bytes()).await.expect("answer");
}

#[tokio::test]
async fn the_answer_needs_no_subprotocol_and_may_bring_data() {
    let (server, port) = listener().await;
    let serve = async {
        let (mut socket, _) = server.accept().await.expect("accept");
        upgrade_like_go(&mut socket).await;
    };
    let options = DialOptions::default();
    let target = url(format!("http://127.0.0.1:{port}"));
    let (ws, ()) = tokio::join!(dial(&target, &options), serve);
    let ws = ws.expect("upgraded");
    // The first frame may come with the answer or after it; both are kept.
    assert!(ws.leftover.is_empty() || ws.leftover == b"\x02\x01!");
}

#[tokio::test]
async fn refusals_name_their_reason() {
    for (answer, want) in [
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "websocket: bad handshake: the server answered 404 Not Found",
        ),
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "not one to our request",
        ),
        ("SSH-2.0-OpenSSH\r\n", "not HTTP"),
        ("", "closed before an answer"),
    ] {
        let (server, port) = listener().await;
        let serve = async {
            let (mut socket, _) = server.accept().await.expect("accept");
            head(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.expect("answer");
        };
        let target = url(format!("ws://127.0.0.1:{port}"));
        let options = DialOptions::default();
        let (ws, ()) = tokio::join!(dial(&target, &options), serve);
        let error = ws.expect_err("refused").to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (_server, port) = listener().await;
    let options = DialOptions {
        timeout: Duration::from_millis(50),
        ..DialOptions::default()
    };
    let error = dial(&url(format!("127.0.0.1:{port}")), &options)
        .await
        .expect_err("silent");
    assert!(matches!(error, DialError::Timeout(_)));
}

#[tokio::test]
async fn http_proxies_connect_us() {
    let (server, port) = listener().await;
    let (proxy, proxy_port) = listener().await;
    let serve = async {
        let (mut socket, _) = server.accept().await.expect("accept");
        upgrade_like_go(&mut socket).await;
    };
    let relay = async {
        let (mut from_agent, _) = proxy.accept().await.expect("accept");
        let request = head(&mut from_agent).await;
        assert!(
            request.starts_with(&format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")),
            "{request}"
        );
        assert!(
            request.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"),
            "{request}"
        );
        let mut to_server = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
        from_agent
            .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
            .await
            .expect("answer");
        tokio::io::copy_bidirectional(&mut from_agent, &mut to_server)
            .await
            .ok();
    };
    let options = DialOptions {
        proxy: Some(
            format!("http://user:pass@127.0.0.1:{proxy_port}")
                .parse()
                .expect("proxy"),
        ),
        ..DialOptions::default()
    };
    let target = url(format!("127.0.0.1:{port}"));
    let dialling = async { dial(&target, &options).await.map(drop) };
    let (ws, (), ()) = tokio::join!(dialling, serve, relay);
    ws.expect("upgraded through the proxy");
}

#[tokio::test]
async fn socks_proxies_resolve_names_for_us() {
    let (server, port) = listener().await;
    let (proxy, proxy_port) = listener().await;
    let serve = async {
        let (mut socket, _) = server.accept().await.expect("accept");
        upgrade_like_go(&mut socket).await;
    };
    let relay = async {
        let (mut from_agent, _) = proxy.accept().await.expect("accept");
        let mut greeting = [0; 3];
        from_agent.read_exact(&mut greeting).await.expect("greeting");
        assert_eq!(greeting, [5, 1, 0]);
        from_agent.write_all(&[5, 0]).await.expect("method");
        let mut request = vec![0; 7 + "rport.test".len()];
        from_agent.read_exact(&mut request).await.expect("request");
        assert_eq!(&request[..5], [5, 1, 0, 3, 10]);
        assert_eq!(&request[5..15], b"rport.test");
        from_agent
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .expect("answer");
        let mut to_server = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
        tokio::io::copy_bidirectional(&mut from_agent, &mut to_server)
            .await
            .ok();
    };
    let options = DialOptions {
        proxy: Some(
            format!("socks5h://127.0.0.1:{proxy_port}")
                .parse()
                .expect("proxy"),
        ),
        ..DialOptions::default()
    };
    let target = url(format!("rport.test:{port}"));
    let dialling = async { dial(&target, &options).await.map(drop) };
    let (ws, (), ()) = tokio::join!(dialling, serve, relay);
    ws.expect("upgraded through the proxy");
}

#[tokio::test]
async fn wss_checks_the_certificate() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let cert = key.cert.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server_config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der())),
        )
        .expect("config");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server_config));
    let (server, port) = listener().await;
    let target = url(format!("wss://localhost:{port}"));

    // The system does not know the certificate.
    let refuse = async {
        let (socket, _) = server.accept().await.expect("accept");
        acceptor.accept(socket).await.err()
    };
    let options = DialOptions::default();
    let (ws, _) = tokio::join!(dial(&target, &options), refuse);
    assert!(matches!(ws, Err(DialError::Tls(_))), "{ws:?}");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert).expect("root");
    let client_config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let options = DialOptions {
        tls: Some(Arc::new(client_config)),
        ..DialOptions::default()
    };
    let serve = async {
        let (socket, _) = server.accept().await.expect("accept");
        let mut stream = acceptor.accept(socket).await.expect("tls");
        upgrade_like_go(&mut stream).await;
        stream
    };
    let (ws, _stream) = tokio::join!(dial(&target, &options), serve);
    ws.expect("upgraded over TLS");
}
