//! Looking whether a name is the client's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, rustls};

use crate::tls;

const LIMIT: Duration = Duration::from_secs(5);
const ALPN: &[u8] = b"acme-tls/1";
/// The extension `id-pe-acmeIdentifier` (RFC 8737, section 3), critical, with a digest of 32 bytes inside.
const EXTENSION: [u8; 17] = [
    0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f, 0x01, 0x01, 0xff, 0x04, 0x22, 0x04, 0x20,
];

/// Fetches the proof over HTTP (RFC 8555, section 8.3).
pub(super) async fn http(at: SocketAddr, name: &str, token: &str, expected: &str) -> Result<(), String> {
    let client = tls::client_builder(&[])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LIMIT)
        .build()
        .map_err(|error| error.to_string())?;
    let url = format!("http://{at}/.well-known/acme-challenge/{token}");
    let answer = client.get(url).header("host", name).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if status != 200 || text.trim_end() != expected {
        return Err(format!("answer {status} is not the key authorization"));
    }
    Ok(())
}

/// Takes the proof out of a TLS handshake (RFC 8737, section 3).
pub(super) async fn tls(at: SocketAddr, name: &str, expected: &str) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let server_name = ServerName::try_from(name.to_owned()).map_err(|error| text(&error))?;
    let handshake = async {
        let socket = TcpStream::connect(at).await?;
        TlsConnector::from(Arc::new(config))
            .connect(server_name, socket)
            .await
    };
    let stream = tokio::time::timeout(LIMIT, handshake)
        .await
        .map_err(|error| text(&error))?;
    let stream = stream.map_err(|error| text(&error))?;
    let connection = stream.get_ref().1;
    if connection.alpn_protocol() != Some(ALPN) {
        return Err("the protocol acme-tls/1 was not chosen".to_owned());
    }
    let certificates = connection.peer_certificates().unwrap_or_default();
    let [certificate] = certificates else {
        return Err("exactly one certificate is expected".to_owned());
    };
    let digest = digest::digest(&digest::SHA256, expected.as_bytes());
    let wanted = [&EXTENSION[..], digest.as_ref()].concat();
    let holds = |bytes: &[u8]| certificate.windows(bytes.len()).any(|window| window == bytes);
    if !holds(&wanted) || !holds(name.as_bytes()) {
        return Err("the certificate does not hold the proof".to_owned());
    }
    Ok(())
}

/// The certificate of a validation is self-signed; what counts is inside it.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        tls::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
