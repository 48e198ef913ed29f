//! Commands on many clients, and multi-jobs of both kinds.

use axum::extract::Path;
use rport_api_types::job::{JobItem, JobStarted};
use rport_api_types::multi_job::{JobCounts, MultiJob, MultiJobItem, NewMultiJob};
use rport_domain::{JOB_LIST, JobId, LibraryKind, MULTI_JOB_LIST};

use crate::answer::{Data, Listed};
use crate::body::OrderJson;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::job_order;
use crate::list_query::{ListParams, QueryPairs};

/// Run a command on many clients.
///
/// Answers when the order is saved, without waiting for any client.
#[utoipa::path(
    post, path = "/commands", tag = "jobs", operation_id = "run_command",
    request_body = NewMultiJob,
    responses(
        (status = 200, body = Data<JobStarted>),
        (status = 400, body = Failure, description = "The body is not understood, or the order makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`, or no access to one of the clients."),
        (status = 404, body = Failure, description = "One of the clients does not exist."),
        (status = 409, body = Failure, description = "The vault is locked."),
        (status = 503, body = Failure, description = "The order cannot be saved."),
    )
)]
pub(crate) async fn run(ctx: Ctx, OrderJson(new): OrderJson<NewMultiJob>) -> ApiResult<Data<JobStarted>> {
    run_on_many(&ctx, LibraryKind::Command, new).await
}

/// Commands and scripts differ in their words only.
pub(super) async fn run_on_many(
    ctx: &Ctx,
    kind: LibraryKind,
    new: NewMultiJob,
) -> ApiResult<Data<JobStarted>> {
    ctx.actor.require(kind.permission())?;
    let new = job_order::for_many(kind, new)?;
    let id = ctx.server().jobs().run_multi(&ctx.actor, new).await?;
    Ok(Data {
        data: JobStarted { jid: id.to_string() },
    })
}

/// List multi-jobs.
///
/// Commands and scripts, as far as the caller may run them: its own, and everybody's for administrators. The newest
/// comes first; pages have 100 multi-jobs unless asked otherwise, 1000 at most.
#[utoipa::path(
    get, path = "/commands", tag = "jobs", operation_id = "list_multi_jobs", params(ListParams),
    responses(
        (status = 200, body = Listed<MultiJobItem>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "Neither permission `commands` nor `scripts`."),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<MultiJobItem>> {
    let query = query.list(&MULTI_JOB_LIST)?;
    let page = ctx.server().jobs().list_multi(&ctx.actor, &query).await?;
    let page = page.map(|view| MultiJobItem::new(view.multi, view.counts));
    Ok(Listed::new(page.items, page.total))
}

/// Show a multi-job and its newest jobs.
///
/// Where their commands and results have more than 64 MiB altogether, these are left empty; read the jobs one by one
/// then.
#[utoipa::path(
    get, path = "/commands/{job_id}", tag = "jobs", operation_id = "get_multi_job",
    params(("job_id" = String, Path)),
    responses(
        (status = 200, body = Data<MultiJob>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "Somebody else ordered it, or the permission is missing."),
        (status = 404, body = Failure, description = "There is no such multi-job."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<JobId>) -> ApiResult<Data<MultiJob>> {
    let view = ctx.server().jobs().get_multi(&ctx.actor, &id).await?;
    Ok(Data {
        data: MultiJob::new(view.multi, view.counts, view.jobs),
    })
}

/// List the jobs of a multi-job.
///
/// Those of clients that the caller may access, as the jobs of a client are listed.
#[utoipa::path(
    get, path = "/commands/{job_id}/jobs", tag = "jobs", operation_id = "list_jobs_of_multi_job",
    params(("job_id" = String, Path), ListParams),
    responses(
        (status = 200, body = Listed<JobItem>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "Somebody else ordered it, or the permission is missing."),
        (status = 404, body = Failure, description = "There is no such multi-job."),
    )
)]
pub(crate) async fn list_jobs(
    ctx: Ctx,
    Path(id): Path<JobId>,
    query: QueryPairs,
) -> ApiResult<Listed<JobItem>> {
    let query = query.list(&JOB_LIST)?;
    let page = ctx.server().jobs().list_jobs_of(&ctx.actor, &id, &query).await?;
    let page = page.map(|job| JobItem::new(job, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Cancel a multi-job.
///
/// No further job of it is started, and those that run are ended where their clients can do that. Answers how far it
/// is, also when it has ended already.
#[utoipa::path(
    post, path = "/commands/{job_id}/cancel", tag = "jobs", operation_id = "cancel_multi_job",
    params(("job_id" = String, Path)),
    responses(
        (status = 200, body = Data<JobCounts>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "Somebody else ordered it, or the permission is missing."),
        (status = 404, body = Failure, description = "There is no such multi-job."),
        (status = 503, body = Failure, description = "The end of its jobs cannot be saved."),
    )
)]
pub(crate) async fn cancel(ctx: Ctx, Path(id): Path<JobId>) -> ApiResult<Data<JobCounts>> {
    let counts = ctx.server().jobs().cancel_multi(&ctx.actor, &id).await?;
    Ok(Data { data: counts.into() })
}
