//! What the handles of a link share, and the task that reads it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::channel::{ChannelFault, ChannelState};
use super::cipher::Opener;
use super::inbound::{Inbound, InboundError};
use super::kex::{Kex, Step};
use super::messages::{self, Message, PING, PONG};
use super::outbound::{Outbound, SendError};
use super::requests::{Answers, Calls};
use super::table::Table;
use super::window;
use crate::channel::Channel;
use crate::connection::{CloseReason, Event, IncomingChannel, IncomingRequest, OpenError, Reply};

/// Largest data packet that Go peers accept.
const GO_MAX_PACKET: u32 = 32 * 1024;
/// Between our own programs: fewer packets and system calls, still short enough for turns between channels.
const OURS_MAX_PACKET: u32 = 64 * 1024;
/// Unserved requests and channels after which the link is not read until they are served.
const EVENTS_LIMIT: usize = 256;
const EVENT_BYTES_LIMIT: usize = 4 * 1024 * 1024;
/// Requests that wait for our reply; a peer with more is broken or hostile.
const ANSWERS_LIMIT: usize = 1024;
/// Packets handled before other tasks get the processor.
const PACKETS_PER_TURN: usize = 64;
/// RFC 4254, section 5.1.
const RESOURCE_SHORTAGE: u32 = 4;
const INVALID_REQUEST: u32 = 2;
/// How often the round trip is measured while data flows.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A measured round trip is forgotten after this, so that a new path shows.
const ROUND_TRIP_TTL: Duration = Duration::from_secs(30);

/// Largest data packet for a peer.
pub(crate) fn max_packet(peer_is_ours: bool) -> u32 {
    if peer_is_ours {
        OURS_MAX_PACKET
    } else {
        GO_MAX_PACKET
    }
}

#[derive(Default)]
struct Events {
    queue: VecDeque<Event>,
    bytes: usize,
    waker: Option<Waker>,
    closed: bool,
}

/// A link as its handles and its task see it.
pub(crate) struct Shared {
    pub(crate) out: Outbound,
    /// The peer is one of our own programs.
    pub(crate) ours: bool,
    table: Mutex<Table>,
    calls: Mutex<Calls>,
    answers: Mutex<Answers>,
    events: Mutex<Events>,
    closed: CancellationToken,
    reason: OnceLock<CloseReason>,
    started: Instant,
    last_in_ms: AtomicU64,
    round_trip_us: AtomicU32,
    bytes_in: AtomicU64,
    max_channels: usize,
}

impl Shared {
    pub(crate) fn new(out: Outbound, ours: bool, max_channels: usize) -> Self {
        Self {
            out,
            ours,
            table: Mutex::default(),
            calls: Mutex::default(),
            answers: Mutex::default(),
            events: Mutex::default(),
            closed: CancellationToken::new(),
            reason: OnceLock::new(),
            started: Instant::now(),
            last_in_ms: AtomicU64::new(0),
            round_trip_us: AtomicU32::new(u32::MAX),
            bytes_in: AtomicU64::new(0),
            max_channels,
        }
    }

    /// The shortest round trip of the last half minute; unknown with Go peers, which are not measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match self.round_trip_us.load(Ordering::Relaxed) {
            u32::MAX => None,
            us => Some(Duration::from_micros(u64::from(us))),
        }
    }

    /// Time since the peer was last heard.
    pub(crate) fn idle_for(&self) -> Duration {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(now.saturating_sub(self.last_in_ms.load(Ordering::Relaxed)))
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    pub(crate) fn open_channels(&self) -> usize {
        self.table.lock().len()
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.reason.get().cloned()
    }

    pub(crate) fn closed_token(&self) -> &CancellationToken {
        &self.closed
    }

    /// Asks the link's task to end the link.
    pub(crate) fn request_close(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
        self.out.wake_driver();
    }

    /// Sends a request that wants a reply.
    pub(crate) fn call(
        &self,
        name: &str,
        payload: &[u8],
        waiter: tokio::sync::oneshot::Sender<Reply>,
    ) -> Result<(), SendError> {
        let message = messages::global_request(name, true, payload);
        self.out
            .send_with(&message, || self.calls.lock().push(name, waiter))
    }

    /// Sends CHANNEL_OPEN; the waiter hears the outcome.
    pub(crate) fn open(
        &self,
        kind: &str,
        extra: &[u8],
        waiter: super::table::OpenWaiter,
    ) -> Result<(), OpenError> {
        let id = {
            let mut table = self.table.lock();
            if table.len() >= self.max_channels {
                return Err(OpenError::TooMany);
            }
            table.insert_opening(waiter)
        };
        let message = messages::open(kind, id, window::initial(self.ours), max_packet(self.ours), extra);
        self.out.send(&message).map_err(|_| {
            self.table.lock().remove(id);
            OpenError::Closed
        })
    }

    /// Accepts a channel that the peer opened.
    pub(crate) fn accept(self: &Arc<Self>, local: u32, remote: u32, window: u32, max_packet: u32) -> Channel {
        let state = Arc::new(ChannelState::new(self, remote, window, max_packet));
        self.table.lock().set_open(local, state.clone());
        let confirmation = messages::open_confirmation(
            remote,
            local,
            window::initial(self.ours),
            self::max_packet(self.ours),
        );
        if self.out.send(&confirmation).is_err() {
            state.on_link_closed();
        }
        Channel::new(state)
    }

    /// Refuses a channel that the peer opened.
    pub(crate) fn reject(&self, local: u32, remote: u32, reason: u32, text: &str) {
        self.table.lock().remove(local);
        let _ = self.out.send(&messages::open_failure(remote, reason, text));
    }

    /// Files the reply to a request and sends all replies whose turn it is.
    pub(crate) fn answer(&self, place: u64, payload: Vec<u8>) {
        let mut answers = self.answers.lock();
        answers.fill(place, payload);
        while let Some(payload) = answers.next() {
            let _ = self.out.send(&payload);
        }
    }

    fn push_event(&self, event: Event, bytes: usize) {
        let mut events = self.events.lock();
        if events.closed {
            return;
        }
        events.bytes += bytes;
        events.queue.push_back(event);
        if let Some(waker) = events.waker.take() {
            waker.wake();
        }
    }

    fn events_are_full(&self) -> bool {
        let events = self.events.lock();
        events.queue.len() >= EVENTS_LIMIT || events.bytes >= EVENT_BYTES_LIMIT
    }

    /// The next request or channel of the peer; `None` when the link is closed and all were taken.
    pub(crate) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut events = self.events.lock();
        let was_full = events.queue.len() >= EVENTS_LIMIT || events.bytes >= EVENT_BYTES_LIMIT;
        if let Some(event) = events.queue.pop_front() {
            events.bytes = events.bytes.saturating_sub(event.size());
            if events.queue.is_empty() {
                events.queue = VecDeque::new();
            }
            drop(events);
            if was_full {
                self.out.wake_driver();
            }
            return Poll::Ready(Some(event));
        }
        if events.closed {
            return Poll::Ready(None);
        }
        events.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends everything; called once, by the link's task.
    fn finish(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
        self.out.close();
        let channels = self.table.lock().drain();
        for channel in channels {
            channel.on_link_closed();
        }
        self.calls.lock().clear();
        let waker = {
            let mut events = self.events.lock();
            events.closed = true;
            events.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.closed.cancel();
    }
}

/// Why the link must end.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error(transparent)]
    Inbound(#[from] InboundError),
    #[error(transparent)]
    Malformed(#[from] super::wire::Malformed),
    #[error(transparent)]
    Kex(#[from] super::kex::KexError),
    #[error(transparent)]
    Channel(#[from] ChannelFault),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("message for channel {0}, which is not open")]
    UnknownChannel(u32),
    #[error("too many requests wait for an answer")]
    TooManyRequests,
    #[error("the crypto library refused the keys")]
    Keys,
}

/// The task of a link: reads, dispatches, and writes what could not be written inline.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    inbound: Inbound,
    opener: Opener,
    kex: Kex,
    rekey_after: u64,
    received_under_key: u64,
    packets_under_key: u64,
    last_ping: Option<Instant>,
    round_trip_since: Option<Instant>,
}

/// Packets under one key and direction before it is renewed, whatever their size (RFC 4344, section 3.1).
const REKEY_PACKETS: u64 = 1 << 31;

/// How often what a peer sent before it closed is looked at again; enough for a full receive buffer.
const LAST_TURNS: u32 = 256;

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        inbound: Inbound,
        opener: Opener,
        kex: Kex,
        rekey_after: u64,
    ) -> Self {
        Self {
            shared,
            inbound,
            opener,
            kex,
            rekey_after,
            received_under_key: 0,
            packets_under_key: 0,
            last_ping: None,
            round_trip_since: None,
        }
    }

    /// Runs the link until it ends.
    pub(crate) async fn run(mut self) {
        // Closing also when this task is aborted at shutdown: handles must never wait for a task that is gone.
        struct Finish(Arc<Shared>);
        impl Drop for Finish {
            fn drop(&mut self) {
                self.0.finish(CloseReason::Local);
            }
        }
        let finish = Finish(self.shared.clone());
        if self.shared.ours {
            self.ping(Instant::now());
        }
        let reason = std::future::poll_fn(|cx| self.poll(cx)).await;
        finish.0.finish(reason);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        if let Poll::Ready(Err(e)) = self.shared.out.poll_drive(cx) {
            // A peer that says its last word and closes resets what is sent meanwhile; its word still counts.
            for _ in 0..LAST_TURNS {
                if !matches!(self.read_some(cx), Ok(Poll::Ready(()))) {
                    break;
                }
            }
            return Poll::Ready(
                self.shared
                    .close_reason()
                    .unwrap_or_else(|| CloseReason::Io(e.to_string())),
            );
        }
        if let Some(reason) = self.shared.close_reason() {
            return Poll::Ready(reason);
        }
        match self.read_some(cx) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(Fatal::Inbound(InboundError::Eof)) => Poll::Ready(CloseReason::Peer),
            Err(Fatal::Inbound(InboundError::Io(e))) => Poll::Ready(CloseReason::Io(e.to_string())),
            Err(e) => Poll::Ready(CloseReason::Protocol(e.to_string())),
        }
    }

    /// Handles packets until the socket is empty (`Pending`) or it is somebody else's turn (`Ready`).
    fn read_some(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Fatal> {
        let mut now = None;
        for _ in 0..PACKETS_PER_TURN {
            if self.shared.events_are_full() {
                return Ok(Poll::Pending);
            }
            let before = self.inbound.bytes;
            let polled = self.inbound.poll_packet(cx, &mut self.opener);
            let payload = match polled {
                Poll::Pending => {
                    self.after_read(before);
                    return Ok(Poll::Pending);
                }
                Poll::Ready(payload) => payload?,
            };
            if self.shared.out.is_ending() {
                continue;
            }
            let now = *now.get_or_insert_with(Instant::now);
            let len = payload.len() as u64;
            // The payload borrows the read buffer, so everything else is reached through the other fields.
            let parsed = Message::parse(payload)?;
            match parsed {
                Message::KexInit | Message::Kex => {
                    let payload = payload.to_vec();
                    self.key_exchange(&payload)?;
                }
                Message::Pong { data } => {
                    let sent = <[u8; 8]>::try_from(data).map(u64::from_be_bytes).ok();
                    self.pong(sent, now);
                }
                Message::Disconnect { reason, text } => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    tracing::debug!(reason, text = %text, "the peer disconnects");
                    return Err(InboundError::Eof.into());
                }
                message => dispatch(&self.shared, message, now)?,
            }
            self.after_read(before);
            self.count(len, now)?;
        }
        Ok(Poll::Ready(()))
    }

    fn after_read(&mut self, before: u64) {
        let pings = self.inbound.take_pings();
        for data in pings {
            self.shared.out.send_pong(&data);
        }
        if self.inbound.bytes != before {
            let ms = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.shared.last_in_ms.store(ms, Ordering::Relaxed);
            self.shared.bytes_in.store(self.inbound.bytes, Ordering::Relaxed);
        }
    }

    /// Renews keys when they are used up, and measures the round trip now and then.
    fn count(&mut self, len: u64, now: Instant) -> Result<(), Fatal> {
        self.received_under_key += len;
        self.packets_under_key += 1;
        // Looking at the write side's counters takes a lock: every sixteenth packet is often enough.
        if self.packets_under_key.is_multiple_of(16) && !self.kex.is_running() {
            let (sent, packets) = self.shared.out.key_usage();
            let used_up = sent.max(self.received_under_key) >= self.rekey_after
                || packets.max(self.packets_under_key) >= REKEY_PACKETS;
            if used_up && let Some(kexinit) = self.kex.start()? {
                self.shared.out.begin_kex(&kexinit)?;
            }
        }
        if self.shared.ours
            && self
                .last_ping
                .is_some_and(|last| now.duration_since(last) > PING_EVERY)
        {
            self.ping(now);
        }
        Ok(())
    }

    fn ping(&mut self, now: Instant) {
        self.last_ping = Some(now);
        let at = u64::try_from(now.duration_since(self.shared.started).as_micros()).unwrap_or(u64::MAX);
        let _ = self.shared.out.send(&messages::ping(PING, &at.to_be_bytes()));
    }

    fn pong(&mut self, sent: Option<u64>, now: Instant) {
        let Some(sent) = sent else { return };
        let at = u64::try_from(now.duration_since(self.shared.started).as_micros()).unwrap_or(u64::MAX);
        let Some(took) = at.checked_sub(sent).and_then(|us| u32::try_from(us).ok()) else {
            return;
        };
        let fresh = self
            .round_trip_since
            .is_none_or(|since| now.duration_since(since) > ROUND_TRIP_TTL);
        let known = self.shared.round_trip_us.load(Ordering::Relaxed);
        if fresh || took < known {
            self.round_trip_since = Some(now);
            self.shared.round_trip_us.store(took, Ordering::Relaxed);
        }
    }

    fn key_exchange(&mut self, payload: &[u8]) -> Result<(), Fatal> {
        let ours_is_out = self.kex.is_running();
        for (i, step) in self.kex.receive(payload)?.into_iter().enumerate() {
            match step {
                // The peer began: our own KEXINIT comes first and holds everything else back.
                Step::Send(kexinit) if i == 0 && !ours_is_out => self.shared.out.begin_kex(&kexinit)?,
                Step::Send(payload) => self.shared.out.send_kex(&payload)?,
                Step::SwitchOut(keys) => self.shared.out.switch(&keys)?,
                Step::SwitchIn(keys) => {
                    self.opener
                        .rekey(keys.cipher, &keys.key, &keys.iv, keys.reset_sequence)
                        .map_err(|_| Fatal::Keys)?;
                    self.received_under_key = 0;
                    self.packets_under_key = 0;
                }
            }
        }
        Ok(())
    }
}

/// Acts on one message of the connection layer.
fn dispatch(shared: &Arc<Shared>, message: Message<'_>, now: Instant) -> Result<(), Fatal> {
    let channel = |id: u32| shared.table.lock().get(id).cloned();
    match message {
        Message::Data { recipient, data } => {
            channel(recipient)
                .ok_or(Fatal::UnknownChannel(recipient))?
                .on_data(data, now)?;
        }
        Message::ExtendedData { recipient, data } => {
            channel(recipient)
                .ok_or(Fatal::UnknownChannel(recipient))?
                .on_unread_data(data.len(), now)?;
        }
        // Late news of a channel that is gone harms nobody.
        Message::WindowAdjust { recipient, bytes } => {
            if let Some(channel) = channel(recipient) {
                channel.on_window_adjust(bytes)?;
            }
        }
        Message::Eof { recipient } => {
            if let Some(channel) = channel(recipient) {
                channel.on_eof();
            }
        }
        Message::Close { recipient } => {
            let state = shared.table.lock().remove(recipient);
            state.ok_or(Fatal::UnknownChannel(recipient))?.on_close();
        }
        Message::Open {
            kind,
            sender,
            window,
            max_packet,
            extra,
        } => {
            offer(shared, kind, (sender, window, max_packet), extra);
        }
        Message::OpenConfirmation {
            recipient,
            sender,
            window,
            max_packet,
        } => {
            let waiter = shared
                .table
                .lock()
                .take_opening(recipient)
                .ok_or(Fatal::UnknownChannel(recipient))?;
            let state = Arc::new(ChannelState::new(shared, sender, window, max_packet));
            shared.table.lock().set_open(recipient, state.clone());
            // If nobody waits any more, dropping the channel closes it.
            let _ = waiter.send(Ok(Channel::new(state)));
        }
        Message::OpenFailure {
            recipient,
            reason,
            text,
        } => {
            let waiter = shared
                .table
                .lock()
                .take_opening(recipient)
                .ok_or(Fatal::UnknownChannel(recipient))?;
            shared.table.lock().remove(recipient);
            let text = String::from_utf8_lossy(text).into_owned();
            let _ = waiter.send(Err(OpenError::Rejected { reason, text }));
        }
        Message::GlobalRequest {
            name,
            want_reply,
            payload,
        } => {
            let place = if want_reply {
                let mut answers = shared.answers.lock();
                if answers.len() >= ANSWERS_LIMIT {
                    return Err(Fatal::TooManyRequests);
                }
                Some(answers.reserve())
            } else {
                None
            };
            let request =
                IncomingRequest::new(shared, place, name.to_owned(), Bytes::copy_from_slice(payload));
            shared.push_event(Event::Request(request), payload.len());
        }
        Message::Reply { success, payload } => shared.calls.lock().reply(success, payload, shared.ours),
        // Nothing in RPort's tunnels uses channel requests; refuse the ones that want an answer.
        Message::ChannelRequest {
            recipient,
            want_reply: true,
            ..
        } => {
            if let Some(channel) = channel(recipient) {
                channel.refuse_request();
            }
        }
        Message::Ping { data } => shared.out.send(&messages::ping(PONG, data))?,
        Message::ChannelRequest { .. } | Message::ChannelReply { .. } | Message::Ignore => {}
        Message::KexInit | Message::Kex | Message::Pong { .. } | Message::Disconnect { .. } => {}
    }
    Ok(())
}

/// The peer opens a channel: hand it to the application, unless it cannot be.
fn offer(shared: &Arc<Shared>, kind: &str, (remote, window, max): (u32, u32, u32), extra: &[u8]) {
    let refuse = |reason, text: &str| {
        let _ = shared.out.send(&messages::open_failure(remote, reason, text));
    };
    // The bounds of x/crypto, which refuses such channels with the same text.
    if !(9..=1 << 31).contains(&max) {
        return refuse(INVALID_REQUEST, "invalid request");
    }
    let local = {
        let mut table = shared.table.lock();
        if table.len() >= shared.max_channels {
            drop(table);
            return refuse(RESOURCE_SHORTAGE, "too many channels");
        }
        table.insert_offered()
    };
    let size = extra.len();
    let channel = IncomingChannel::new(
        shared,
        (local, remote, window, max),
        kind.to_owned(),
        Bytes::copy_from_slice(extra),
    );
    shared.push_event(Event::Channel(channel), size);
}
