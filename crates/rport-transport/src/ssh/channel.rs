//! One channel: what arrived and was not read, what may still be sent, and how it ends.
//!
//! Lock order: `rx`, then `tx`, then the outbound lock. Every packet of a channel is decided *and* queued under `tx`,
//! so that nothing can follow CHANNEL_CLOSE: a Go peer would tear the whole link down.

use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::chunks::Chunks;
use super::link::Shared;
use super::messages::{self, CHANNEL_CLOSE, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_FAILURE};
use super::outbound::{HEADROOM, SendError};
use super::window::ReceiveWindow;

/// Bytes of a DATA message before its data: type, recipient, length.
const DATA_HEAD: usize = 9;
/// Spare bytes in front of the data of a packet under construction.
pub(crate) const DATA_ROOM: usize = HEADROOM + DATA_HEAD;

/// What the reader's side of a channel holds.
pub(crate) struct Rx {
    pub(crate) queue: Chunks,
    window: ReceiveWindow,
    /// The peer will send no more data.
    pub(crate) eof: bool,
    /// The peer closed the channel, or the link is gone.
    pub(crate) closed: bool,
    waker: Option<Waker>,
    /// Where data goes straight from the link's task while the queue is empty.
    pub(crate) sink: Option<Arc<TcpStream>>,
    /// Writing to the sink failed: there is no more use for data.
    pub(crate) sink_failed: bool,
    /// Bytes delivered to the reader or the sink.
    pub(crate) delivered: u64,
}

/// What the sender's side of a channel knows.
struct Tx {
    remote: u32,
    window: u64,
    max_packet: usize,
    eof_sent: bool,
    close_sent: bool,
    peer_closed: bool,
    waker: Option<Waker>,
}

/// The state of a channel, shared by its handle and the link's task.
pub(crate) struct ChannelState {
    link: Weak<Shared>,
    pub(crate) rx: Mutex<Rx>,
    tx: Mutex<Tx>,
}

/// The peer broke the rules of flow control; the link ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChannelFault {
    #[error("channel data beyond the window")]
    WindowOverrun,
    #[error("channel data after end of file")]
    DataAfterEof,
    #[error("window adjusted beyond its maximum")]
    WindowOverflow,
}

impl ChannelState {
    pub(crate) fn new(link: &Arc<Shared>, remote: u32, window: u32, max_packet: u32) -> Self {
        Self::with_link(Arc::downgrade(link), link.ours, remote, window, max_packet)
    }

    /// A channel of a link that is gone.
    pub(crate) fn dead() -> Self {
        let state = Self::with_link(Weak::new(), false, 0, 0, 0);
        state.on_link_closed();
        state
    }

    fn with_link(link: Weak<Shared>, ours: bool, remote: u32, window: u32, max_packet: u32) -> Self {
        Self {
            link,
            rx: Mutex::new(Rx {
                queue: Chunks::default(),
                window: ReceiveWindow::new(ours),
                eof: false,
                closed: false,
                waker: None,
                sink: None,
                sink_failed: false,
                delivered: 0,
            }),
            tx: Mutex::new(Tx {
                remote,
                window: u64::from(window),
                max_packet: max_packet.min(super::link::max_packet(ours)) as usize,
                eof_sent: false,
                close_sent: false,
                peer_closed: false,
                waker: None,
            }),
        }
    }

    /// Whether the peer is one of our own programs, which keep half-closed streams.
    pub(crate) fn peer_is_ours(&self) -> bool {
        self.link.upgrade().is_some_and(|link| link.ours)
    }

    // --- events from the link's task ---

    /// Takes data from the peer: into the sink if it has one that keeps up, else into the queue.
    pub(crate) fn on_data(&self, data: &[u8], now: Instant) -> Result<(), ChannelFault> {
        let mut rx = self.rx.lock();
        if !rx.window.received(data.len()) {
            return Err(ChannelFault::WindowOverrun);
        }
        if rx.eof {
            return Err(ChannelFault::DataAfterEof);
        }
        let mut rest = data;
        if rx.sink_failed || rx.closed {
            self.credit(&mut rx, data.len(), now);
            return Ok(());
        }
        if rx.queue.is_empty()
            && let Some(sink) = rx.sink.clone()
        {
            while !rest.is_empty() {
                match sink.try_write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        rx.sink_failed = true;
                        break;
                    }
                }
            }
            let n = data.len() - rest.len();
            rx.delivered += n as u64;
            self.credit(&mut rx, n, now);
            if rest.is_empty() {
                return Ok(());
            }
        }
        if !rx.sink_failed {
            rx.queue.push(rest);
        }
        wake(&mut rx.waker);
        Ok(())
    }

    /// Data of a kind nobody reads (CHANNEL_EXTENDED_DATA): counted and granted again.
    pub(crate) fn on_unread_data(&self, n: usize, now: Instant) -> Result<(), ChannelFault> {
        let mut rx = self.rx.lock();
        if !rx.window.received(n) {
            return Err(ChannelFault::WindowOverrun);
        }
        self.credit(&mut rx, n, now);
        Ok(())
    }

    pub(crate) fn on_eof(&self) {
        let mut rx = self.rx.lock();
        rx.eof = true;
        wake(&mut rx.waker);
    }

    pub(crate) fn on_window_adjust(&self, bytes: u32) -> Result<(), ChannelFault> {
        let mut tx = self.tx.lock();
        tx.window += u64::from(bytes);
        if tx.window > u64::from(u32::MAX) {
            return Err(ChannelFault::WindowOverflow);
        }
        wake(&mut tx.waker);
        Ok(())
    }

    /// The peer closed: answer CLOSE if we had not sent ours. The channel's number is free afterwards.
    pub(crate) fn on_close(&self) {
        {
            let mut rx = self.rx.lock();
            rx.eof = true;
            rx.closed = true;
            wake(&mut rx.waker);
        }
        self.send_close(|tx| tx.peer_closed = true);
    }

    /// The link is gone.
    pub(crate) fn on_link_closed(&self) {
        let mut rx = self.rx.lock();
        rx.eof = true;
        rx.closed = true;
        wake(&mut rx.waker);
        drop(rx);
        let mut tx = self.tx.lock();
        tx.peer_closed = true;
        tx.close_sent = true;
        wake(&mut tx.waker);
    }

    // --- the handle's side ---

    /// Grants the peer what the reader consumed. Takes `tx` while `rx` is held, in the documented order.
    pub(crate) fn credit(&self, rx: &mut Rx, n: usize, now: Instant) {
        let Some(link) = self.link.upgrade() else { return };
        if let Some(grant) = rx.window.consumed(n, link.round_trip(), now) {
            let tx = self.tx.lock();
            // A peer that sent EOF needs no window, and one that closed must not hear of this channel again.
            if !tx.close_sent && !tx.peer_closed && !rx.eof {
                let _ = link.out.send(&messages::window_adjust(tx.remote, grant));
            }
        }
    }

    /// Registers for the next data, EOF or close.
    pub(crate) fn watch_rx(rx: &mut Rx, cx: &Context<'_>) {
        match &mut rx.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Polls for permission to send: how many bytes fit into one packet now.
    ///
    /// `wanted` is the size of the data at hand, or 0 if not known yet.
    pub(crate) fn poll_send_ready(&self, cx: &Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let Some(link) = self.link.upgrade() else {
            return Poll::Ready(Err(gone()));
        };
        let room = {
            let mut tx = self.tx.lock();
            if tx.close_sent || tx.peer_closed || tx.eof_sent {
                return Poll::Ready(Err(gone()));
            }
            let room = usize::try_from(tx.window)
                .unwrap_or(usize::MAX)
                .min(tx.max_packet);
            if room == 0 {
                match &mut tx.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            room
        };
        match link.out.poll_turn(cx, if wanted == 0 { room } else { wanted }) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(room)),
            Poll::Ready(Err(_)) => Poll::Ready(Err(gone())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Sends `packet[DATA_ROOM..]` as one DATA packet. The caller asked [`poll_send_ready`](Self::poll_send_ready)
    /// for at least that many bytes and is the channel's only sender.
    pub(crate) fn send_data(&self, mut packet: Vec<u8>) -> io::Result<()> {
        let link = self.link.upgrade().ok_or_else(gone)?;
        let n = packet.len() - DATA_ROOM;
        let mut tx = self.tx.lock();
        if tx.close_sent || tx.peer_closed || tx.eof_sent {
            return Err(gone());
        }
        tx.window = tx.window.checked_sub(n as u64).ok_or_else(gone)?;
        let head = &mut packet[HEADROOM..DATA_ROOM];
        head[0] = CHANNEL_DATA;
        head[1..5].copy_from_slice(&tx.remote.to_be_bytes());
        head[5..9].copy_from_slice(&u32::try_from(n).map_err(|_| gone())?.to_be_bytes());
        link.out.send_data(packet).map_err(|_: SendError| gone())
    }

    /// Refuses a channel request of the peer that wants an answer.
    pub(crate) fn refuse_request(&self) {
        let Some(link) = self.link.upgrade() else { return };
        let tx = self.tx.lock();
        if !tx.close_sent {
            let _ = link.out.send(&messages::bare(CHANNEL_FAILURE, tx.remote));
        }
    }

    /// Tells the peer that no more data comes from us. Sent once, and never after CLOSE.
    pub(crate) fn send_eof(&self) {
        let Some(link) = self.link.upgrade() else { return };
        let mut tx = self.tx.lock();
        if !tx.eof_sent && !tx.close_sent && !tx.peer_closed {
            tx.eof_sent = true;
            let _ = link.out.send(&messages::bare(CHANNEL_EOF, tx.remote));
        }
    }

    /// Closes the channel from our side; what arrived and was not read is dropped by the handle.
    pub(crate) fn close(&self) {
        {
            let mut rx = self.rx.lock();
            rx.closed = true;
            rx.sink = None;
            rx.queue.clear();
        }
        self.send_close(|_| ());
    }

    fn send_close(&self, note: impl FnOnce(&mut Tx)) {
        let mut tx = self.tx.lock();
        note(&mut tx);
        if !std::mem::replace(&mut tx.close_sent, true)
            && let Some(link) = self.link.upgrade()
        {
            let _ = link.out.send(&messages::bare(CHANNEL_CLOSE, tx.remote));
        }
        wake(&mut tx.waker);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the channel is closed")
}
