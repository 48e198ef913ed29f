//! The public face of a link.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::channel::Channel;
use crate::ssh::link::Shared;
use crate::ssh::messages;
use crate::ssh::outbound::SendError;

/// Text of the refusal that Go peers understand for requests nobody serves.
const UNKNOWN_REQUEST: &str = "unknown request";
/// RFC 4254, section 5.1.
const ADMINISTRATIVELY_PROHIBITED: u32 = 1;
/// How long the peer may take to close its side after ours. A living one needs a round trip.
const LINGER: Duration = Duration::from_secs(1);

/// A handle on a link: ask, notify, open channels.
///
/// Clones are handles on the same link. When the last one is dropped the link closes, and its channels with it.
#[derive(Clone)]
pub struct Connection {
    guard: Arc<Guard>,
}

struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.request_close(CloseReason::Local);
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The peer did it; the payload is the request's own.
    Success(Bytes),
    /// The peer refused; the payload is a text for people.
    Failure(Bytes),
}

/// A request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing came back in time. The link is not closed; a late answer is dropped.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The link ended first.
    #[error("the connection is closed")]
    Closed,
    /// The payload does not fit a packet (256 KiB less overhead); nothing was sent.
    #[error("the payload of {0} bytes is too large to send")]
    TooLarge(usize),
}

/// A channel was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The peer refused.
    #[error("refused by the peer: {text}")]
    Rejected {
        /// SSH reason code; 1 is "administratively prohibited".
        reason: u32,
        /// The peer's words.
        text: String,
    },
    /// The link ended first.
    #[error("the connection is closed")]
    Closed,
    /// So many channels are open on this link that no more are wanted.
    #[error("too many channels on this connection")]
    TooMany,
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// We closed it.
    #[error("closed by this side")]
    Local,
    /// The peer closed it.
    #[error("closed by the peer")]
    Peer,
    /// The socket failed.
    #[error("connection lost: {0}")]
    Io(String),
    /// The peer broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
}

/// Counters of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Bytes taken from the socket.
    pub bytes_in: u64,
    /// Bytes given to the socket.
    pub bytes_out: u64,
    /// Channels that are open or being opened.
    pub open_channels: usize,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            guard: Arc::new(Guard(shared)),
        }
    }

    fn shared(&self) -> &Shared {
        &self.guard.0
    }

    /// Sends a global request and waits for the reply.
    ///
    /// Requests are answered in the order they were sent, so a slow one delays those behind it. Dropping the future
    /// gives up waiting; the request itself is not taken back.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        name: &str,
        payload: impl AsRef<[u8]>,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        let (waiter, reply) = oneshot::channel();
        self.shared().call(name, payload.as_ref(), waiter)?;
        match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(CallError::Closed),
            Err(_) => Err(CallError::Timeout(timeout)),
        }
    }

    /// Sends a global request that wants no reply. Returns when it is queued, not when it arrived.
    ///
    /// # Errors
    /// [`CallError::Closed`] or [`CallError::TooLarge`].
    pub async fn notify(&self, name: &str, payload: impl AsRef<[u8]>) -> Result<(), CallError> {
        Ok(self
            .shared()
            .out
            .send(&messages::global_request(name, false, payload.as_ref()))?)
    }

    /// Opens a channel of any kind; `extra` travels as it is. Dropping the future closes the channel if it comes.
    ///
    /// # Errors
    /// See [`OpenError`]. There is no deadline of its own: the peer's application decides when it answers.
    pub async fn open(&self, kind: &str, extra: &[u8]) -> Result<Channel, OpenError> {
        let (waiter, opened) = oneshot::channel();
        self.shared().open(kind, extra, waiter)?;
        opened.await.unwrap_or(Err(OpenError::Closed))
    }

    /// Closes the link at once; what is queued may be lost.
    pub fn close(&self) {
        self.shared().request_close(CloseReason::Local);
    }

    /// Closes the link as soon as everything queued has left, at the latest after `limit`.
    ///
    /// Then gives the peer a moment to close first: a socket that is closed while something from the peer lies
    /// unread in it is reset, and a reset may overtake what was just sent.
    pub async fn flush_and_close(&self, limit: Duration) {
        let flushed = async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while !self.shared().out.is_flushed() && !self.is_closed() {
                tick.tick().await;
            }
        };
        if tokio::time::timeout(limit, flushed).await.is_ok() {
            self.shared().out.end_writing();
            let _ = tokio::time::timeout(limit.min(LINGER), self.closed()).await;
        }
        self.close();
        self.closed().await;
    }

    /// Waits until the link has ended and tells why.
    pub async fn closed(&self) -> CloseReason {
        self.shared().closed_token().cancelled().await;
        self.shared().close_reason().unwrap_or(CloseReason::Local)
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.shared().closed_token().is_cancelled()
    }

    /// Whether the peer is one of our own programs.
    pub fn peer_is_ours(&self) -> bool {
        self.shared().ours
    }

    /// Time since anything arrived from the peer.
    pub fn idle_for(&self) -> Duration {
        self.shared().idle_for()
    }

    /// The shortest round trip measured lately; `None` with Go peers.
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared().round_trip()
    }

    /// Counters.
    pub fn stats(&self) -> LinkStats {
        let shared = self.shared();
        LinkStats {
            bytes_in: shared.bytes_in(),
            bytes_out: shared.out.bytes(),
            open_channels: shared.open_channels(),
        }
    }
}

impl From<SendError> for CallError {
    fn from(e: SendError) -> Self {
        match e {
            SendError::Closed => Self::Closed,
            SendError::TooLarge(n) => Self::TooLarge(n),
        }
    }
}

/// What the peer asks of us, in order of arrival.
///
/// Somebody must keep calling [`next`](Self::next): some hundred unserved requests stop the reading of the link.
pub struct Incoming {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl Incoming {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The next request or channel; `None` after the link has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.shared.poll_event(cx)).await
    }
}

/// Something the peer asks.
#[derive(Debug)]
pub enum Event {
    /// A global request.
    Request(IncomingRequest),
    /// A channel that the peer wants to open.
    Channel(IncomingChannel),
}

impl Event {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Request(r) => r.payload.len(),
            Self::Channel(c) => c.extra.len(),
        }
    }
}

/// A global request of the peer.
///
/// Dropping one that wants a reply refuses it with `unknown request`. Where no reply is wanted none is sent,
/// whatever is called: Go peers break on surplus replies.
pub struct IncomingRequest {
    /// Request name.
    pub name: String,
    /// Payload as it came.
    pub payload: Bytes,
    /// Whether the peer waits for an answer.
    pub wants_reply: bool,
    link: Weak<Shared>,
    place: Option<u64>,
}

impl std::fmt::Debug for IncomingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingRequest")
            .field("name", &self.name)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl IncomingRequest {
    pub(crate) fn new(shared: &Arc<Shared>, place: Option<u64>, name: String, payload: Bytes) -> Self {
        Self {
            name,
            payload,
            wants_reply: place.is_some(),
            link: Arc::downgrade(shared),
            place,
        }
    }

    /// Answers with success and a payload. A payload that does not fit a packet becomes a failure that says so.
    pub fn succeed(mut self, payload: impl AsRef<[u8]>) {
        self.answer(true, payload.as_ref());
    }

    /// Answers with failure and a text for people.
    pub fn fail(mut self, text: &str) {
        self.answer(false, text.as_bytes());
    }

    fn answer(&mut self, success: bool, payload: &[u8]) {
        if let (Some(place), Some(link)) = (self.place.take(), self.link.upgrade()) {
            let message = if payload.len() < crate::ssh::cipher::MAX_PAYLOAD {
                messages::reply(success, payload)
            } else {
                messages::reply(false, b"the answer is too large to send")
            };
            link.answer(place, message);
        }
    }
}

impl Drop for IncomingRequest {
    fn drop(&mut self) {
        self.answer(false, UNKNOWN_REQUEST.as_bytes());
    }
}

/// A channel that the peer wants to open. Dropping it refuses it.
pub struct IncomingChannel {
    /// Channel type.
    pub kind: String,
    /// Type-specific data as it came.
    pub extra: Bytes,
    link: Weak<Shared>,
    /// Local number, remote number, window and packet limit of the peer; `None` once decided.
    offer: Option<(u32, u32, u32, u32)>,
}

impl std::fmt::Debug for IncomingChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingChannel")
            .field("kind", &self.kind)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}

impl IncomingChannel {
    pub(crate) fn new(shared: &Arc<Shared>, offer: (u32, u32, u32, u32), kind: String, extra: Bytes) -> Self {
        Self {
            kind,
            extra,
            link: Arc::downgrade(shared),
            offer: Some(offer),
        }
    }

    /// Opens it. On a link that has ended the channel is closed from the start.
    pub fn accept(mut self) -> Channel {
        match (self.link.upgrade(), self.offer.take()) {
            (Some(link), Some((local, remote, window, max_packet))) => {
                link.accept(local, remote, window, max_packet)
            }
            _ => Channel::dead(),
        }
    }

    /// Refuses it with an SSH reason code and a text.
    pub fn reject(mut self, reason: u32, text: &str) {
        self.refuse(reason, text);
    }

    fn refuse(&mut self, reason: u32, text: &str) {
        if let (Some(link), Some((local, remote, ..))) = (self.link.upgrade(), self.offer.take()) {
            link.reject(local, remote, reason, text);
        }
    }
}

impl Drop for IncomingChannel {
    fn drop(&mut self) {
        self.refuse(ADMINISTRATIVELY_PROHIBITED, "not served");
    }
}
