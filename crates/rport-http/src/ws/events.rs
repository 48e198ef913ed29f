//! `/ws/events`: what happens to clients and tunnels.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use rport_api_types::event::EventMessage;
use rport_server::{Actor, Heard, Listener, Login};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::auth::{PROTOCOL, WsCtx};
use crate::compat;
use crate::error::Failure;
use crate::state::ApiState;

/// How often the session is looked at besides the moments when one was ended somewhere.
const RECHECK: Duration = Duration::from_secs(5);
/// How often a silent reader is asked whether it is there; one that did not answer until the next time is gone.
const PING: Duration = Duration::from_secs(20);
/// How long a frame may take to go out.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// Longest frame a reader may send. Nothing is expected of it.
const LONGEST: usize = 4096;

/// Hear what happens.
///
/// A WebSocket. Each text frame is an event about a client that the caller may access, or a note that some were missed.
/// Programs send an `Authorization` header; browsers offer the sub-protocols `rport.v1` and `bearer.TOKEN`. The
/// connection ends within seconds after the session does.
#[utoipa::path(
    get, path = "/ws/events", tag = "events", operation_id = "ws_events",
    params(("access_token" = Option<String>, Query, description = "A token, for old programs. Better send it in a header.")),
    responses(
        (status = 101, body = rport_api_types::event::EventMessage, description = "The connection is a WebSocket now."),
        (status = 400, content_type = "text/plain", body = String, description = "The request does not ask for a WebSocket."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The token's scope or the page's origin does not allow it."),
    )
)]
pub(crate) async fn events(
    ctx: WsCtx,
    State(state): State<ApiState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return compat::no_websocket();
    };
    // Before the answer, so that nothing is missed from the moment the caller has it.
    let reader = Reader {
        listener: ctx.server.events().listen(),
        login: ctx.login,
        actor: ctx.actor,
        stop: state.tasks().soft(),
    };
    let tasks = state.tasks().clone();
    upgrade
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST)
        .protocols([PROTOCOL])
        .on_upgrade(async move |socket| {
            let _ = tasks.spawn("ws-events", reader.run(socket)).await;
        })
}

/// One reader of events.
struct Reader {
    listener: Listener,
    login: Login,
    actor: Actor,
    stop: CancellationToken,
}

impl Reader {
    async fn run(mut self, mut socket: WebSocket) {
        let reason = self.serve(&mut socket).await;
        if let Some((code, text)) = reason {
            let frame = CloseFrame {
                code,
                reason: text.into(),
            };
            let _ = timeout(SEND_LIMIT, socket.send(Message::Close(Some(frame)))).await;
        }
    }

    /// Serves until there is a reason to end, which is told to the reader, or the reader is gone (`None`).
    async fn serve(&mut self, socket: &mut WebSocket) -> Option<(u16, &'static str)> {
        let mut changes = self.login.changes();
        let every = |period| {
            let mut tick = interval(period);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            tick
        };
        let (mut recheck, mut ping) = (every(RECHECK), every(PING));
        let mut is_there = true;
        loop {
            let message = tokio::select! {
                () = self.stop.cancelled() => return Some((close_code::AWAY, "the server stops")),
                heard = self.listener.next(&self.actor) => shown(heard?),
                frame = socket.recv() => match frame? {
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {
                        is_there = true;
                        continue;
                    }
                },
                _ = changes.changed() => match self.look_again().await {
                    Some(reason) => return Some(reason),
                    None => continue,
                },
                _ = recheck.tick() => match self.look_again().await {
                    Some(reason) => return Some(reason),
                    None => continue,
                },
                _ = ping.tick() => {
                    if !std::mem::take(&mut is_there) {
                        return None;
                    }
                    Message::Ping(Default::default())
                }
            };
            if !matches!(timeout(SEND_LIMIT, socket.send(message)).await, Ok(Ok(()))) {
                return None;
            }
        }
    }

    /// Looks whether the reader may still listen, and what to.
    async fn look_again(&mut self) -> Option<(u16, &'static str)> {
        match self.login.refreshed(&self.actor).await {
            Ok(Some(actor)) => {
                self.actor = actor;
                None
            }
            Ok(None) => Some((close_code::POLICY, "the session has ended")),
            Err(error) => {
                tracing::warn!(%error, "a reader of events is cut off, its session cannot be looked at");
                Some((close_code::AGAIN, "please connect again"))
            }
        }
    }
}

fn shown(heard: Heard) -> Message {
    let message = match heard {
        Heard::Event(event) => EventMessage {
            kind: event.kind.as_str(),
            client_id: Some(event.client_id.to_string()),
            tunnel_id: event.tunnel_id.map(|id| id.to_string()),
            count: None,
        },
        Heard::Missed(count) => EventMessage::missed(count),
    };
    let text = serde_json::to_string(&message).expect("texts and numbers are JSON");
    Message::Text(text.into())
}
