//! Why the server could not be reached.

use std::io;
use std::time::Duration;

/// The server could not be reached or would not upgrade. The texts go to the agent's log.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing within the time allowed.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// A host name has no address.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// TCP failed for every address of the host.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// `host:port`.
        to: String,
        /// The last address's failure.
        source: io::Error,
    },
    /// The proxy would not connect us.
    #[error("proxy: {0}")]
    Proxy(String),
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The connection broke during the upgrade.
    #[error("connection lost during the upgrade: {0}")]
    Io(#[from] io::Error),
    /// The server, or a proxy in front of it, answered but did not upgrade.
    ///
    /// The words "websocket: bad handshake" are what installers of the Go agent look for in the log.
    #[error("websocket: bad handshake: {0}")]
    Upgrade(String),
    /// The configured headers cannot be sent.
    #[error("header {0:?} cannot be set, it belongs to the WebSocket upgrade")]
    ForbiddenHeader(String),
}
