//! Orders that are made again and again.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::job::JobStarted;
use rport_api_types::schedule::{NewSchedule, Schedule, ScheduleExecution};
use rport_domain::{Permission, SCHEDULE_LIST, SCHEDULE_RUN_LIST, ScheduleId};
use rport_server::ScheduleView;

use crate::answer::{self, Data, Listed};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};

/// List schedules.
///
/// Those of the caller; administrators see all. Pages have 20 schedules unless asked otherwise, 100 at most. Mind that
/// `data` stands inside `data`.
#[utoipa::path(
    get, path = "/schedules", tag = "schedules", operation_id = "list_schedules", params(ListParams),
    responses(
        (status = 200, body = Data<Listed<Schedule>>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`."),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Data<Listed<Schedule>>> {
    ctx.actor.require(Permission::Scheduler)?;
    let query = query.list(&SCHEDULE_LIST)?;
    let page = ctx.server().schedules().list(&ctx.actor, &query).await?;
    let page = page.map(shown);
    Ok(Data {
        data: Listed::new(page.items, page.total),
    })
}

/// Show a schedule.
#[utoipa::path(
    get, path = "/schedules/{schedule_id}", tag = "schedules", operation_id = "get_schedule",
    params(("schedule_id" = String, Path)),
    responses(
        (status = 200, body = Data<Schedule>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or somebody else's schedule."),
        (status = 404, body = Failure, description = "There is no such schedule."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<ScheduleId>) -> ApiResult<Data<Schedule>> {
    let view = ctx.server().schedules().get(&ctx.actor, &id).await?;
    Ok(Data { data: shown(view) })
}

/// Add a schedule.
///
/// Its runs act as the caller, with the rights that he has when they are due.
#[utoipa::path(
    post, path = "/schedules", tag = "schedules", operation_id = "add_schedule", request_body = NewSchedule,
    responses(
        (status = 201, body = Data<Schedule>),
        (status = 400, body = Failure, description = "The body is not understood, or what it says makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or `commands` or `scripts` for what it runs, or no access to one of its clients."),
        (status = 404, body = Failure, description = "There is no such client."),
        (status = 409, body = Failure, description = "There are too many schedules, or the vault is locked."),
    )
)]
pub(crate) async fn add(ctx: Ctx, Json(new): Json<NewSchedule>) -> ApiResult<Response> {
    let view = ctx.server().schedules().add(&ctx.actor, new.into()).await?;
    Ok(answer::json(StatusCode::CREATED, &Data { data: shown(view) }))
}

/// Replace a schedule.
///
/// What is missing in the body is reset. Who created it and when stays as it is. Another timetable begins now.
#[utoipa::path(
    put, path = "/schedules/{schedule_id}", tag = "schedules", operation_id = "change_schedule",
    params(("schedule_id" = String, Path)), request_body = NewSchedule,
    responses(
        (status = 200, body = Data<Schedule>),
        (status = 400, body = Failure, description = "The body is not understood, or what it says makes no sense."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or `commands` or `scripts` for what it runs, or no access to one of its clients, or somebody else's schedule."),
        (status = 404, body = Failure, description = "There is no such schedule or client."),
        (status = 409, body = Failure, description = "The vault is locked."),
    )
)]
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<ScheduleId>,
    Json(new): Json<NewSchedule>,
) -> ApiResult<Data<Schedule>> {
    let schedules = ctx.server().schedules();
    let view = schedules.replace(&ctx.actor, &id, new.into()).await?;
    Ok(Data { data: shown(view) })
}

/// Delete a schedule with all that came of it.
///
/// Its jobs and their results go with it.
#[utoipa::path(
    delete, path = "/schedules/{schedule_id}", tag = "schedules", operation_id = "delete_schedule",
    params(("schedule_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or somebody else's schedule."),
        (status = 404, body = Failure, description = "There is no such schedule."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(id): Path<ScheduleId>) -> ApiResult<StatusCode> {
    ctx.server().schedules().delete(&ctx.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List what came of the due times of a schedule.
///
/// The latest comes first. Pages have 20 runs unless asked otherwise, 100 at most; the newest thousand are kept.
#[utoipa::path(
    get, path = "/schedules/{schedule_id}/executions", tag = "schedules", operation_id = "list_schedule_executions",
    params(("schedule_id" = String, Path), ListParams),
    responses(
        (status = 200, body = Listed<ScheduleExecution>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or somebody else's schedule."),
        (status = 404, body = Failure, description = "There is no such schedule."),
    )
)]
pub(crate) async fn executions(
    ctx: Ctx,
    Path(id): Path<ScheduleId>,
    query: QueryPairs,
) -> ApiResult<Listed<ScheduleExecution>> {
    ctx.actor.require(Permission::Scheduler)?;
    let query = query.list(&SCHEDULE_RUN_LIST)?;
    let schedules = ctx.server().schedules();
    let page = schedules.executions(&ctx.actor, &id, &query).await?;
    let page = page.map(|(run, counts)| ScheduleExecution::new(run, counts));
    Ok(Listed::new(page.items, page.total))
}

/// Run a schedule now.
///
/// Also while it rests. It runs as its creator, and leaves the due times as they are.
#[utoipa::path(
    post, path = "/schedules/{schedule_id}/run", tag = "schedules", operation_id = "run_schedule",
    params(("schedule_id" = String, Path)),
    responses(
        (status = 200, body = Data<JobStarted>),
        (status = 400, body = Failure, description = "What it says makes no sense any more; its groups may be gone."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scheduler`, or `commands` or `scripts` for what it runs, or somebody else's schedule; or its creator may not run it any more."),
        (status = 404, body = Failure, description = "There is no such schedule, or one of its clients is gone."),
        (status = 409, body = Failure, description = "A job of its last run is unfinished and runs must not overlap, or the vault is locked."),
    )
)]
pub(crate) async fn run(ctx: Ctx, Path(id): Path<ScheduleId>) -> ApiResult<Data<JobStarted>> {
    let job = ctx.server().schedules().run_now(&ctx.actor, &id).await?;
    Ok(Data {
        data: JobStarted { jid: job.to_string() },
    })
}

fn shown(view: ScheduleView) -> Schedule {
    let ScheduleView {
        schedule,
        time_zone,
        last_execution,
        next_runs,
    } = view;
    Schedule::new(schedule, time_zone, last_execution, &next_runs)
}
