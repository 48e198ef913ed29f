//! TLS towards the server, with the system's certificate authorities.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::DialError;

pub(super) async fn connect(
    socket: TcpStream,
    host: &str,
    config: Option<Arc<ClientConfig>>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let config = match config {
        Some(config) => config,
        None => system_config()?,
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| DialError::Tls(format!("{host:?} is not a name that a certificate can have")))?;
    TlsConnector::from(config)
        .connect(name, socket)
        .await
        .map_err(|e| DialError::Tls(e.to_string()))
}

/// TLS 1.2 or newer with the roots of the system, loaded once.
fn system_config() -> Result<Arc<ClientConfig>, DialError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(DialError::Tls(
            "the system has no certificate authorities; install its package of CA certificates".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| DialError::Tls(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}
