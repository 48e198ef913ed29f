//! The REST API of the server: authentication of callers, routes, the OpenAPI document, the metrics page and the files
//! of a UI, all on one port.
//!
//! Data flows one way: a request is logged, checked for a ban, authenticated to an actor ([`ctx`]), handed to exactly
//! one service method of `rport-server` and wrapped in the envelope ([`answer`]). Decisions are made in the services;
//! nothing here knows the store or the wire to the agents.
//!
//! Start reading at `router.rs`. A new resource is a file in `routes/`, its line in `router.rs` and its row in
//! `tests/it/access.rs`. What is odd because the original is odd stands in [`compat`].

mod answer;
mod body;
mod compat;
mod ctx;
mod error;
mod go_json;
mod job_order;
mod layers;
mod list_query;
mod metrics_names;
mod options;
mod pace;
mod router;
mod routes;
mod serve;
mod state;
mod static_files;
mod ui;
mod ws;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rport_runtime::net::listen_tcp;
use rport_runtime::{Clock, Tasks};
use rport_server::Server;
use tokio::net::TcpListener;

pub use metrics_names::describe_metrics;
pub use options::ApiOptions;
pub use router::openapi_json;

use crate::layers::access_log::AccessLog;
use crate::layers::request_log::Logs;
use crate::serve::Acceptor;
use crate::state::ApiState;

/// The header block may be this much longer than the body, as in the original.
const HEADER_EXTRA: usize = 4096;

/// A running API port.
#[derive(Debug)]
pub struct Api {
    local_addr: SocketAddr,
    access_log: Option<AccessLog>,
}

/// Why the API did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for the API: {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server was started without users, so nobody could log in.
    #[error("the API needs users: set one of api.auth, api.auth_file and api.auth_user_table")]
    NoUsers,
    /// The access log cannot be written.
    #[error("cannot open the access log {}: {source}", path.display())]
    AccessLog {
        /// The configured file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Api {
    /// Starts listening. The port serves until the soft stop of `tasks`; requests under way may finish until the hard
    /// stop.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        options: ApiOptions,
        server: Server,
        clock: Clock,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let login = server.login().cloned().ok_or(StartError::NoUsers)?;
        let address = options.address;
        let failed = |source| StartError::Listen { address, source };
        let listener = listen_tcp(address)
            .and_then(TcpListener::from_std)
            .map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let access = match &options.access_log_file {
            None => None,
            Some(path) => {
                let opened = AccessLog::open(path, clock, tasks).await;
                Some(opened.map_err(|source| StartError::AccessLog {
                    path: path.clone(),
                    source,
                })?)
            }
        };
        let options = Arc::new(options);
        let access_log = access.clone();
        let acceptor = Acceptor {
            listener,
            tls: options.tls.clone(),
            max_header_bytes: options.max_request_bytes.saturating_add(HEADER_EXTRA),
            max_connections: options.max_connections,
            router: router::build(
                ApiState::new(server, login, options, tasks.clone()),
                Logs { access },
                tasks,
            ),
            tasks: tasks.clone(),
        };
        tasks.spawn("api", acceptor.run());
        tracing::info!(address = %local_addr, "the API listens");
        Ok(Self {
            local_addr,
            access_log,
        })
    }

    /// Opens the access log anew, after somebody moved the file away.
    pub fn reopen_access_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// The address the API listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}
