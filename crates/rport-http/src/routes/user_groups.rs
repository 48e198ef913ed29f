//! Groups of users and what they grant.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::user_group::{UserGroup, UserGroupChange};

use crate::answer::Data;
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure, refusal};

/// List user groups.
///
/// Only for administrators, and only with users in a database. Groups with permissions of their own by name, then
/// those that only have members.
#[utoipa::path(
    get, path = "/user-groups", tag = "users", operation_id = "list_user_groups",
    responses(
        (status = 200, body = Data<Vec<UserGroup>>),
        (status = 400, body = Failure, description = "Users are in no database."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 503, body = Failure, description = "The database does not answer."),
    )
)]
pub(crate) async fn list(ctx: Ctx) -> ApiResult<Data<Vec<UserGroup>>> {
    let groups = ctx.users().groups(&ctx.actor).await?;
    Ok(Data {
        data: groups.into_iter().map(UserGroup::from).collect(),
    })
}

/// Show a user group.
///
/// Only for administrators. A group nobody knows grants nothing.
#[utoipa::path(
    get, path = "/user-groups/{group_name}", tag = "users", operation_id = "get_user_group",
    params(("group_name" = String, Path, description = "Name of the group.")),
    responses(
        (status = 200, body = Data<UserGroup>),
        (status = 400, body = Failure, description = "Users are in no database."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 503, body = Failure, description = "The database does not answer."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(name): Path<String>) -> ApiResult<Data<UserGroup>> {
    let group = ctx.users().group(&ctx.actor, &name).await?;
    Ok(Data { data: group.into() })
}

/// Set what a user group grants.
///
/// Only for administrators. Adds the group or replaces all it grants. It counts from the next request of a member on.
/// Without such an entry a group grants nothing, except `Administrators`, which then grants everything.
#[utoipa::path(
    put, path = "/user-groups/{group_name}", tag = "users", operation_id = "set_user_group",
    params(("group_name" = String, Path, description = "Name of the group.")),
    request_body = UserGroupChange,
    responses(
        (status = 200, body = Data<UserGroup>),
        (status = 400, body = Failure, description = "The body is not understood, or there is no table for it."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 503, body = Failure, description = "The database does not answer."),
    )
)]
pub(crate) async fn set(
    ctx: Ctx,
    Path(name): Path<String>,
    body: Result<Json<UserGroupChange>, Response>,
) -> Result<Data<UserGroup>, Response> {
    let users = ctx.users();
    users.check_groups(&ctx.actor).map_err(refusal)?;
    let Json(change) = body?;
    let group = change.named(&name).map_err(refusal)?;
    let group = users.put_group(&ctx.actor, group).await.map_err(refusal)?;
    Ok(Data { data: group.into() })
}

/// Remove a user group.
///
/// Only for administrators. Its members lose it; also for a group that is not there. The group `Administrators` stays.
#[utoipa::path(
    delete, path = "/user-groups/{group_name}", tag = "users", operation_id = "delete_user_group",
    params(("group_name" = String, Path, description = "Name of the group.")),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "Users are in no database."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 409, body = Failure, description = "It is the group of administrators."),
        (status = 503, body = Failure, description = "The database does not answer."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(name): Path<String>) -> ApiResult<StatusCode> {
    ctx.users().delete_group(&ctx.actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
