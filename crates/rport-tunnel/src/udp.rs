//! The UDP half of a tunnel: one channel for all visitors, datagrams framed with their sender's address.
//!
//! Three loops share one task: socket to queue, queue to channel, channel to socket. The first never waits for the
//! channel, so a slow link loses datagrams instead of growing memory. The channel is opened when the tunnel starts
//! and again whenever the client closes it: Go agents do so after an ICMP error (wire fault 15).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rport_protocol::ChannelTarget;
use rport_protocol::udp::{UdpAddr, UdpDecoder, UdpEncoder, UdpFrame};
use rport_runtime::Backoff;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::dial::Dial;
use crate::state::{Dropped, State};
use crate::tcp::DIAL_LIMIT;
use crate::visitors::RecentVisitors;

/// Longest datagram carried; Go peers cut at the same size.
const DATAGRAM_LIMIT: usize = 9012;
/// Datagrams waiting for the channel. Bounds a tunnel's queue to 1.1 MiB in the worst case.
const QUEUE: usize = 128;
/// Frames are gathered up to about this many bytes before one write.
const BATCH: usize = 32 * 1024;
/// Bytes read from the channel at a time.
const READ: usize = 32 * 1024;
/// Pauses between two attempts to open the channel.
const REOPEN_FIRST: Duration = Duration::from_millis(100);
const REOPEN_LONGEST: Duration = Duration::from_secs(10);
/// A channel that lasted this long was a good one: the next pause is short again.
const GOOD_CHANNEL: Duration = Duration::from_secs(10);

/// A datagram on its way to the client.
struct Datagram {
    from: SocketAddr,
    data: Bytes,
}

/// One tunnel's UDP socket and who may be answered through it.
pub(crate) struct Udp {
    socket: UdpSocket,
    is_ipv6: bool,
    recent: Mutex<RecentVisitors>,
    state: Arc<State>,
}

impl Udp {
    pub(crate) fn new(socket: UdpSocket, state: Arc<State>) -> Self {
        let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        Self {
            socket,
            is_ipv6,
            recent: Mutex::new(RecentVisitors::new()),
            state,
        }
    }

    /// Relays datagrams until dropped.
    pub(crate) async fn serve(&self, dial: &dyn Dial, target: &ChannelTarget) -> std::convert::Infallible {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        tokio::select! {
            never = self.receive(queue) => never,
            never = self.relay(dial, target, &mut waiting) => never,
        }
    }

    /// Socket to queue.
    async fn receive(&self, queue: mpsc::Sender<Datagram>) -> std::convert::Infallible {
        let mut buffer = vec![0; DATAGRAM_LIMIT];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    debug!(tunnel.label = %self.state.label, %error, "tunnel cannot receive a datagram");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            };
            // Denied datagrams count as use, as in the Go server.
            self.state.activity().touch();
            if !self.state.allows(from.ip()) {
                self.state.datagram_denied();
                continue;
            }
            let from = canonical(from);
            self.recent.lock().saw(from);
            if queue
                .try_send(Datagram {
                    from,
                    data: Bytes::copy_from_slice(&buffer[..length]),
                })
                .is_err()
            {
                self.state.datagram_dropped(Dropped::Queue);
            }
        }
    }

    /// Keeps a channel open and exchanges frames over it.
    async fn relay(
        &self,
        dial: &dyn Dial,
        target: &ChannelTarget,
        waiting: &mut mpsc::Receiver<Datagram>,
    ) -> std::convert::Infallible {
        let label = &self.state.label;
        let mut backoff = Backoff::new(REOPEN_FIRST, REOPEN_LONGEST, 2.0);
        loop {
            match tokio::time::timeout(DIAL_LIMIT, dial.dial(target)).await {
                Ok(Ok(channel)) => {
                    let opened = Instant::now();
                    let end = self.exchange(channel, waiting).await;
                    if opened.elapsed() >= GOOD_CHANNEL {
                        backoff.reset();
                    }
                    debug!(tunnel.label = %label, %target, %end, "datagram channel ended, opening another");
                }
                Ok(Err(reason)) => {
                    info!(tunnel.label = %label, %target, %reason, "the client did not open a datagram channel");
                }
                Err(_) => {
                    info!(tunnel.label = %label, %target, "the client did not answer the opening of a datagram channel");
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Exchanges frames over one channel until it ends.
    async fn exchange<S>(&self, channel: S, waiting: &mut mpsc::Receiver<Datagram>) -> ExchangeEnd
    where
        S: AsyncRead + AsyncWrite,
    {
        let (reader, writer) = tokio::io::split(channel);
        tokio::select! {
            end = self.up(writer, waiting) => end,
            end = self.down(reader) => end,
        }
    }

    /// Queue to channel.
    async fn up<W: AsyncWrite + Unpin>(
        &self,
        mut channel: W,
        waiting: &mut mpsc::Receiver<Datagram>,
    ) -> ExchangeEnd {
        let mut encoder = UdpEncoder::new();
        let mut batch = Vec::new();
        while let Some(first) = waiting.recv().await {
            batch.clear();
            let mut next = Some(first);
            while let Some(datagram) = next {
                self.state.sent_to_client(datagram.data.len() as u64);
                let from = UdpAddr::from(datagram.from);
                encoder.encode_parts(Some(&from), &datagram.data, &mut batch);
                next = if batch.len() < BATCH {
                    waiting.try_recv().ok()
                } else {
                    None
                };
            }
            if let Err(error) = channel.write_all(&batch).await {
                return ExchangeEnd::Write(error);
            }
            if let Err(error) = channel.flush().await {
                return ExchangeEnd::Write(error);
            }
        }
        ExchangeEnd::Closed
    }

    /// Channel to socket.
    async fn down<R: AsyncRead + Unpin>(&self, mut channel: R) -> ExchangeEnd {
        let mut decoder = UdpDecoder::new();
        let mut buffer = BytesMut::with_capacity(READ);
        loop {
            buffer.clear();
            match channel.read_buf(&mut buffer).await {
                Ok(0) => return ExchangeEnd::Closed,
                Ok(_) => decoder.push(&buffer),
                Err(error) => return ExchangeEnd::Read(error),
            }
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => self.answer(&frame).await,
                    Ok(None) => break,
                    Err(error) => return ExchangeEnd::Garbage(error.to_string()),
                }
            }
        }
    }

    /// Sends one answer to the visitor it names.
    async fn answer(&self, frame: &UdpFrame) {
        self.state.activity().touch();
        // A Go agent may leave the address out; there is nobody to send that to.
        let Some(to) = frame.addr.as_ref().and_then(UdpAddr::to_socket_addr) else {
            return self.state.datagram_dropped(Dropped::Address);
        };
        if !self.recent.lock().knows(to) {
            return self.state.datagram_dropped(Dropped::Address);
        }
        match self.socket.send_to(&frame.data, self.as_sendable(to)).await {
            Ok(_) => self.state.received_from_client(frame.data.len() as u64),
            Err(error) => {
                debug!(tunnel.label = %self.state.label, visitor = %to, %error, "datagram not sent");
                self.state.datagram_dropped(Dropped::Send);
            }
        }
    }

    /// The form the socket wants: a dual-stack socket sends to IPv4 addresses in their IPv6-mapped form.
    fn as_sendable(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.is_ipv6 => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            other => other,
        }
    }
}

/// Why an exchange over one channel ended.
#[derive(Debug, thiserror::Error)]
enum ExchangeEnd {
    #[error("closed by the client")]
    Closed,
    #[error("cannot write: {0}")]
    Write(std::io::Error),
    #[error("cannot read: {0}")]
    Read(std::io::Error),
    #[error("the client sent what is not a datagram frame: {0}")]
    Garbage(String),
}

/// IPv4 addresses in their own form, whichever socket saw them.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(v4) => SocketAddr::new(v4.into(), v6.port()),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        },
        v4 @ SocketAddr::V4(_) => v4,
    }
}
