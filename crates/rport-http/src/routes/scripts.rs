//! Scripts on one client and on many. What becomes of them is read where commands are: see `client_commands.rs` and
//! `commands.rs`.

use axum::extract::Path;
use rport_api_types::job::{JobStarted, NewClientJob};
use rport_api_types::multi_job::NewMultiJob;
use rport_domain::{ClientId, LibraryKind};

use super::{client_commands, commands};
use crate::answer::Data;
use crate::body::OrderJson;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};

/// Run a script on a client.
///
/// Answers when the client has started it or refused it; the job runs on.
#[utoipa::path(
    post, path = "/clients/{client_id}/scripts", tag = "jobs", operation_id = "run_client_script",
    params(("client_id" = String, Path)),
    request_body = NewClientJob,
    responses(
        (status = 200, body = Data<JobStarted>, description = "It was started, or waits for the client."),
        (status = 400, body = Failure, description = "The body is not understood, or the order makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`, or no access to the client."),
        (status = 404, body = Failure, description = "No such client, or it is not connected."),
        (status = 409, body = Failure, description = "The client refused it, or the vault is locked."),
        (status = 500, body = Failure, description = "The client did not answer."),
        (status = 503, body = Failure, description = "The order cannot be saved."),
    )
)]
pub(crate) async fn run_on_client(
    ctx: Ctx,
    Path(client): Path<ClientId>,
    OrderJson(new): OrderJson<NewClientJob>,
) -> ApiResult<Data<JobStarted>> {
    client_commands::run_on_client(&ctx, &client, LibraryKind::Script, new).await
}

/// Run a script on many clients.
///
/// Answers when the order is saved, without waiting for any client.
#[utoipa::path(
    post, path = "/scripts", tag = "jobs", operation_id = "run_script",
    request_body = NewMultiJob,
    responses(
        (status = 200, body = Data<JobStarted>),
        (status = 400, body = Failure, description = "The body is not understood, or the order makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`, or no access to one of the clients."),
        (status = 404, body = Failure, description = "One of the clients does not exist."),
        (status = 409, body = Failure, description = "The vault is locked."),
        (status = 503, body = Failure, description = "The order cannot be saved."),
    )
)]
pub(crate) async fn run(ctx: Ctx, OrderJson(new): OrderJson<NewMultiJob>) -> ApiResult<Data<JobStarted>> {
    commands::run_on_many(&ctx, LibraryKind::Script, new).await
}
