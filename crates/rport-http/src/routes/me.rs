//! The user behind the request.

use axum::response::Response;
use http::StatusCode;
use rport_api_types::me::{CallerAddress, Me, MeChange};
use rport_runtime::Secret;
use rport_server::OwnUpdate;

use crate::answer::Data;
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure, refusal};

/// Show the current user.
#[utoipa::path(
    get, path = "/me", tag = "me", operation_id = "me",
    responses((status = 200, body = Data<Me>), (status = 401, body = Failure))
)]
pub(crate) async fn me(ctx: Ctx) -> ApiResult<Data<Me>> {
    let me = ctx.server().me(&ctx.actor).await?;
    let actor = &me.actor;
    let shown = Me::new(
        actor.user.as_str(),
        &actor.groups,
        &me.two_fa_send_to,
        actor.permissions,
    );
    Ok(Data {
        data: shown.with_groups(
            me.group_permissions_enabled,
            me.tunnels_restricted,
            me.commands_restricted,
        ),
    })
}

/// Change the current user.
///
/// A new name or password ends all sessions of the caller, this one included.
#[utoipa::path(
    put, path = "/me", tag = "me", operation_id = "change_me", request_body = MeChange,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "There is nothing to change, something breaks a rule, the new \
            name exists, or there is a single user, in the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The old password is missing or wrong."),
        (status = 404, body = Failure, description = "The caller has been removed meanwhile."),
        (status = 409, body = Failure, description = "The file was changed by somebody else."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn change(ctx: Ctx, body: Result<Json<MeChange>, Response>) -> Result<StatusCode, Response> {
    ctx.users().check_writable().map_err(refusal)?;
    let Json(change) = body?;
    let update = OwnUpdate {
        name: change.username,
        password: change.password.map(Secret::new),
        old_password: change.old_password.map(Secret::new),
        two_fa_send_to: change.two_fa_send_to,
    };
    let changed = ctx.users().update_me(&ctx.actor, update).await;
    changed.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show the caller's address.
///
/// The address the server sees behind its trusted proxies; bans count by it.
#[utoipa::path(
    get, path = "/me/ip", tag = "me", operation_id = "me_ip",
    responses((status = 200, body = Data<CallerAddress>), (status = 401, body = Failure))
)]
pub(crate) async fn ip(ctx: Ctx) -> Data<CallerAddress> {
    Data {
        data: CallerAddress {
            ip: ctx.actor.address.to_string(),
        },
    }
}
