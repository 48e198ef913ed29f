//! A channel as a byte stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ssh::channel::{ChannelState, DATA_ROOM};

/// An open channel: what the peer sends can be read, what is written goes to the peer.
///
/// Shutting the writing side down sends EOF; dropping the channel closes it. Writes return when the data is queued
/// for the link, which never queues more than a fixed amount.
pub struct Channel {
    pub(crate) state: Arc<ChannelState>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl Channel {
    pub(crate) fn new(state: Arc<ChannelState>) -> Self {
        Self { state }
    }

    pub(crate) fn dead() -> Self {
        Self::new(Arc::new(ChannelState::dead()))
    }

    /// Whether the peer is one of our own programs, which keep half-closed streams alive.
    pub fn peer_is_ours(&self) -> bool {
        self.state.peer_is_ours()
    }

    /// Whether `n` bytes could be written now without waiting. Lets a sender of datagrams drop instead of wait.
    pub fn can_send_now(&self, n: usize) -> bool {
        let cx = Context::from_waker(std::task::Waker::noop());
        matches!(self.state.poll_send_ready(&cx, n), Poll::Ready(Ok(room)) if room >= n)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.state.close();
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut rx = self.state.rx.lock();
        if rx.queue.is_empty() {
            if rx.eof || rx.closed {
                return Poll::Ready(Ok(()));
            }
            ChannelState::watch_rx(&mut rx, cx);
            return Poll::Pending;
        }
        let n = rx.queue.front().len().min(buf.remaining());
        buf.put_slice(&rx.queue.front()[..n]);
        rx.queue.advance(n);
        rx.delivered += n as u64;
        self.state.credit(&mut rx, n, Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.state.poll_send_ready(cx, data.len()))?;
        let n = room.min(data.len());
        let mut packet = Vec::with_capacity(DATA_ROOM + n + TRAILER);
        packet.resize(DATA_ROOM, 0);
        packet.extend_from_slice(&data[..n]);
        self.state.send_data(packet)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.send_eof();
        Poll::Ready(Ok(()))
    }
}

/// Room for padding and tag, so that sealing a packet does not reallocate it.
pub(crate) const TRAILER: usize = 64;
