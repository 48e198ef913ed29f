//! Joins a channel with a TCP socket: the fast path of tunnels.
//!
//! Data from the peer goes from the link's task straight into the socket while that takes it; only what a slow socket
//! refuses is queued, within the channel's window. Data from the socket is read into the packet that will carry it.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BufMut as _;
use tokio::net::TcpStream;

use crate::channel::{Channel, TRAILER};
use crate::ssh::channel::{ChannelState, DATA_ROOM};

/// First guess at how much a socket has to say; doubles while reads fill it.
const SMALL_READ: usize = 4 * 1024;
/// A full packet with its frame just fits one segment of a loopback interface (MTU 65536): a few bytes more and each
/// packet would cost the kernel two segments and the reader two wake-ups.
const LARGEST_READ: usize = 63 * 1024;
/// A Go peer ends both directions when one ends. So after the socket's end of file it is told only when nothing has
/// come back for this long, or a last answer would be cut off.
const GO_EOF_QUIET: Duration = Duration::from_secs(1);

/// What went through a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PipeStats {
    /// Bytes from the channel to the socket.
    pub to_socket: u64,
    /// Bytes from the socket to the channel.
    pub from_socket: u64,
}

/// How the direction towards the socket ended.
enum DownEnd {
    /// The peer finished sending; its receiving side still works.
    Eof,
    /// The peer closed the channel, or the socket takes nothing any more.
    Closed,
}

/// Copies both ways until both directions have ended, then closes channel and socket.
///
/// Between our own programs a half-closed stream stays usable in the other direction; with Go peers, which cannot do
/// that, the end of one direction ends the other. Memory is bounded by the channel's window in one direction and one
/// packet in the other. Dropping the future closes both ends.
pub async fn pipe(channel: Channel, socket: TcpStream) -> PipeStats {
    let _ = socket.set_nodelay(true);
    let socket = Arc::new(socket);
    let state = &channel.state;
    let ours = state.peer_is_ours();
    state.rx.lock().sink = Some(socket.clone());
    let mut from_socket = 0;
    {
        let mut down = pin!(down(state, &socket));
        let mut up = pin!(up(state, &socket, &mut from_socket));
        let (mut down_over, mut up_over) = (false, false);
        while !(down_over && up_over) {
            tokio::select! {
                end = &mut down, if !down_over => {
                    down_over = true;
                    let _ = socket2::SockRef::from(&*socket).shutdown(Shutdown::Write);
                    match end {
                        DownEnd::Eof if ours => {}
                        DownEnd::Eof | DownEnd::Closed => break,
                    }
                }
                end = &mut up, if !up_over => {
                    up_over = true;
                    if end.is_err() {
                        break;
                    }
                    if !ours && !down_over {
                        down_over = wait_for_quiet(state, down.as_mut()).await;
                    }
                    // When the other direction is over as well, CLOSE follows at once and says it all.
                    if !down_over {
                        state.send_eof();
                    }
                }
            }
        }
    }
    let to_socket = {
        let mut rx = channel.state.rx.lock();
        rx.sink = None;
        rx.delivered
    };
    PipeStats {
        to_socket,
        from_socket,
    }
}

/// Keeps the direction from the peer going until it pauses; `true` if it ended meanwhile.
async fn wait_for_quiet(
    state: &ChannelState,
    mut down: std::pin::Pin<&mut impl Future<Output = DownEnd>>,
) -> bool {
    let mut seen = state.rx.lock().delivered;
    loop {
        if tokio::time::timeout(GO_EOF_QUIET, down.as_mut()).await.is_ok() {
            return true;
        }
        let now = state.rx.lock().delivered;
        if now == seen {
            return false;
        }
        seen = now;
    }
}

/// From the peer to the socket: writes what the link's task could not write itself.
async fn down(state: &ChannelState, socket: &TcpStream) -> DownEnd {
    loop {
        let end = poll_fn(|cx| {
            let mut rx = state.rx.lock();
            if rx.sink_failed {
                return Poll::Ready(Some(DownEnd::Closed));
            }
            if !rx.queue.is_empty() {
                return Poll::Ready(None);
            }
            if rx.closed {
                return Poll::Ready(Some(DownEnd::Closed));
            }
            if rx.eof {
                return Poll::Ready(Some(DownEnd::Eof));
            }
            ChannelState::watch_rx(&mut rx, cx);
            Poll::Pending
        })
        .await;
        if let Some(end) = end {
            return end;
        }
        if socket.writable().await.is_err() {
            return DownEnd::Closed;
        }
        let mut rx = state.rx.lock();
        let mut written = 0;
        while !rx.queue.is_empty() {
            match socket.try_write(rx.queue.front()) {
                Ok(n) => {
                    rx.queue.advance(n);
                    written += n;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    rx.sink_failed = true;
                    rx.queue.clear();
                }
            }
        }
        rx.delivered += written as u64;
        state.credit(&mut rx, written, Instant::now());
    }
}

/// From the socket to the peer.
///
/// # Errors
/// The socket failed or the peer closed: nothing more can be carried.
async fn up(state: &ChannelState, socket: &TcpStream, from_socket: &mut u64) -> io::Result<()> {
    let mut size = SMALL_READ;
    loop {
        // No buffer is held while the socket is silent.
        socket.readable().await?;
        let room = poll_fn(|cx| state.poll_send_ready(cx, 0)).await?;
        let want = size.min(room);
        let mut packet = Vec::with_capacity(DATA_ROOM + want + TRAILER);
        packet.resize(DATA_ROOM, 0);
        let mut packet = packet.limit(want);
        match socket.try_read_buf(&mut packet) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                *from_socket += n as u64;
                if n == want {
                    size = want.max(size.saturating_mul(2)).min(LARGEST_READ);
                } else if n < size / 4 {
                    size = (size / 2).max(SMALL_READ);
                }
                state.send_data(packet.into_inner())?;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}
