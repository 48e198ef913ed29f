//! TLS on the API port.

use std::path::PathBuf;
use std::sync::Arc;

use rport_http::tls::{TlsError, TlsMin, server_config};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rig::Rig;

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

async fn get(
    rig: &Rig,
    pair: &Pair,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(String, rustls::ProtocolVersion)> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.der.clone()).expect("root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = TcpStream::connect(rig.api).await?;
    let name = ServerName::try_from("localhost").expect("name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
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
    let tls = server_config(&pair.cert, &pair.key, TlsMin::default()).expect("usable");
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
    let tls = server_config(&pair.cert, &pair.key, TlsMin::V1_2).expect("usable");
    let rig = Rig::with(|_, api| api.tls = Some(tls)).await;
    let (_, version) = get(&rig, &pair, &[&rustls::version::TLS12])
        .await
        .expect("TLS 1.2");
    assert_eq!(version, rustls::ProtocolVersion::TLSv1_2);
}

#[test]
fn unusable_files_are_named() {
    let (first, second) = (pair(), pair());
    let missing = first.cert.with_file_name("missing.pem");
    let error = server_config(&missing, &first.key, TlsMin::V1_3).expect_err("missing");
    assert!(error.to_string().contains("missing.pem"), "{error}");
    let error = server_config(&first.key, &first.key, TlsMin::V1_3).expect_err("no certificate");
    assert!(matches!(error, TlsError::NoCertificate(_)), "{error}");
    let error = server_config(&first.cert, &second.key, TlsMin::V1_3).expect_err("mismatch");
    assert!(error.to_string().contains("key.pem"), "{error}");
}
