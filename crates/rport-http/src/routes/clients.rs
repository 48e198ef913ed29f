//! The managed machines.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rport_api_types::client::{Client, ClientAclChange};
use rport_domain::{CLIENT_FIELDS, CLIENT_LIST, ClientId, Error};

use crate::answer::{Data, Listed};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiError, ApiResult, Failure};
use crate::list_query::{FieldsParams, ListParams, QueryPairs};

/// List clients.
///
/// Clients the caller may access. Shows `id`, `name` and `hostname` unless other members are asked for with
/// `fields[clients]`; pages have 50 clients unless asked otherwise, 500 at most.
#[utoipa::path(
    get, path = "/clients", tag = "clients", operation_id = "list_clients", params(ListParams),
    responses(
        (status = 200, body = Listed<Client>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<Client>> {
    let query = query.list(&CLIENT_LIST)?;
    let page = ctx
        .server()
        .clients()
        .list(&ctx.actor, &query)?
        .map(|view| Client::new(view, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Show a client.
///
/// Shows all members unless some are asked for with `fields[clients]`.
#[utoipa::path(
    get, path = "/clients/{client_id}", tag = "clients", operation_id = "get_client",
    params(("client_id" = String, Path), FieldsParams),
    responses(
        (status = 200, body = Data<Client>),
        (status = 400, body = Failure, description = "An unknown member was asked for."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller may not access this client."),
        (status = 404, body = Failure, description = "There is no such client."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<ClientId>, query: QueryPairs) -> ApiResult<Data<Client>> {
    let fields = query.fields(&CLIENT_FIELDS)?;
    let view = ctx.server().clients().get(&ctx.actor, &id)?;
    Ok(Data {
        data: Client::new(view, fields),
    })
}

/// Forget a client.
///
/// The client must be disconnected. Its stored tunnels are removed with it. It is known again when it returns.
#[utoipa::path(
    delete, path = "/clients/{client_id}", tag = "clients", operation_id = "delete_client",
    params(("client_id" = String, Path)),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The client is connected."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller may not access this client."),
        (status = 404, body = Failure, description = "There is no such client."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(id): Path<ClientId>) -> ApiResult<StatusCode> {
    ctx.server().clients().delete(&ctx.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Choose who may access a client.
///
/// Only for administrators. Replaces the list of user groups. Members of user groups that a client group of the client
/// allows keep their access.
#[utoipa::path(
    post, path = "/clients/{client_id}/acl", tag = "clients", operation_id = "set_client_acl",
    params(("client_id" = String, Path)),
    request_body = ClientAclChange,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The body is not understood, or there is only the one user of \
            the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There is no such client, or there is no such user group."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn set_acl(
    ctx: Ctx,
    Path(id): Path<ClientId>,
    body: Result<Json<ClientAclChange>, Response>,
) -> Result<StatusCode, Response> {
    let refusal = |error: Error| ApiError::from(error).into_response();
    let clients = ctx.server().clients();
    clients.get(&ctx.actor, &id).map_err(refusal)?;
    ctx.actor.require_admin().map_err(refusal)?;
    let Json(change) = body?;
    let groups = change.allowed_user_groups.unwrap_or_default();
    clients.set_acl(&ctx.actor, &id, groups).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}
