//! The read side of a link: one buffer in which frames are taken apart and packets are opened, all in place.
//!
//! Layout: `[consumed | ready: stream bytes | gap | raw: bytes as received | free]`. Bytes move only when a packet is
//! spread over frames (Go agents do that) or when the free end runs out.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};

use super::cipher::{OpenError, Opener};
use crate::io::ReadHalf;
use crate::ws::{Deframer, Found, Side, WsError};

/// An idle link keeps no more than this.
const SMALLEST: usize = 1024;
const LARGEST: usize = 256 * 1024;
/// So many small reads in a row give buffer space back.
const SMALL_READS: u8 = 4;
/// Pings answered per read; a flood of them must not become a flood of pongs.
const PONGS_PER_READ: usize = 4;

/// Why no more packets come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboundError {
    /// The peer ended the stream.
    #[error("the peer closed the connection")]
    Eof,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a WebSocket.
    #[error(transparent)]
    WebSocket(#[from] WsError),
    /// Not an SSH packet.
    #[error(transparent)]
    Packet(#[from] OpenError),
}

/// Reads packets from a socket.
pub(crate) struct Inbound {
    read: ReadHalf,
    deframer: Deframer,
    data: Vec<u8>,
    ready: Range<usize>,
    raw: Range<usize>,
    small_reads: u8,
    pongs: Vec<Vec<u8>>,
    closed: bool,
    /// Bytes taken from the socket so far.
    pub(crate) bytes: u64,
}

impl Inbound {
    pub(crate) fn new(read: ReadHalf, side: Side, leftover: Vec<u8>) -> Self {
        let raw = 0..leftover.len();
        Self {
            read,
            deframer: Deframer::new(side),
            data: leftover,
            ready: 0..0,
            raw,
            small_reads: 0,
            pongs: Vec::new(),
            closed: false,
            bytes: 0,
        }
    }

    /// Payloads of pings received since the last call; answer each with a pong.
    pub(crate) fn take_pings(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pongs)
    }

    /// Polls for the next packet; returns its opened payload. The slice is good until the next call.
    pub(crate) fn poll_packet(
        &mut self,
        cx: &mut Context<'_>,
        opener: &mut Opener,
    ) -> Poll<Result<&mut [u8], InboundError>> {
        loop {
            self.deframe()?;
            if let Some(at) = self.take_packet(opener)? {
                return Poll::Ready(Ok(&mut self.data[at]));
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// Polls for one identification line, without its line end; lines longer than `limit` are an error.
    pub(crate) fn poll_line(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<Result<Vec<u8>, InboundError>> {
        loop {
            self.deframe()?;
            let ready = &self.data[self.ready.clone()];
            if let Some(end) = ready.iter().take(limit).position(|b| *b == b'\n') {
                let line = ready[..end].strip_suffix(b"\r").unwrap_or(&ready[..end]).to_vec();
                self.ready.start += end + 1;
                return Poll::Ready(Ok(line));
            }
            if ready.len() >= limit {
                return Poll::Ready(Err(OpenError::TooLarge(limit).into()));
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// Turns raw bytes into stream bytes, as far as they go.
    fn deframe(&mut self) -> Result<(), InboundError> {
        while !self.closed {
            match self.deframer.step(&mut self.data[self.raw.clone()])? {
                Found::NeedMore => break,
                Found::Header(n) | Found::Pong(n) => self.raw.start += n,
                Found::Data(n) => {
                    if self.ready.is_empty() {
                        self.ready = self.raw.start..self.raw.start;
                    }
                    if self.ready.end != self.raw.start {
                        self.data
                            .copy_within(self.raw.start..self.raw.start + n, self.ready.end);
                    }
                    self.ready.end += n;
                    self.raw.start += n;
                }
                Found::Ping(at) => {
                    if self.pongs.len() < PONGS_PER_READ {
                        let base = self.raw.start;
                        self.pongs
                            .push(self.data[base + at.start..base + at.end].to_vec());
                    }
                    self.raw.start += at.end;
                }
                Found::Close => self.closed = true,
            }
        }
        Ok(())
    }

    /// Opens the packet at the start of the stream bytes, if it is whole.
    fn take_packet(&mut self, opener: &mut Opener) -> Result<Option<Range<usize>>, InboundError> {
        let Some(head) = self.data[self.ready.clone()].first_chunk::<4>() else {
            return Ok(None);
        };
        let len = opener.packet_len(*head)?;
        if self.ready.len() < len {
            return Ok(None);
        }
        let start = self.ready.start;
        let payload = opener.open(&mut self.data[start..start + len])?;
        self.ready.start += len;
        Ok(Some(start + payload.start..start + payload.end))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), InboundError>> {
        if self.closed {
            return Poll::Ready(Err(InboundError::Eof));
        }
        self.make_room();
        let mut buf = ReadBuf::new(&mut self.data[self.raw.end..]);
        let room = buf.capacity();
        ready!(Pin::new(&mut self.read).poll_read(cx, &mut buf))?;
        let n = buf.filled().len();
        if n == 0 {
            return Poll::Ready(Err(InboundError::Eof));
        }
        self.raw.end += n;
        self.bytes += n as u64;
        self.adapt(n, room);
        Poll::Ready(Ok(()))
    }

    /// Ensures free space behind the raw bytes: moves what is there to the front, and grows when that is not enough.
    fn make_room(&mut self) {
        if self.ready.is_empty() && self.raw.is_empty() {
            self.ready = 0..0;
            self.raw = 0..0;
        }
        if self.data.len() < SMALLEST {
            self.data.resize(SMALLEST, 0);
        }
        // Half of the buffer free is enough for a good read; less is worth a move.
        if self.data.len() - self.raw.end < self.data.len() / 2 {
            let (ready, raw) = (self.ready.clone(), self.raw.clone());
            self.data.copy_within(ready.clone(), 0);
            self.data.copy_within(raw.clone(), ready.len());
            self.ready = 0..ready.len();
            self.raw = ready.len()..ready.len() + raw.len();
        }
        if self.data.len() - self.raw.end < SMALLEST / 2 {
            let double = self.data.len() * 2;
            self.data.resize(double, 0);
        }
    }

    /// Follows the traffic: full reads double the buffer, small ones shrink it.
    fn adapt(&mut self, n: usize, room: usize) {
        let size = self.data.len();
        if n == room && size < LARGEST {
            self.data.resize(size * 2, 0);
        }
        if n > size / 8 || size <= SMALLEST {
            self.small_reads = 0;
            return;
        }
        self.small_reads = self.small_reads.saturating_add(1);
        let target = (size / 8).max(SMALLEST);
        if self.small_reads >= SMALL_READS && self.raw.end <= target / 2 {
            self.data.truncate(target);
            self.data.shrink_to_fit();
            self.small_reads = 0;
        }
    }
}
