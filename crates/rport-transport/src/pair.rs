//! Two joined ends in memory, for tests of everything that needs a link.

use std::sync::Arc;

use rport_runtime::{Secret, Tasks};

use crate::handshake::{AgentCredentials, Authenticator, HandshakeError, Link, LinkOptions, accept, connect};
use crate::host_key::HostKey;
use crate::io::WsStream;

/// Size of the pipe between the two ends.
const PIPE: usize = 256 * 1024;

struct AnyPassword;

impl Authenticator for AnyPassword {
    async fn verify(&self, _user: &str, _password: &[u8]) -> bool {
        true
    }
}

/// Makes a link whose ends are `(agent, server)`, over an in-memory pipe and through the real handshake.
///
/// The agent logs in as `user`; any password is right.
///
/// # Errors
/// See [`HandshakeError`]; with working random numbers there are none.
pub async fn pair(user: &str, options: &LinkOptions, tasks: &Tasks) -> Result<(Link, Link), HandshakeError> {
    let (a, b) = tokio::io::duplex(PIPE);
    let host_key = Arc::new(HostKey::from_seed("pair").map_err(|_| HandshakeError::Internal("no host key"))?);
    let credentials = AgentCredentials {
        user: user.to_owned(),
        password: Secret::new("any"),
    };
    let agent = connect(
        WsStream::client(a, Vec::new()),
        &credentials,
        None,
        options,
        tasks,
    );
    let server = accept(
        WsStream::server(b, Vec::new()),
        &host_key,
        &AnyPassword,
        options,
        tasks,
    );
    tokio::try_join!(agent, server)
}
