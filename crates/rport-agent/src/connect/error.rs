//! Why an attempt did not end in an accepted connection.

use std::time::Duration;

use rport_protocol::PayloadError;
use rport_transport::{DialError, HandshakeError};

use crate::identity::IdentityError;

/// A failed attempt. The texts go to the log, where installers look for some of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The configured interface has no address to connect from.
    #[error("network interface {0:?} has no usable address; check 'bind_interface'")]
    Interface(String),
    /// No WebSocket came about.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The SSH handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server keeps silent about our request.
    #[error("the server did not answer the connection request within {} s", .0.as_secs())]
    Unanswered(Duration),
    /// There is no client id.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Another connection holds our client id.
    #[error("client id {id} is already in use, or its previous session was not properly closed: {text}")]
    AlreadyConnected {
        /// Our id.
        id: String,
        /// The server's words.
        text: String,
    },
    /// The server does not want us.
    #[error("the server refused the connection: {0}")]
    Refused(String),
    /// The server's answer makes no sense.
    #[error("can't decode reply payload: {0}")]
    Reply(PayloadError),
    /// The link broke before the server answered.
    #[error("the connection broke before the server accepted it: {0}")]
    Broken(String),
}

/// Makes foreign text fit for a log line.
pub(super) fn foreign(bytes: &[u8]) -> String {
    const MAX_CHARS: usize = 300;
    String::from_utf8_lossy(bytes)
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn foreign_text_stays_on_its_line_and_short() {
        assert_eq!(foreign(b"no\nentry \x1b[31m\xff"), "no entry  [31m\u{fffd}");
        assert_eq!(foreign(&[b'x'; 10_000]).len(), 300);
    }
}
