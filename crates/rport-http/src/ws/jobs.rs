//! `/ws/commands`, `/ws/scripts`: order and watch. `/ws/jobs/{job_id}`: watch what was ordered before.
//!
//! Source: rest-api.md 21.3. Differs from RPort: the end is told with a close frame; a slow reader loses output and is
//! told how much, while the original makes agents wait for it.

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use rport_api_types::job::Job;
use rport_api_types::job_message::{JobAnnounced, JobChunk, JobChunkOutput};
use rport_api_types::multi_job::NewMultiJob;
use rport_domain::{Error, JobId, Kind, LibraryKind};
use rport_server::{Actor, JobNews, JobWatch, OutputStream, Server};

use super::auth::{PROTOCOL, WsCtx};
use super::session::{self, End, Session, send};
use crate::error::{self, ApiResult, Failure};
use crate::state::ApiState;
use crate::{answer, body, compat, job_order};

/// Longest frame of a reader that has nothing to say.
const LONGEST: usize = 4096;

/// Run a command on clients and watch it.
///
/// A WebSocket. The caller sends one text frame, the body of `POST /commands`. Then come pieces of output while the
/// command runs, and one frame with the whole job for each client. The connection ends when all jobs have, or with the
/// next frame of the caller: the jobs run on. With `announce` in the order, the first frame tells its id. If the order makes no sense, one frame says so:
/// `{"errors": [{"code", "title", "detail"}]}`.
#[utoipa::path(
    get, path = "/ws/commands", tag = "jobs", operation_id = "ws_commands",
    params(("access_token" = Option<String>, Query, description = "A token, for old programs. Better send it in a header.")),
    responses(
        (status = 101, body = JobChunk, description = "The connection is a WebSocket now."),
        (status = 400, content_type = "text/plain", body = String, description = "The request does not ask for a WebSocket."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`, or the token's scope or the page's origin does not allow it."),
    )
)]
pub(crate) async fn commands(
    ctx: WsCtx,
    State(state): State<ApiState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    order(ctx, state, upgrade, LibraryKind::Command)
}

/// Run a script on clients and watch it.
///
/// As `/ws/commands`; the frame of the caller is the body of `POST /scripts`.
#[utoipa::path(
    get, path = "/ws/scripts", tag = "jobs", operation_id = "ws_scripts",
    params(("access_token" = Option<String>, Query, description = "A token, for old programs. Better send it in a header.")),
    responses(
        (status = 101, body = JobChunk, description = "The connection is a WebSocket now."),
        (status = 400, content_type = "text/plain", body = String, description = "The request does not ask for a WebSocket."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`, or the token's scope or the page's origin does not allow it."),
    )
)]
pub(crate) async fn scripts(
    ctx: WsCtx,
    State(state): State<ApiState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    order(ctx, state, upgrade, LibraryKind::Script)
}

/// Watch a job or a multi-job.
///
/// A WebSocket. What was said lately and what has ended comes first; then as in `/ws/commands`. Output is there to see
/// only if it was ordered with `stream_result`, or through a WebSocket; what was said earlier comes with the end.
#[utoipa::path(
    get, path = "/ws/jobs/{job_id}", tag = "jobs", operation_id = "ws_job",
    params(
        ("job_id" = String, Path),
        ("access_token" = Option<String>, Query, description = "A token, for old programs. Better send it in a header."),
    ),
    responses(
        (status = 101, body = JobChunk, description = "The connection is a WebSocket now."),
        (status = 400, content_type = "text/plain", body = String, description = "The request does not ask for a WebSocket."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller may not see it, or the token's scope or the page's origin does not allow it."),
        (status = 404, body = Failure, description = "There is no such job."),
    )
)]
pub(crate) async fn job(
    ctx: WsCtx,
    State(state): State<ApiState>,
    Path(id): Path<JobId>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let watch = ctx.server.jobs().watch(&ctx.actor, &id).await?;
    let Ok(upgrade) = upgrade else {
        return Ok(compat::no_websocket());
    };
    Ok(serve(ctx, &state, upgrade, LONGEST, Task::Watch(watch)))
}

fn order(
    ctx: WsCtx,
    state: ApiState,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    kind: LibraryKind,
) -> ApiResult<Response> {
    ctx.actor.require(kind.permission())?;
    let Ok(upgrade) = upgrade else {
        return Ok(compat::no_websocket());
    };
    let longest = body::order_limit(state.options());
    Ok(serve(ctx, &state, upgrade, longest, Task::Order(kind)))
}

/// What a WebSocket is for.
enum Task {
    Order(LibraryKind),
    Watch(JobWatch),
}

fn serve(ctx: WsCtx, state: &ApiState, upgrade: WebSocketUpgrade, longest: usize, task: Task) -> Response {
    let (tasks, stop) = (state.tasks().clone(), state.tasks().soft());
    upgrade
        .max_message_size(longest)
        .max_frame_size(longest)
        .protocols([PROTOCOL])
        .on_upgrade(async move |socket| {
            let reader = Reader {
                session: Session::new(ctx.login, stop),
                actor: ctx.actor,
                server: ctx.server,
                socket,
            };
            let _ = tasks.spawn("ws-jobs", reader.run(task)).await;
        })
        .into_response()
}

/// Somebody who watches jobs.
struct Reader {
    session: Session,
    actor: Actor,
    server: Server,
    socket: WebSocket,
}

impl Reader {
    async fn run(mut self, task: Task) {
        let end = match self.serve(task).await {
            Ok(()) => Some((close_code::NORMAL, "")),
            Err(end) => end,
        };
        session::close(self.socket, end).await;
    }

    async fn serve(&mut self, task: Task) -> Result<(), End> {
        let mut watch = match task {
            Task::Watch(watch) => watch,
            Task::Order(kind) => {
                let text = self.first_frame().await?;
                // Not given up when the reader goes away: the order may be on disk already.
                match self.ordered(kind, &text).await {
                    Ok((announced, watch)) => {
                        if let Some(announced) = announced {
                            self.tell(&announced).await?;
                        }
                        watch
                    }
                    Err(error) => return self.tell(&error::failure(&in_words(error, kind))).await,
                }
            }
        };
        loop {
            let turn = tokio::select! {
                turn = self.session.wait(&mut self.socket) => turn,
                news = watch.next(&self.actor) => match news {
                    Some(news) => {
                        self.show(news).await?;
                        continue;
                    }
                    None => return Ok(()),
                },
            };
            let said = self
                .session
                .handle(turn, &mut self.actor, &mut self.socket)
                .await?;
            if said.is_some() {
                return Ok(());
            }
        }
    }

    async fn first_frame(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let turn = self.session.wait(&mut self.socket).await;
            let said = self
                .session
                .handle(turn, &mut self.actor, &mut self.socket)
                .await?;
            if let Some(message) = said {
                return Ok(message.into_data().to_vec());
            }
        }
    }

    async fn ordered(
        &mut self,
        kind: LibraryKind,
        text: &[u8],
    ) -> Result<(Option<JobAnnounced>, JobWatch), Error> {
        let new: NewMultiJob = body::parse(text)?;
        let announce = new.announce;
        let new = job_order::for_many(kind, new)?;
        let (id, watch) = self.server.jobs().run_watched(&self.actor, new).await?;
        let announced = announce.then(|| JobAnnounced {
            multi_job_id: id.to_string(),
        });
        Ok((announced, watch))
    }

    async fn show(&mut self, news: JobNews) -> Result<(), End> {
        let chunk = |jid: &JobId, client_id: String, client_name, result, skipped| JobChunk {
            jid: jid.to_string(),
            client_id,
            client_name,
            result,
            skipped,
        };
        match news {
            JobNews::Chunk {
                job,
                client,
                client_name,
                stream,
                text,
            } => {
                let mut result = JobChunkOutput::default();
                match stream {
                    OutputStream::Stdout => result.stdout = text,
                    OutputStream::Stderr => result.stderr = text,
                }
                self.tell(&chunk(&job, client.to_string(), client_name, result, None))
                    .await
            }
            JobNews::Skipped {
                job,
                client,
                client_name,
                bytes,
            } => {
                let nothing = JobChunkOutput::default();
                self.tell(&chunk(
                    &job,
                    client.to_string(),
                    client_name,
                    nothing,
                    Some(bytes),
                ))
                .await
            }
            JobNews::Finished(job) => self.tell(&Job::watched((*job).clone())).await,
        }
    }

    /// Sends a frame, ended by a newline as the original's are.
    async fn tell(&mut self, value: &impl serde::Serialize) -> Result<(), End> {
        let mut line = answer::to_line(value);
        line.push(b'\n');
        let text = String::from_utf8_lossy(&line).into_owned();
        send(&mut self.socket, Message::Text(text.into())).await
    }
}

/// The original's words on a WebSocket differ from those of the calls: there is no title for what is wrong with
/// targets.
fn in_words(mut error: Error, kind: LibraryKind) -> Error {
    /// How the texts about targets begin.
    const TARGETS: [&str; 7] = [
        "Missing targeting parameters.",
        "Multiple targeting parameters.",
        "No tags specified.",
        "Unknown group with id=",
        "Client with id=",
        "at least 1 client should be specified",
        "no active clients belong to the selected group(s)",
    ];
    if !matches!(error.kind, Kind::Invalid | Kind::NotFound) {
        return error;
    }
    match error.title.as_str() {
        compat::MISSING_JSON => {
            error.title =
                "Inbound message should contain non empty json object with command data.".to_owned();
        }
        "Invalid interpreter." => error.title = "Invalid interpreter".to_owned(),
        text if kind == LibraryKind::Script && text.starts_with("illegal base64 data") => {
            error.detail = std::mem::replace(
                &mut error.title,
                "Failed to create script on multiple clients".to_owned(),
            );
        }
        text if TARGETS.iter().any(|begin| text.starts_with(begin)) => {
            error.detail = std::mem::take(&mut error.title);
        }
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_words_of_websockets() {
        let words = |error: Error, kind| {
            let error = in_words(error, kind);
            (error.title, error.detail)
        };
        let command = |error| words(error, LibraryKind::Command);
        let is = |title: &str, detail: &str| (title.to_owned(), detail.to_owned());
        assert_eq!(
            command(Error::invalid("No tags specified.")),
            is("", "No tags specified.")
        );
        assert_eq!(
            command(Error::not_found("Client with id=\"x\" not found.")),
            is("", "Client with id=\"x\" not found.")
        );
        assert_eq!(
            command(Error::invalid("Invalid interpreter.").detail("why")),
            is("Invalid interpreter", "why")
        );
        assert_eq!(
            command(Error::invalid("Command cannot be empty.")),
            is("Command cannot be empty.", "")
        );
        assert_eq!(command(Error::forbidden("no")), is("no", ""));
        assert_eq!(
            words(
                Error::invalid("illegal base64 data at input byte 2"),
                LibraryKind::Script
            ),
            is(
                "Failed to create script on multiple clients",
                "illegal base64 data at input byte 2"
            )
        );
    }
}
