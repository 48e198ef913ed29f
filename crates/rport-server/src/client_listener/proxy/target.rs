//! The web server behind the agents' listener.

use std::sync::Arc;

use http::Uri;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Problem;
use crate::error::StartError;

/// A byte stream of whatever kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where requests go, and how to get there.
pub(super) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    pub(super) fn new(uri: Uri) -> Result<Self, StartError> {
        const FORM: StartError = StartError::Unsupported(
            "'proxy' in [server] must be a URL of the form http(s)://host[:port][/path]",
        );
        let host = uri.host().ok_or(FORM)?.trim_matches(['[', ']']).to_owned();
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(FORM),
        };
        let tls = secure.then(|| Some((connector(), ServerName::try_from(host.clone()).ok()?)));
        let tls = tls.map(|tls| tls.ok_or(FORM)).transpose()?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { uri, host, port, tls })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or(self.host.as_str(), |authority| authority.as_str())
    }

    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Problem> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(socket)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), socket).await?)),
        }
    }
}

/// Trusts the authorities the machine trusts.
fn connector() -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "a certificate of the system's authorities cannot be read");
    }
    roots.add_parsable_certificates(loaded.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_urls_with_a_host() {
        let target = |text: &str| Target::new(text.parse().expect("a URI"));
        let plain = target("http://web:8000/base").expect("valid");
        assert_eq!(
            (plain.host.as_str(), plain.port, plain.authority()),
            ("web", 8000, "web:8000")
        );
        let secure = target("https://[::1]/").expect("valid");
        assert_eq!(
            (secure.host.as_str(), secure.port, secure.tls.is_some()),
            ("::1", 443, true)
        );
        for bad in ["/path", "web:80", "ftp://web/"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
