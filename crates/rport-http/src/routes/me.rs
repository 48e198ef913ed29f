//! The user behind the request.

use rport_api_types::me::{CallerAddress, Me};

use crate::answer::Data;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};

/// Show the current user.
#[utoipa::path(
    get, path = "/me", tag = "me", operation_id = "me",
    responses((status = 200, body = Data<Me>), (status = 401, body = Failure))
)]
pub(crate) async fn me(ctx: Ctx) -> ApiResult<Data<Me>> {
    let rport_server::Me {
        actor,
        two_fa_send_to,
    } = ctx.server().me(&ctx.actor).await?;
    Ok(Data {
        data: Me::new(
            actor.user.as_str(),
            &actor.groups,
            &two_fa_send_to,
            actor.permissions,
        ),
    })
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
