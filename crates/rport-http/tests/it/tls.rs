//! TLS on the API port.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rport_tls::{Certificates, TlsMin};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rig::{PATIENCE, Rig};

struct Pair {
    _dir: TempDir,
    cert: PathBuf,
    key: PathBuf,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let dir = tempfile::tempdir().expect("directory");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("file");
    Pair {
        cert,
        key,
        der: made.cert.der().clone(),
        _dir: dir,
    }
}

fn server_config(pair: &Pair, min: TlsMin) -> Arc<rustls::ServerConfig> {
    let certificates = Certificates::from_files(&pair.cert, &pair.key).expect("usable");
    certificates.server_config(min)
}

async fn connect(
    rig: &Rig,
    pair: &Pair,
    versions: &[&'static SupportedProtocolVersion],
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.der.clone()).expect("root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let socket = TcpStream::connect(rig.api).await?;
    let name = ServerName::try_from("localhost").expect("name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn get(
    rig: &Rig,
    pair: &Pair,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(String, rustls::ProtocolVersion)> {
    let mut stream = connect(rig, pair, versions, b"http/1.1").await?;
    let request = b"GET /api/v1/auth/provider HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let version = stream
        .get_ref()
        .1
        .protocol_version()
        .expect("handshake is complete");
    Ok((answer, version))
}

#[tokio::test]
async fn tls_1_3_is_the_default_minimum() {
    let pair = pair();
    let tls = server_config(&pair, TlsMin::default());
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    let (answer, version) = get(&rig, &pair, rustls::ALL_VERSIONS).await.expect("TLS 1.3");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(version, rustls::ProtocolVersion::TLSv1_3);
    get(&rig, &pair, &[&rustls::version::TLS12])
        .await
        .expect_err("TLS 1.2 is too old");
}

#[tokio::test]
async fn tls_1_2_is_spoken_on_demand() {
    let pair = pair();
    let tls = server_config(&pair, TlsMin::V1_2);
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    let (_, version) = get(&rig, &pair, &[&rustls::version::TLS12])
        .await
        .expect("TLS 1.2");
    assert_eq!(version, rustls::ProtocolVersion::TLSv1_2);
}

#[tokio::test]
async fn http_2_is_offered() {
    let pair = pair();
    let tls = server_config(&pair, TlsMin::default());
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    let stream = connect(&rig, &pair, rustls::ALL_VERSIONS, b"h2")
        .await
        .expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    let driver = rig.tasks().spawn("test-http2", connection);
    for _ in 0..3 {
        let request = http::Request::get("https://localhost/api/v1/auth/provider").body(Body::empty());
        let response = sender
            .send_request(request.expect("request"))
            .await
            .expect("answer");
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, http::Version::HTTP_2)
        );
    }
    // The limits of HTTP/1 hold here too: long bodies and long header blocks are refused.
    let long = vec![b' '; 20_000];
    let request =
        http::Request::post("https://localhost/api/v1/login").header("content-type", "application/json");
    let request = request.body(Body::from(long)).expect("request");
    let response = sender.send_request(request).await.expect("answer");
    assert_eq!(response.status(), 400);
    let request =
        http::Request::get("https://localhost/api/v1/auth/provider").header("x-long", "x".repeat(20_000));
    match sender
        .send_request(request.body(Body::empty()).expect("request"))
        .await
    {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => panic!("a refusal, not a broken connection: {error}"),
    }
    drop(sender);
    let ended = tokio::time::timeout(PATIENCE, driver)
        .await
        .expect("the connection ends");
    ended.expect("no panic").expect("in order");
}

#[tokio::test]
async fn silence_after_the_tls_handshake_ends_the_connection() {
    let pair = pair();
    let tls = server_config(&pair, TlsMin::default());
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let mut stream = connect(&rig, &pair, rustls::ALL_VERSIONS, protocol)
            .await
            .expect("TLS");
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("the server closes");
    }
}

#[tokio::test]
async fn a_replaced_certificate_is_served_to_the_next_connection() {
    let (old, new) = (pair(), pair());
    let certificates = Certificates::from_files(&old.cert, &old.key).expect("usable");
    let tls = certificates.server_config(TlsMin::default());
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    let mut kept = connect(&rig, &old, rustls::ALL_VERSIONS, b"http/1.1")
        .await
        .expect("TLS");
    std::fs::copy(&new.cert, &old.cert).expect("copied");
    std::fs::copy(&new.key, &old.key).expect("copied");
    certificates.reload();
    connect(&rig, &new, rustls::ALL_VERSIONS, b"http/1.1")
        .await
        .expect("the new certificate");
    let request = b"GET /api/v1/auth/provider HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    kept.write_all(request).await.expect("the old connection lives");
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
