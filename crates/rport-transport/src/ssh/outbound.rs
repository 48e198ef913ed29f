//! The write side of a link: sealing, queueing, and writing from whichever task has something to send.
//!
//! A packet is sealed under a short lock in the task that sends it, in the buffer it was read into, and the same task
//! tries to write it at once. Only when the socket is full does the link's own task take over. Nobody waits for a
//! system call of somebody else: a task that finds the writer busy leaves its packet in the queue, and whoever holds
//! the writer looks again before it leaves.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::task::{AtomicWaker, noop_waker_ref};
use parking_lot::Mutex;
use tokio::io::AsyncWrite as _;

use super::cipher::{HEAD, MAX_PAYLOAD, Sealer};
use super::kex::DirectionKeys;
use crate::io::WriteHalf;
use crate::ws::{Framer, MAX_HEADER, Side};

/// Bytes in front of a payload that a data packet under construction leaves free for the frame and packet headers.
pub(crate) const HEADROOM: usize = MAX_HEADER + HEAD;
/// Channel data waits while more than this is queued, so that other channels get their turn.
const HIGH_WATER: usize = 128 * 1024;
/// A small payload may still pass when bulk data waits: a keystroke does not queue behind a download.
const SMALL_PAYLOAD: usize = 4 * 1024;
const SMALL_EXTRA: usize = 128 * 1024;
const LOW_WATER: usize = 64 * 1024;
/// A peer that lets so many bytes of replies pile up does not read: the link ends.
const CONTROL_LIMIT: usize = 8 * 1024 * 1024;
/// Small packets share buffers of this size.
const COALESCE: usize = 4 * 1024;
const WRITE_SLICES: usize = 16;
/// Waiters woken when the queue has drained below [`LOW_WATER`].
const WAKE_AT_ONCE: usize = 4;

/// The link cannot send any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the link is closed")]
    Closed,
    #[error("payload of {0} bytes is over the limit of {MAX_PAYLOAD}")]
    TooLarge(usize),
}

struct OutBuf {
    data: Vec<u8>,
    at: usize,
}

impl OutBuf {
    fn unsent(&self) -> &[u8] {
        &self.data[self.at..]
    }
}

struct Seal {
    sealer: Sealer,
    framer: Framer,
    queue: VecDeque<OutBuf>,
    /// Payloads that must wait for the end of a key exchange.
    held: VecDeque<Vec<u8>>,
    held_bytes: usize,
    rekeying: bool,
    closed: bool,
    waiters: VecDeque<Waker>,
    /// Bytes and packets under the current key.
    key_bytes: u64,
    key_packets: u64,
}

struct Writer {
    io: WriteHalf,
    inflight: VecDeque<OutBuf>,
}

/// The write side, shared by all handles of a link.
pub(crate) struct Outbound {
    seal: Mutex<Seal>,
    writer: Mutex<Option<Writer>>,
    queued: AtomicUsize,
    /// The socket is full: only the link's task writes, woken by the socket.
    blocked: AtomicBool,
    failed: AtomicBool,
    /// Nothing is written any more; the link only waits for the peer to close.
    ending: AtomicBool,
    sent: std::sync::atomic::AtomicU64,
    driver: AtomicWaker,
}

impl Outbound {
    pub(crate) fn new(io: WriteHalf, side: Side) -> Self {
        Self {
            seal: Mutex::new(Seal {
                sealer: Sealer::clear(),
                framer: Framer::new(side),
                queue: VecDeque::new(),
                held: VecDeque::new(),
                held_bytes: 0,
                rekeying: false,
                closed: false,
                waiters: VecDeque::new(),
                key_bytes: 0,
                key_packets: 0,
            }),
            writer: Mutex::new(Some(Writer {
                io,
                inflight: VecDeque::new(),
            })),
            queued: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            sent: std::sync::atomic::AtomicU64::new(0),
            driver: AtomicWaker::new(),
        }
    }

    /// Queues one payload of the connection layer. Never waits; held back during a key exchange.
    pub(crate) fn send(&self, payload: &[u8]) -> Result<(), SendError> {
        self.send_with(payload, || ())
    }

    /// Like [`send`](Self::send), and runs `note` under the lock that gives packets their order.
    pub(crate) fn send_with(&self, payload: &[u8], note: impl FnOnce()) -> Result<(), SendError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(SendError::TooLarge(payload.len()));
        }
        {
            let mut seal = self.seal.lock();
            if seal.closed {
                return Err(SendError::Closed);
            }
            if seal.held_bytes + self.queued.load(Ordering::Relaxed) > CONTROL_LIMIT {
                drop(seal);
                self.fail();
                return Err(SendError::Closed);
            }
            note();
            if seal.rekeying {
                seal.held_bytes += payload.len();
                seal.held.push_back(payload.to_vec());
                return Ok(());
            }
            self.push(&mut seal, payload)?;
        }
        self.flush_inline();
        Ok(())
    }

    /// Sends a payload of the key exchange itself, ahead of everything held back.
    pub(crate) fn send_kex(&self, payload: &[u8]) -> Result<(), SendError> {
        self.push(&mut self.seal.lock(), payload)?;
        self.flush_inline();
        Ok(())
    }

    /// Sends our KEXINIT and holds everything else back from now on.
    pub(crate) fn begin_kex(&self, kexinit: &[u8]) -> Result<(), SendError> {
        {
            let mut seal = self.seal.lock();
            seal.rekeying = true;
            self.push(&mut seal, kexinit)?;
        }
        self.flush_inline();
        Ok(())
    }

    /// Takes new keys into use and releases what was held back.
    pub(crate) fn switch(&self, keys: &DirectionKeys) -> Result<(), SendError> {
        let waiters = {
            let mut seal = self.seal.lock();
            seal.sealer
                .rekey(keys.cipher, &keys.key, &keys.iv, keys.reset_sequence)
                .map_err(|_| SendError::Closed)?;
            seal.rekeying = false;
            seal.key_bytes = 0;
            seal.key_packets = 0;
            seal.held_bytes = 0;
            for payload in std::mem::take(&mut seal.held) {
                self.push(&mut seal, &payload)?;
            }
            std::mem::take(&mut seal.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
        self.flush_inline();
        Ok(())
    }

    /// Sends bytes as they are, unprotected and before any packet: the identification line.
    pub(crate) fn send_line(&self, line: &[u8]) -> Result<(), SendError> {
        {
            let mut seal = self.seal.lock();
            let mut data = vec![0; MAX_HEADER];
            data.extend_from_slice(line);
            let at = seal
                .framer
                .frame(&mut data, MAX_HEADER)
                .map_err(|_| SendError::Closed)?;
            self.enqueue(&mut seal, OutBuf { data, at });
        }
        self.flush_inline();
        Ok(())
    }

    /// Answers a WebSocket ping.
    pub(crate) fn send_pong(&self, data: &[u8]) {
        {
            let mut seal = self.seal.lock();
            if seal.closed {
                return;
            }
            if let Ok(frame) = seal.framer.pong(data) {
                self.enqueue(&mut seal, OutBuf { data: frame, at: 0 });
            }
        }
        self.flush_inline();
    }

    /// Whether channel data of `n` bytes may be sent now; registers the waker if not.
    pub(crate) fn poll_turn(&self, cx: &Context<'_>, n: usize) -> Poll<Result<(), SendError>> {
        let limit = if n <= SMALL_PAYLOAD {
            HIGH_WATER + SMALL_EXTRA
        } else {
            HIGH_WATER
        };
        let mut seal = self.seal.lock();
        if seal.closed {
            return Poll::Ready(Err(SendError::Closed));
        }
        if !seal.rekeying && self.queued.load(Ordering::Acquire) < limit {
            return Poll::Ready(Ok(()));
        }
        if !seal.waiters.iter().any(|w| w.will_wake(cx.waker())) {
            seal.waiters.push_back(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Seals and queues a payload that has [`HEADROOM`] spare bytes in front, without copying it.
    pub(crate) fn send_data(&self, mut data: Vec<u8>) -> Result<(), SendError> {
        {
            let mut seal = self.seal.lock();
            if seal.closed {
                return Err(SendError::Closed);
            }
            if seal.rekeying {
                let payload = data.split_off(HEADROOM);
                seal.held_bytes += payload.len();
                seal.held.push_back(payload);
                return Ok(());
            }
            self.seal_and_enqueue(&mut seal, data)?;
        }
        self.flush_inline();
        Ok(())
    }

    fn push(&self, seal: &mut Seal, payload: &[u8]) -> Result<(), SendError> {
        let mut data = Vec::with_capacity(HEADROOM + seal.sealer.sealed_len(payload.len()));
        data.resize(HEADROOM, 0);
        data.extend_from_slice(payload);
        self.seal_and_enqueue(seal, data)
    }

    fn seal_and_enqueue(&self, seal: &mut Seal, mut data: Vec<u8>) -> Result<(), SendError> {
        if data.len() - HEADROOM > MAX_PAYLOAD {
            return Err(SendError::TooLarge(data.len() - HEADROOM));
        }
        seal.sealer
            .seal(&mut data, MAX_HEADER)
            .map_err(|_| SendError::Closed)?;
        seal.key_bytes += data.len() as u64;
        seal.key_packets += 1;
        let at = seal
            .framer
            .frame(&mut data, MAX_HEADER)
            .map_err(|_| SendError::Closed)?;
        self.enqueue(seal, OutBuf { data, at });
        Ok(())
    }

    fn enqueue(&self, seal: &mut Seal, buf: OutBuf) {
        let n = buf.unsent().len();
        self.queued.fetch_add(n, Ordering::AcqRel);
        if n <= COALESCE / 4
            && let Some(last) = seal.queue.back_mut()
            && last.data.len() + n <= COALESCE
        {
            last.data.extend_from_slice(buf.unsent());
            return;
        }
        seal.queue.push_back(buf);
    }

    /// Writes what is queued if the socket takes it without waiting.
    fn flush_inline(&self) {
        let mut cx = Context::from_waker(noop_waker_ref());
        while !self.blocked.load(Ordering::Acquire) && self.queued.load(Ordering::Acquire) > 0 {
            let Some(mut writer) = self.writer.try_lock() else {
                return;
            };
            let done = self.write_some(&mut writer, &mut cx);
            if !matches!(done, Poll::Ready(Ok(()))) {
                self.blocked.store(true, Ordering::Release);
                drop(writer);
                self.driver.wake();
                return;
            }
        }
    }

    /// The link's task: writes what the socket would not take inline, and waits for it to take more.
    ///
    /// `Ready(Ok)` means nothing is left to write at the moment.
    pub(crate) fn poll_drive(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.driver.register(cx.waker());
        if self.failed.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        while self.queued.load(Ordering::Acquire) > 0 {
            let mut writer = self.writer.lock();
            match self.write_some(&mut writer, cx) {
                Poll::Ready(Ok(())) => self.blocked.store(false, Ordering::Release),
                Poll::Ready(Err(e)) => {
                    drop(writer);
                    self.fail();
                    return Poll::Ready(Err(e));
                }
                Poll::Pending => {
                    self.blocked.store(true, Ordering::Release);
                    return Poll::Pending;
                }
            }
        }
        self.blocked.store(false, Ordering::Release);
        Poll::Ready(Ok(()))
    }

    /// Writes until the queue is empty or the socket is full.
    fn write_some(&self, writer: &mut Option<Writer>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = writer else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        loop {
            if writer.inflight.len() < WRITE_SLICES {
                let mut seal = self.seal.lock();
                while writer.inflight.len() < WRITE_SLICES
                    && let Some(buf) = seal.queue.pop_front()
                {
                    writer.inflight.push_back(buf);
                }
            }
            if writer.inflight.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = match &writer.inflight {
                one if one.len() == 1 => Pin::new(&mut writer.io).poll_write(cx, one[0].unsent()),
                many => {
                    let mut slices = [io::IoSlice::new(&[]); WRITE_SLICES];
                    for (slice, buf) in slices.iter_mut().zip(many) {
                        *slice = io::IoSlice::new(buf.unsent());
                    }
                    Pin::new(&mut writer.io).poll_write_vectored(cx, &slices[..many.len()])
                }
            };
            let n = match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => n,
                // A stream that buffers (TLS) reports what it took and still has to send it.
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            };
            let mut rest = n;
            while let Some(buf) = writer.inflight.front_mut() {
                let take = rest.min(buf.unsent().len());
                buf.at += take;
                rest -= take;
                if buf.unsent().is_empty() {
                    writer.inflight.pop_front();
                } else {
                    break;
                }
            }
            self.sent.fetch_add(n as u64, Ordering::Relaxed);
            let left = self.queued.fetch_sub(n, Ordering::AcqRel) - n;
            if left < LOW_WATER {
                self.wake_waiters(left == 0);
            }
            if left == 0
                && let Poll::Ready(Err(e)) = Pin::new(&mut writer.io).poll_flush(cx)
            {
                return Poll::Ready(Err(e));
            }
        }
    }

    fn wake_waiters(&self, all: bool) {
        let mut woken: [Option<Waker>; WAKE_AT_ONCE] = [const { None }; WAKE_AT_ONCE];
        let mut rest = VecDeque::new();
        {
            let mut seal = self.seal.lock();
            if seal.rekeying {
                return;
            }
            for slot in &mut woken {
                *slot = seal.waiters.pop_front();
            }
            if all {
                rest = std::mem::take(&mut seal.waiters);
            }
        }
        woken.into_iter().flatten().chain(rest).for_each(Waker::wake);
    }

    /// Bytes and packets sent under the current key.
    pub(crate) fn key_usage(&self) -> (u64, u64) {
        let seal = self.seal.lock();
        (seal.key_bytes, seal.key_packets)
    }

    /// Bytes written to the socket so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether everything queued has been handed to the operating system.
    pub(crate) fn is_flushed(&self) -> bool {
        self.queued.load(Ordering::Acquire) == 0
    }

    /// Marks the link as broken; its task will end it.
    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.driver.wake();
    }

    /// Wakes the link's task, so that it looks at changed state.
    pub(crate) fn wake_driver(&self) {
        self.driver.wake();
    }

    /// Refuses everything from now on and tells the peer that nothing more will come, while the socket stays open
    /// for reading. What is queued should have been flushed before.
    pub(crate) fn end_writing(&self) {
        let waiters = {
            let mut seal = self.seal.lock();
            seal.closed = true;
            std::mem::take(&mut seal.waiters)
        };
        self.ending.store(true, Ordering::Release);
        waiters.into_iter().for_each(Waker::wake);
        if let Some(writer) = &mut *self.writer.lock() {
            // A socket that cannot be shut down at once is broken or full, and closed by whoever waits for the peer.
            let mut cx = Context::from_waker(noop_waker_ref());
            let _ = Pin::new(&mut writer.io).poll_shutdown(&mut cx);
        }
        self.driver.wake();
    }

    /// Whether [`end_writing`](Self::end_writing) was called.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Refuses everything from now on, wakes all who wait, and drops the socket.
    pub(crate) fn close(&self) {
        let waiters = {
            let mut seal = self.seal.lock();
            seal.closed = true;
            seal.queue.clear();
            seal.held.clear();
            std::mem::take(&mut seal.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
        let mut writer = self.writer.lock();
        *writer = None;
        self.queued.store(0, Ordering::Release);
    }
}
