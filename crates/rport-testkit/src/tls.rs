//! A small HTTPS server for doubles of services in the world.

use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::KeyPair;
use rport_runtime::Tasks;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};

/// The one provider of the workspace.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// An HTTP client's builder that trusts these authorities, PEM each, and no proxy of the environment.
///
/// # Panics
/// When a text is no certificate.
pub fn client_builder(authorities: &[&str]) -> reqwest::ClientBuilder {
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        roots.add(certificate).expect("a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .no_proxy()
        .use_preconfigured_tls(config)
}

/// TLS with this certificate.
///
/// # Panics
/// When certificate and key do not fit.
pub fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("certificate and key belong together");
    Arc::new(config)
}

/// Serves a router over TLS until the tasks end.
pub fn serve(listener: TcpListener, config: Arc<ServerConfig>, router: Router, tasks: &Tasks) {
    let acceptor = TlsAcceptor::from(config);
    let connections = tasks.clone();
    tasks.spawn("double", async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            connections.spawn("double-connection", async move {
                // A peer that breaks off is no concern of a double.
                let Ok(stream) = acceptor.accept(socket).await else {
                    return;
                };
                let service = TowerToHyperService::new(router);
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}
