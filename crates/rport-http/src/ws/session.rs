//! What keeps a WebSocket open: its reader is there, its session lasts, the server runs.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use rport_server::{Actor, Login};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often the session is looked at besides the moments when one was ended somewhere.
const RECHECK: Duration = Duration::from_secs(5);
/// How often a silent reader is asked whether it is there; one that did not answer until the next time is gone.
const PING: Duration = Duration::from_secs(20);
/// How long a frame may take to go out.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Why a WebSocket ends: a reason for the reader, or `None` when the reader is gone.
pub(super) type End = Option<(u16, &'static str)>;

/// Something that happened to a WebSocket.
pub(super) enum Turn {
    /// The reader sent something.
    Frame(Message),
    /// Look whether the session lasts.
    LookAgain,
    /// Ask whether the reader is there.
    Ping,
    /// It ends.
    End(End),
}

/// Watches over one WebSocket.
pub(super) struct Session {
    login: Login,
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    recheck: Interval,
    ping: Interval,
    is_there: bool,
}

impl Session {
    pub(super) fn new(login: Login, stop: CancellationToken) -> Self {
        let every = |period| {
            let mut tick = interval(period);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            tick
        };
        Self {
            changes: login.changes(),
            login,
            stop,
            recheck: every(RECHECK),
            ping: every(PING),
            is_there: true,
        }
    }

    /// Waits for something to happen. Cancel-safe. Hand what it returns to [`Self::handle`].
    pub(super) async fn wait(&mut self, socket: &mut WebSocket) -> Turn {
        tokio::select! {
            () = self.stop.cancelled() => Turn::End(Some((close_code::AWAY, "the server stops"))),
            frame = socket.recv() => match frame {
                None | Some(Ok(Message::Close(_)) | Err(_)) => Turn::End(None),
                Some(Ok(message)) => {
                    self.is_there = true;
                    Turn::Frame(message)
                }
            },
            _ = self.changes.changed() => Turn::LookAgain,
            _ = self.recheck.tick() => Turn::LookAgain,
            _ = self.ping.tick() => {
                if std::mem::take(&mut self.is_there) {
                    Turn::Ping
                } else {
                    Turn::End(None)
                }
            }
        }
    }

    /// Does what has to be done, and returns what the reader said, pings and their answers aside. The actor is brought
    /// up to date.
    pub(super) async fn handle(
        &self,
        turn: Turn,
        actor: &mut Actor,
        socket: &mut WebSocket,
    ) -> Result<Option<Message>, End> {
        match turn {
            Turn::Frame(Message::Ping(_) | Message::Pong(_)) => Ok(None),
            Turn::Frame(message) => Ok(Some(message)),
            Turn::LookAgain => self.look_again(actor).await.map(|()| None),
            Turn::Ping => send(socket, Message::Ping(Default::default()))
                .await
                .map(|()| None),
            Turn::End(end) => Err(end),
        }
    }

    /// Looks whether the reader may still listen, and what to.
    async fn look_again(&self, actor: &mut Actor) -> Result<(), End> {
        match self.login.refreshed(actor).await {
            Ok(Some(refreshed)) => {
                *actor = refreshed;
                Ok(())
            }
            Ok(None) => Err(Some((close_code::POLICY, "the session has ended"))),
            Err(error) => {
                tracing::warn!(%error, "a WebSocket is cut off, its session cannot be looked at");
                Err(Some((close_code::AGAIN, "please connect again")))
            }
        }
    }
}

/// Sends a frame; a reader that does not take it in time is gone.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

/// Tells the reader why its WebSocket ends.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    if let Some((code, text)) = end {
        let frame = CloseFrame {
            code,
            reason: text.into(),
        };
        let _ = send(&mut socket, Message::Close(Some(frame))).await;
    }
}
