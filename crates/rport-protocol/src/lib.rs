//! What crosses the wire between an agent and a server, as types and bytes.
//!
//! ```text
//! handshake  HTTP upgrade with sub-protocol "rport-v1", SSH id lines            version, server_url
//!            first request new_connection, its reply: the remotes as started    to_server, handshake, remote
//! requests   JSON payloads in SSH global requests, both ways                    request, to_client, to_server, json
//! channels   server → agent "rport": one TCP stream, or one UDP tunnel          channel, udp
//!            agent → server "session" (SFTP), "stdout", "stderr", "cmd_result"  channel
//! rules      the remote grammar, the agent's list of allowed targets            remote, tunnel_allowed
//! ```
//!
//! This crate does no I/O, reads no clock and starts no task. Every decoder takes foreign bytes: it bounds what it
//! keeps and reports an error instead of panicking. Facts come from recordings of Go peers; the recordings lie in
//! `src/golden/` and every one of them is a test. "Wire notes" in comments are the notes about the Go programs this
//! product replaces.
//!
//! Start reading at [`request::Request`], then [`to_server::NewConnection`] and [`Remote`].

pub mod channel;
#[cfg(test)]
mod golden_messages;
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
pub mod udp;
mod url_reference;
pub mod version;

pub use channel::{ChannelTarget, ChannelTargetError, ResultVerdict};
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
