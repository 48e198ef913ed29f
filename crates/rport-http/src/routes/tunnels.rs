//! Ports of the server that lead to a client.

use axum::extract::Path;
use http::StatusCode;
use rport_api_types::tunnel::{ListedTunnel, Tunnel, TunnelAclChange};
use rport_domain::{ClientId, Error, TunnelId};
use utoipa::IntoParams;

use crate::answer::Data;
use crate::body::Json;
use crate::compat;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::QueryPairs;

/// What a tunnel shall be, all in the query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that TunnelRequest reads")]
pub(crate) struct TunnelParams {
    /// Where the tunnel leads, as the client dials it: `PORT` or `HOST:PORT`; the host is 127.0.0.1 if missing.
    #[param(example = "22")]
    remote: String,
    /// Where the server listens: `PORT` or `HOST:PORT`. If missing, a free port on all addresses.
    local: Option<String>,
    /// `tcp` (default), `udp` or `tcp+udp`; send the `+` as `%2B`.
    protocol: Option<String>,
    /// Free text for people.
    name: Option<String>,
    /// What is spoken through the tunnel, such as `ssh`; at most 15 bytes.
    scheme: Option<String>,
    /// Who may visit: IPv4 and IPv6 addresses and networks, separated by commas without blanks. Everybody if missing.
    acl: Option<String>,
    /// `0` skips the test whether something listens on the client's port.
    check_port: Option<String>,
    /// Minutes without a visitor after which the tunnel closes, 0 to 10080; 0 is never, 5 if missing.
    #[param(rename = "idle-timeout-minutes")]
    idle_timeout_minutes: Option<u32>,
    /// Never close for want of visitors; not together with `idle-timeout-minutes`.
    #[param(rename = "skip-idle-timeout")]
    skip_idle_timeout: Option<bool>,
    /// Close after this time, used or not: a duration such as `90m` or `1h30m`, at most `744h`.
    #[param(rename = "auto-close")]
    auto_close: Option<String>,
    /// Put an HTTPS front before the tunnel; `scheme` must be `http` or `https`, what the service speaks.
    http_proxy: Option<bool>,
    /// `Host` header of that proxy.
    host_header: Option<String>,
    /// User of that proxy's basic authentication.
    auth_user: Option<String>,
    /// Password of that proxy's basic authentication.
    auth_password: Option<String>,
}

/// Open a tunnel.
///
/// The body is ignored. The client must be connected.
#[utoipa::path(
    put, path = "/clients/{client_id}/tunnels", tag = "tunnels", operation_id = "open_tunnel",
    params(("client_id" = String, Path), TunnelParams),
    responses(
        (status = 200, body = Data<Tunnel>),
        (status = 400, body = Failure, description = "A parameter is wrong, the tunnel exists, the port is taken, \
            or nothing listens on the client's port."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "There is no such client, or it is not connected."),
        (status = 409, body = Failure, description = "The client refused, or the port was taken meanwhile."),
    )
)]
pub(crate) async fn open(ctx: Ctx, Path(id): Path<ClientId>, query: QueryPairs) -> ApiResult<Data<Tunnel>> {
    let tunnel = ctx
        .server()
        .tunnels()
        .open(&ctx.actor, &id, query.tunnel())
        .await?;
    Ok(Data {
        data: Tunnel::created(&tunnel),
    })
}

/// Whether visitors are cut off.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a parameter that QueryPairs reads")]
pub(crate) struct ForceParam {
    /// Close although visitors are connected.
    force: Option<bool>,
}

/// Close a tunnel.
#[utoipa::path(
    delete, path = "/clients/{client_id}/tunnels/{tunnel_id}", tag = "tunnels", operation_id = "close_tunnel",
    params(("client_id" = String, Path), ("tunnel_id" = String, Path), ForceParam),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "`force` is no boolean."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "No such client or tunnel, or the client is not connected."),
        (status = 409, body = Failure, description = "Visitors are connected and `force` is not set."),
    )
)]
pub(crate) async fn close(
    ctx: Ctx,
    Path((id, tunnel_id)): Path<(ClientId, TunnelId)>,
    query: QueryPairs,
) -> ApiResult<StatusCode> {
    ctx.server()
        .tunnels()
        .close(&ctx.actor, &id, &tunnel_id, force(&query)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn force(query: &QueryPairs) -> Result<bool, Error> {
    let text = query.first("force");
    compat::parse_bool(text).ok_or_else(|| Error::invalid(format!("Invalid force param: {text}.")))
}

/// Change who may visit a tunnel.
///
/// Connections that are open stay open.
#[utoipa::path(
    put, path = "/clients/{client_id}/tunnels/{tunnel_id}/acl", tag = "tunnels", operation_id = "set_tunnel_acl",
    params(("client_id" = String, Path), ("tunnel_id" = String, Path)),
    request_body = TunnelAclChange,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The body or the list is not understood."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No access to the client, or no permission `tunnels`."),
        (status = 404, body = Failure, description = "No such client or tunnel, or the client is not connected."),
    )
)]
pub(crate) async fn set_acl(
    ctx: Ctx,
    Path((id, tunnel_id)): Path<(ClientId, TunnelId)>,
    Json(change): Json<TunnelAclChange>,
) -> ApiResult<StatusCode> {
    ctx.server()
        .tunnels()
        .set_acl(&ctx.actor, &id, &tunnel_id, change.acl.as_deref())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List all tunnels.
///
/// Those of connected clients the caller may access, in no order and without pages.
#[utoipa::path(
    get, path = "/tunnels", tag = "tunnels", operation_id = "list_tunnels",
    responses(
        (status = 200, body = Data<Vec<ListedTunnel>>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `tunnels`."),
    )
)]
pub(crate) async fn list(ctx: Ctx) -> ApiResult<Data<Vec<ListedTunnel>>> {
    let tunnels = ctx.server().tunnels().list_all(&ctx.actor)?;
    let data = tunnels
        .iter()
        .map(|of| ListedTunnel::new(&of.client_id, &of.tunnel))
        .collect();
    Ok(Data { data })
}
