//! Saved tunnel definitions.

use axum::extract::Path;
use http::StatusCode;
use rport_api_types::stored_tunnel::{StoredTunnel, StoredTunnelBody};
use rport_domain::{ClientId, STORED_TUNNEL_LIST, StoredTunnelId};

use crate::answer::{Data, Listed};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};

/// List the stored tunnels of a client.
///
/// The client may be disconnected. Pages have 10 items unless asked otherwise, 100 at most.
#[utoipa::path(
    get, path = "/clients/{client_id}/stored-tunnels", tag = "stored-tunnels", operation_id = "list_stored_tunnels",
    params(("client_id" = String, Path), ListParams),
    responses(
        (status = 200, body = Listed<StoredTunnel>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client."),
    )
)]
pub(crate) async fn list(
    ctx: Ctx,
    Path(client): Path<ClientId>,
    query: QueryPairs,
) -> ApiResult<Listed<StoredTunnel>> {
    let query = query.list(&STORED_TUNNEL_LIST)?;
    let page = ctx
        .server()
        .stored_tunnels()
        .list(&ctx.actor, &client, &query)
        .await?
        .map(StoredTunnel::from);
    Ok(Listed::new(page.items, page.total))
}

/// Show a stored tunnel.
#[utoipa::path(
    get, path = "/clients/{client_id}/stored-tunnels/{stored_tunnel_id}", tag = "stored-tunnels",
    operation_id = "get_stored_tunnel",
    params(("client_id" = String, Path), ("stored_tunnel_id" = String, Path)),
    responses(
        (status = 200, body = Data<StoredTunnel>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client or stored tunnel."),
    )
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path((client, id)): Path<(ClientId, StoredTunnelId)>,
) -> ApiResult<Data<StoredTunnel>> {
    let stored = ctx.server().stored_tunnels();
    let tunnel = stored.get(&ctx.actor, &client, &id).await?;
    Ok(Data { data: tunnel.into() })
}

/// Store a tunnel definition.
///
/// Opens nothing. The client may be disconnected.
#[utoipa::path(
    post, path = "/clients/{client_id}/stored-tunnels", tag = "stored-tunnels", operation_id = "add_stored_tunnel",
    params(("client_id" = String, Path)),
    request_body = StoredTunnelBody,
    responses(
        (status = 200, body = Data<StoredTunnel>),
        (status = 400, body = Failure, description = "The body is not understood, or a member cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client."),
        (status = 409, body = Failure, description = "The client has 1000 stored tunnels already."),
    )
)]
pub(crate) async fn add(
    ctx: Ctx,
    Path(client): Path<ClientId>,
    Json(body): Json<StoredTunnelBody>,
) -> ApiResult<Data<StoredTunnel>> {
    let stored = ctx.server().stored_tunnels();
    let tunnel = stored.add(&ctx.actor, &client, body.into()).await?;
    Ok(Data { data: tunnel.into() })
}

/// Replace a stored tunnel definition.
///
/// Members that are missing become null. Tunnels that were opened after it stay as they are.
#[utoipa::path(
    put, path = "/clients/{client_id}/stored-tunnels/{stored_tunnel_id}", tag = "stored-tunnels",
    operation_id = "put_stored_tunnel",
    params(("client_id" = String, Path), ("stored_tunnel_id" = String, Path)),
    request_body = StoredTunnelBody,
    responses(
        (status = 200, body = Data<StoredTunnel>),
        (status = 400, body = Failure, description = "The body is not understood, or a member cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client or stored tunnel."),
    )
)]
pub(crate) async fn put(
    ctx: Ctx,
    Path((client, id)): Path<(ClientId, StoredTunnelId)>,
    Json(body): Json<StoredTunnelBody>,
) -> ApiResult<Data<StoredTunnel>> {
    let stored = ctx.server().stored_tunnels();
    let tunnel = stored.replace(&ctx.actor, &client, &id, body.into()).await?;
    Ok(Data { data: tunnel.into() })
}

/// Remove a stored tunnel.
///
/// One that does not exist is no error.
#[utoipa::path(
    delete, path = "/clients/{client_id}/stored-tunnels/{stored_tunnel_id}", tag = "stored-tunnels",
    operation_id = "delete_stored_tunnel",
    params(("client_id" = String, Path), ("stored_tunnel_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client."),
    )
)]
pub(crate) async fn delete(
    ctx: Ctx,
    Path((client, id)): Path<(ClientId, StoredTunnelId)>,
) -> ApiResult<StatusCode> {
    let stored = ctx.server().stored_tunnels();
    stored.delete(&ctx.actor, &client, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
