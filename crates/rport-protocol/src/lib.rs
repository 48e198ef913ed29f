//! What crosses the wire between an agent and a server, as types and bytes.
//!
//! ```text
//! handshake  HTTP upgrade with sub-protocol "rport-v1", SSH id lines            version, server_url
//! channels   server → agent "rport": one TCP stream, or one UDP tunnel          channel
//! rules      the remote grammar                                                 remote
//! ```
//!
//! This crate does no I/O, reads no clock and starts no task. Every decoder takes foreign bytes: it bounds what it
//! keeps and reports an error instead of panicking. Facts come from recordings of Go peers; the recordings lie in
//! `src/golden/` and every one of them is a test.

pub mod channel;
mod handshake;
mod host_port;
mod job;
pub mod json;
mod remote;
pub mod request;
mod server_url;
pub mod to_client;
pub mod to_server;
mod tunnel_allowed;
mod url_reference;
pub mod version;

pub use channel::{ChannelTarget, ChannelTargetError};
pub use handshake::{
    CardConfiguration, ClientConfiguration, ClientSection, CommandOrder, ConnectionSection,
    EncodingConfiguration, FileReceptionSection, GoFile, GoUrl, GoUserinfo, LogFile, LoggingSection,
    MonitoringSection, RegexpList, RemoteCommandsSection, RemoteScriptsSection,
};
pub use host_port::{HostPortError, join_host_port, split_host_port};
pub use job::{Job, JobResult};
pub use json::{GoTime, PayloadError};
pub use remote::{Protocol, Remote, RemoteError, UnsupportedProtocol};
pub use request::{Request, texts};
pub use server_url::{ServerUrl, ServerUrlError, normalize as normalize_server_url};
pub use tunnel_allowed::{TunnelAllowed, TunnelAllowedError};
