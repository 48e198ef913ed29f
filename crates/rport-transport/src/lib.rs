//! A link between agent and server: WebSocket outside, SSH inside, requests and channels inside that.
//!
//! Start reading at [`connect`] and [`accept`], which make a [`Link`] of a [`WsStream`]. A [`Connection`] asks the
//! peer and opens channels; [`Incoming`] is what the peer asks; [`pipe()`] joins a channel with a socket.
//!
//! The wire is that of the Go programs (`rport-v1`), byte for byte where they look. Between our own programs, which
//! recognise each other in the key exchange, packets are larger, windows follow the path and half-closed streams
//! stay open. This crate knows nothing of jobs, users or client records.

mod channel;
mod connection;
mod dial;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod host_key;
mod io;
mod pair;
mod pipe;
mod ssh;
pub mod ws;

pub use channel::Channel;
pub use connection::{
    CallError, CloseReason, Connection, Event, Incoming, IncomingChannel, IncomingRequest, LinkStats,
    OpenError, Reply,
};
pub use dial::{BadProxy, DialError, DialOptions, ProxyUrl, dial};
pub use handshake::{
    AgentCredentials, Authenticator, HandshakeError, Link, LinkOptions, PeerInfo, accept, connect,
};
pub use host_key::{BadPin, Fingerprint, FingerprintPin, HostKey, HostKeyError};
pub use io::{WsStream, tune_socket};
pub use pair::pair;
pub use pipe::{PipeStats, pipe};

#[cfg(test)]
mod tests;
