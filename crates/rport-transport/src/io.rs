//! The byte stream under a link, cut into a reading and a writing half.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::ws::Side;

pub(crate) type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// A WebSocket after its upgrade: ready for the SSH handshake.
pub struct WsStream {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) leftover: Vec<u8>,
    pub(crate) side: Side,
}

impl WsStream {
    /// The server's end of a WebSocket over plain TCP; `leftover` are bytes that came with the upgrade request.
    ///
    /// Switches Nagle's algorithm off and bounds unsent data, see [`tune_socket`].
    pub fn server_tcp(socket: TcpStream, leftover: Vec<u8>) -> Self {
        Self::tcp(socket, leftover, Side::Server)
    }

    /// The client's end over plain TCP; `leftover` are bytes that came with the upgrade answer.
    pub fn client_tcp(socket: TcpStream, leftover: Vec<u8>) -> Self {
        Self::tcp(socket, leftover, Side::Client)
    }

    /// The server's end over any stream (TLS, a test's pipe).
    pub fn server(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, leftover: Vec<u8>) -> Self {
        Self::any(io, leftover, Side::Server)
    }

    /// The client's end over any stream.
    pub fn client(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, leftover: Vec<u8>) -> Self {
        Self::any(io, leftover, Side::Client)
    }

    fn tcp(socket: TcpStream, leftover: Vec<u8>, side: Side) -> Self {
        tune_socket(&socket);
        let (read, write) = socket.into_split();
        Self {
            read: Box::new(read),
            write: Box::new(write),
            leftover,
            side,
        }
    }

    fn any(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, leftover: Vec<u8>, side: Side) -> Self {
        let (read, write) = tokio::io::split(io);
        Self {
            read: Box::new(read),
            write: Box::new(write),
            leftover,
            side,
        }
    }
}

impl std::fmt::Debug for WsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WsStream")
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// Unsent bytes the kernel may hold for a link: enough to keep a fast path busy, little enough that a keystroke does
/// not wait behind a bulk transfer.
const NOTSENT_LOWAT: u32 = 256 * 1024;
/// A link whose peer acknowledges nothing for this long is dead.
const USER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(15);

/// Sets the options of a link's TCP socket: no delay, keep-alive, a bound on unacknowledged and on unsent data.
///
/// Best effort: a platform that lacks an option goes without it.
pub fn tune_socket(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = socket2::SockRef::from(socket);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    }
}
