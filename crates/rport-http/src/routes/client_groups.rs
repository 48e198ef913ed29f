//! Clients chosen by what they are.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rport_api_types::client_group::{ClientGroup, ClientGroupBody, ClientGroupDocument};
use rport_domain::{CLIENT_GROUP_FIELDS, CLIENT_GROUP_LIST, ClientGroupId, Error};

use crate::answer::{Data, Listed};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiError, ApiResult, Failure};
use crate::list_query::{FieldsParams, ListParams, QueryPairs};

/// List client groups.
///
/// Others than administrators see the groups with a client they may access. Shows `id` and `description` unless other
/// members are asked for with `fields[client_groups]`.
#[utoipa::path(
    get, path = "/client-groups", tag = "client-groups", operation_id = "list_client_groups", params(ListParams),
    responses(
        (status = 200, body = Listed<ClientGroupDocument>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<ClientGroup>> {
    let query = query.list(&CLIENT_GROUP_LIST)?;
    let page = ctx
        .server()
        .client_groups()
        .list(&ctx.actor, &query)?
        .map(|view| ClientGroup::new(view, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Show a client group.
///
/// Shows all members unless some are asked for with `fields[client_groups]`.
#[utoipa::path(
    get, path = "/client-groups/{group_id}", tag = "client-groups", operation_id = "get_client_group",
    params(("group_id" = String, Path), FieldsParams),
    responses(
        (status = 200, body = Data<ClientGroupDocument>),
        (status = 400, body = Failure, description = "An unknown member was asked for."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "There is no such group."),
    )
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path(id): Path<ClientGroupId>,
    query: QueryPairs,
) -> ApiResult<Data<ClientGroup>> {
    let fields = query.fields(&CLIENT_GROUP_FIELDS)?;
    let view = ctx.server().client_groups().get(&ctx.actor, &id)?;
    Ok(Data {
        data: ClientGroup::new(view, fields),
    })
}

/// Add a client group.
///
/// Only for administrators.
#[utoipa::path(
    post, path = "/client-groups", tag = "client-groups", operation_id = "add_client_group",
    request_body = ClientGroupBody,
    responses(
        (status = 201),
        (status = 400, body = Failure, description = "The body is not understood, or a member cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 409, body = Failure, description = "The id exists (`ERR_CODE_ALREADY_EXIST`)."),
    )
)]
pub(crate) async fn add(
    ctx: Ctx,
    body: Result<Json<ClientGroupBody>, Response>,
) -> Result<StatusCode, Response> {
    ctx.actor.require_admin().map_err(refusal)?;
    let Json(body) = body?;
    let group = body.into_group().map_err(refusal)?;
    let groups = ctx.server().client_groups();
    groups.add(&ctx.actor, group).await.map_err(refusal)?;
    Ok(StatusCode::CREATED)
}

/// Replace a client group.
///
/// Only for administrators. Adds the group if there is none. The id in the body must be that of the path.
#[utoipa::path(
    put, path = "/client-groups/{group_id}", tag = "client-groups", operation_id = "put_client_group",
    params(("group_id" = String, Path)),
    request_body = ClientGroupBody,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The body is not understood, or a member cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn put(
    ctx: Ctx,
    Path(id): Path<ClientGroupId>,
    body: Result<Json<ClientGroupBody>, Response>,
) -> Result<StatusCode, Response> {
    ctx.actor.require_admin().map_err(refusal)?;
    let Json(body) = body?;
    let group = body.into_group().map_err(refusal)?;
    if group.id != id {
        return Err(refusal(Error::invalid("Invalid client group.").detail(format!(
            "group ID in the body is {:?}, in the path {:?}",
            group.id.as_str(),
            id.as_str()
        ))));
    }
    let groups = ctx.server().client_groups();
    groups.put(&ctx.actor, group).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a client group.
///
/// Only for administrators. Its clients stay. A group that does not exist is no error.
#[utoipa::path(
    delete, path = "/client-groups/{group_id}", tag = "client-groups", operation_id = "delete_client_group",
    params(("group_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(id): Path<ClientGroupId>) -> ApiResult<StatusCode> {
    ctx.server().client_groups().delete(&ctx.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refusal(error: Error) -> Response {
    ApiError::from(error).into_response()
}
