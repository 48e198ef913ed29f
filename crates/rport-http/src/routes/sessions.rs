//! Who is logged in, and ending that.

use axum::extract::Path;
use http::StatusCode;
use rport_api_types::api_session::ApiSession;
use rport_api_types::login::LoginToken;
use rport_domain::{Error, UserName};

use crate::answer::Data;
use crate::ctx::{Credentials, Ctx, RequestLine, Visitor};
use crate::error::{ApiResult, Failure};
use crate::list_query::QueryPairs;
use crate::routes::login::{LIFETIME, Lifetime, shown_login};

/// List the sessions of a user.
///
/// Only for administrators. The session used longest ago comes first; a user nobody knows has none.
#[utoipa::path(
    get, path = "/users/{user_id}/sessions", tag = "users", operation_id = "list_sessions",
    params(("user_id" = String, Path, description = "Name of the user.")),
    responses(
        (status = 200, body = Data<Vec<ApiSession>>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn list(ctx: Ctx, Path(user): Path<UserName>) -> ApiResult<Data<Vec<ApiSession>>> {
    let sessions = ctx.login().sessions(&ctx.actor, &user).await?;
    Ok(shown(&ctx, sessions))
}

/// End all sessions of a user.
///
/// Only for administrators.
#[utoipa::path(
    delete, path = "/users/{user_id}/sessions", tag = "users", operation_id = "end_sessions",
    params(("user_id" = String, Path, description = "Name of the user.")),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn end_all(ctx: Ctx, Path(user): Path<UserName>) -> ApiResult<StatusCode> {
    ctx.login().end_sessions(&ctx.actor, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a session of a user.
///
/// Only for administrators. The answer is the same for a session that is not there.
#[utoipa::path(
    delete, path = "/users/{user_id}/sessions/{session_id}", tag = "users", operation_id = "end_session",
    params(
        ("user_id" = String, Path, description = "Name of the user."),
        ("session_id" = i64, Path, description = "Number of the session."),
    ),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The session id is no number."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn end(ctx: Ctx, Path((user, session)): Path<(UserName, String)>) -> ApiResult<StatusCode> {
    ctx.login().end_session(&ctx.actor, &user, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the caller's sessions.
#[utoipa::path(
    get, path = "/me/sessions", tag = "me", operation_id = "list_own_sessions",
    responses((status = 200, body = Data<Vec<ApiSession>>), (status = 401, body = Failure))
)]
pub(crate) async fn list_own(ctx: Ctx) -> ApiResult<Data<Vec<ApiSession>>> {
    let sessions = ctx.login().own_sessions(&ctx.actor).await?;
    Ok(shown(&ctx, sessions))
}

/// End one of the caller's sessions.
#[utoipa::path(
    delete, path = "/me/sessions/{session_id}", tag = "me", operation_id = "end_own_session",
    params(("session_id" = i64, Path, description = "Number of the session.")),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The session id is no number."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "The caller has no such session."),
    )
)]
pub(crate) async fn end_own(ctx: Ctx, Path(session): Path<String>) -> ApiResult<StatusCode> {
    ctx.login().end_own_session(&ctx.actor, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get a new token for the present session.
///
/// Takes Bearer tokens only. The token of the request stops working within half a minute.
#[utoipa::path(
    post, path = "/me/session/refresh", tag = "login", operation_id = "refresh_session", params(Lifetime),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Failure, description = "The lifetime is no number or too long, or there is no Bearer token."),
        (status = 401, body = Failure, description = "The token is worth nothing any more."),
        (status = 409, body = Failure, description = "The token has been replaced already."),
        (status = 429, body = Failure, description = "This user failed a moment ago and has to wait."),
    )
)]
pub(crate) async fn refresh(
    visitor: Visitor,
    line: RequestLine,
    query: QueryPairs,
) -> ApiResult<Data<LoginToken>> {
    let token = match &visitor.credentials {
        Credentials::Bearer(token) => token.expose(),
        Credentials::None => return Err(visitor.login.refuse_anonymous(&visitor.origin).into()),
        Credentials::Basic { user, password } => {
            // Somebody without a session: told so only after the password was checked, like everywhere.
            let (method, path) = (line.method.as_str(), line.path.as_str());
            visitor
                .login
                .basic(user, password, method, path, &visitor.origin)
                .await?;
            return Err(Error::invalid("authorization Bearer token required").into());
        }
    };
    let lifetime = Some(query.first(LIFETIME));
    let (method, path) = (line.method.as_str(), line.path.as_str());
    let renewed = visitor
        .login
        .renew(token, method, path, lifetime, &visitor.origin)
        .await?;
    Ok(shown_login(renewed))
}

fn shown(ctx: &Ctx, sessions: Vec<rport_server::ApiSession>) -> Data<Vec<ApiSession>> {
    let shown = sessions.into_iter().map(|session| {
        let times = (session.expires_at, session.last_access_at);
        let origin = (session.user_agent, session.address);
        let current = ctx.actor.session == Some(session.id);
        ApiSession::new(session.id.0, session.user.as_str(), times, origin, current)
    });
    Data {
        data: shown.collect(),
    }
}
