//! What the API needs to know before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

/// Options of the API port.
#[derive(Clone)]
pub struct ApiOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, from `rport_tls::Certificates::server_config`; `None` speaks plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Longest request body in bytes. The header block may be 4096 bytes longer.
    pub max_request_bytes: usize,
    /// Origins whose pages may call the API; `*` is every origin. Empty sends no CORS headers.
    pub cors: Vec<String>,
    /// Directory served for paths that are no API, such as a UI.
    pub doc_root: Option<PathBuf>,
    /// File for one line per request in Apache's combined format.
    pub access_log_file: Option<PathBuf>,
    /// Source of the page `/metrics`; `None` has no such page. It needs no login: enable it where the port is not
    /// public, or keep the path to yourself in the reverse proxy.
    pub metrics: Option<PrometheusHandle>,
    /// Connections served at the same time; further ones wait in the backlog.
    pub max_connections: usize,
    /// What `/auth/provider` reports as the longest token life, in hours. Enforced by the server's login options.
    pub max_token_lifetime_hours: u64,
}

impl ApiOptions {
    /// The defaults of the original, listening on `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            max_request_bytes: 10_240,
            cors: Vec::new(),
            doc_root: None,
            access_log_file: None,
            metrics: None,
            max_connections: 4096,
            max_token_lifetime_hours: 0,
        }
    }
}

impl std::fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiOptions")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .field("max_request_bytes", &self.max_request_bytes)
            .field("cors", &self.cors)
            .field("doc_root", &self.doc_root)
            .field("access_log_file", &self.access_log_file)
            .field("metrics", &self.metrics.is_some())
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
