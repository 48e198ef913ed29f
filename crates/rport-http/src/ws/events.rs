//! `/ws/events`: what happens to clients and tunnels.

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use rport_api_types::event::EventMessage;
use rport_server::{Actor, Heard, Listener};

use super::auth::{PROTOCOL, WsCtx};
use super::session::{self, End, Session, send};
use crate::compat;
use crate::error::Failure;
use crate::state::ApiState;

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
    let listener = ctx.server.events().listen();
    let (tasks, stop) = (state.tasks().clone(), state.tasks().soft());
    upgrade
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST)
        .protocols([PROTOCOL])
        .on_upgrade(async move |mut socket| {
            let mut session = Session::new(ctx.login, stop);
            let reading = async move {
                let end = tell(listener, &mut session, ctx.actor, &mut socket).await;
                session::close(socket, end).await;
            };
            let _ = tasks.spawn("ws-events", reading).await;
        })
}

/// Tells until there is a reason to end.
async fn tell(
    mut listener: Listener,
    session: &mut Session,
    mut actor: Actor,
    socket: &mut WebSocket,
) -> End {
    loop {
        let turn = tokio::select! {
            turn = session.wait(socket) => turn,
            heard = listener.next(&actor) => match heard {
                Some(heard) => match send(socket, shown(heard)).await {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                None => return None,
            },
        };
        // Nothing is expected of the reader.
        if let Err(end) = session.handle(turn, &mut actor, socket).await {
            return end;
        }
    }
}

fn shown(heard: Heard) -> Message {
    let message = match heard {
        Heard::Event(event) => EventMessage {
            kind: event.kind.as_str(),
            client_id: Some(event.client_id.to_string()),
            tunnel_id: event.tunnel_id.map(|id| id.to_string()),
            job_id: event.job_id.map(|id| id.to_string()),
            multi_job_id: event.multi_job_id.map(|id| id.to_string()),
            count: None,
        },
        Heard::Missed(count) => EventMessage::missed(count),
    };
    let text = serde_json::to_string(&message).expect("texts and numbers are JSON");
    Message::Text(text.into())
}
