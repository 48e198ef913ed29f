//! Commands on one client, and the jobs of a client.

use axum::extract::Path;
use http::StatusCode;
use rport_api_types::job::{Job, JobItem, JobStarted, NewClientJob};
use rport_domain::{ClientId, JOB_LIST, JobId, LibraryKind};

use crate::answer::{Data, Listed};
use crate::body::OrderJson;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::job_order;
use crate::list_query::{ListParams, QueryPairs};

/// Run a command on a client.
///
/// Answers when the client has started it or refused it; the job runs on.
#[utoipa::path(
    post, path = "/clients/{client_id}/commands", tag = "jobs", operation_id = "run_client_command",
    params(("client_id" = String, Path)),
    request_body = NewClientJob,
    responses(
        (status = 200, body = Data<JobStarted>, description = "It was started, or waits for the client."),
        (status = 400, body = Failure, description = "The body is not understood, or the order makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`, or no access to the client."),
        (status = 404, body = Failure, description = "No such client, or it is not connected."),
        (status = 409, body = Failure, description = "The client refused it, or the vault is locked."),
        (status = 500, body = Failure, description = "The client did not answer."),
        (status = 503, body = Failure, description = "The order cannot be saved."),
    )
)]
pub(crate) async fn run(
    ctx: Ctx,
    Path(client): Path<ClientId>,
    OrderJson(new): OrderJson<NewClientJob>,
) -> ApiResult<Data<JobStarted>> {
    run_on_client(&ctx, &client, LibraryKind::Command, new).await
}

/// Commands and scripts differ in their words only.
pub(super) async fn run_on_client(
    ctx: &Ctx,
    client: &ClientId,
    kind: LibraryKind,
    new: NewClientJob,
) -> ApiResult<Data<JobStarted>> {
    ctx.actor.require(kind.permission())?;
    let new = job_order::for_client(kind, new)?;
    let id = ctx.server().jobs().run(&ctx.actor, client, new).await?;
    Ok(Data {
        data: JobStarted { jid: id.to_string() },
    })
}

/// List the jobs of a client.
///
/// Commands and scripts, as far as the caller may run them. Those that ended last come first. Members are `jid`,
/// `status`, `finished_at` and the summary of the result unless others are asked for with `fields[jobs]` and
/// `fields[result]`; pages have 100 jobs unless asked otherwise, 1000 at most.
#[utoipa::path(
    get, path = "/clients/{client_id}/commands", tag = "jobs", operation_id = "list_client_jobs",
    params(("client_id" = String, Path), ListParams),
    responses(
        (status = 200, body = Listed<JobItem>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "Neither permission `commands` nor `scripts`, or no access to the client."),
        (status = 404, body = Failure, description = "There is no such client."),
    )
)]
pub(crate) async fn list(
    ctx: Ctx,
    Path(client): Path<ClientId>,
    query: QueryPairs,
) -> ApiResult<Listed<JobItem>> {
    let query = query.list(&JOB_LIST)?;
    let page = ctx.server().jobs().list(&ctx.actor, &client, &query).await?;
    let page = page.map(|job| JobItem::new(job, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Show a job of a client.
#[utoipa::path(
    get, path = "/clients/{client_id}/commands/{job_id}", tag = "jobs", operation_id = "get_client_job",
    params(("client_id" = String, Path), ("job_id" = String, Path)),
    responses(
        (status = 200, body = Data<Job>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands` or `scripts`, whichever it is, or no access to the client."),
        (status = 404, body = Failure, description = "There is no such client, or it has no such job."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path((client, id)): Path<(ClientId, JobId)>) -> ApiResult<Data<Job>> {
    let job = ctx.server().jobs().get(&ctx.actor, &client, &id).await?;
    Ok(Data { data: job.into() })
}

/// Cancel a job of a client.
///
/// A job that waits is not started any more; one that runs is ended, with all of its processes.
#[utoipa::path(
    post, path = "/clients/{client_id}/commands/{job_id}/cancel", tag = "jobs", operation_id = "cancel_client_job",
    params(("client_id" = String, Path), ("job_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands` or `scripts`, whichever it is, or no access to the client."),
        (status = 404, body = Failure, description = "There is no such client, or it has no such job."),
        (status = 409, body = Failure, description = "It has ended already, or the client is not connected or too old to end it."),
        (status = 500, body = Failure, description = "The client did not answer."),
        (status = 503, body = Failure, description = "The end of the job cannot be saved."),
    )
)]
pub(crate) async fn cancel(ctx: Ctx, Path((client, id)): Path<(ClientId, JobId)>) -> ApiResult<StatusCode> {
    ctx.server().jobs().cancel(&ctx.actor, &client, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
