//! The second step of a login, and what a user keeps for it.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rport_api_types::login::LoginToken;
use rport_api_types::second_factor::{RecoveryCodes, RecoveryCodesLeft, TotpSecret, Verification};
use rport_domain::UserName;
use rport_runtime::Secret;

use crate::answer::{self, Data};
use crate::body::Json;
use crate::ctx::{Credentials, Ctx, RequestLine, Visitor};
use crate::error::{ApiResult, Failure};
use crate::list_query::QueryPairs;
use crate::routes::login::{LIFETIME, Lifetime, shown_login};

/// Finish a login with a code.
///
/// Send the token of the first step as Bearer token. The code is the one that was sent, the one of the authenticator
/// app, or a recovery code; each works once.
#[utoipa::path(
    post, path = "/verify-2fa", tag = "login", operation_id = "verify_second_factor", params(Lifetime),
    security(("bearer" = [])), request_body = Verification,
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Failure, description = "The body or the lifetime is not understood."),
        (status = 401, body = Failure, description = "The token is not that of a first step, or the code is wrong."),
        (status = 409, body = Failure, description = "There is no second step, or the user has to make a secret first."),
        (status = 429, body = Failure, description = "Too many wrong codes, or one a moment ago."),
    )
)]
pub(crate) async fn verify(
    visitor: Visitor,
    line: RequestLine,
    query: QueryPairs,
    body: Result<Json<Verification>, Response>,
) -> Result<Data<LoginToken>, Response> {
    let refused = |error: rport_domain::Error| crate::error::ApiError::from(error).into_response();
    let Credentials::Bearer(token) = &visitor.credentials else {
        return Err(refused(visitor.login.refuse_anonymous(&visitor.origin)));
    };
    let request = (line.method.as_str(), line.path.as_str());
    visitor
        .login
        .check_bearer(token.expose(), request, &visitor.origin)
        .await
        .map_err(refused)?;
    let Json(body) = body?;
    let lifetime = Some(query.first(LIFETIME));
    let code = Secret::new(body.token);
    let proof = (body.username.as_str(), code.expose());
    let done = visitor
        .login
        .verify(token.expose(), request, proof, lifetime, &visitor.origin)
        .await;
    done.map(shown_login).map_err(refused)
}

/// Show the secret of the caller's authenticator app.
#[utoipa::path(
    get, path = "/me/totp-secret", tag = "me", operation_id = "get_totp_secret",
    responses(
        (status = 200, body = TotpSecret),
        (status = 400, body = Failure, description = "Authenticator apps are not in use."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "There is no secret."),
    )
)]
pub(crate) async fn get_secret(ctx: Ctx) -> ApiResult<Response> {
    Ok(shown(&ctx.login().totp_secret(&ctx.actor).await?))
}

/// Make a secret for the caller's authenticator app.
///
/// The token of the first step of a login is enough when the user has none. The answer also holds recovery codes.
#[utoipa::path(
    post, path = "/me/totp-secret", tag = "me", operation_id = "add_totp_secret",
    responses(
        (status = 200, body = TotpSecret),
        (status = 400, body = Failure, description = "Authenticator apps are not in use."),
        (status = 401, body = Failure),
        (status = 409, body = Failure, description = "There is a secret."),
    )
)]
pub(crate) async fn add_secret(ctx: Ctx) -> ApiResult<Response> {
    Ok(shown(&ctx.login().add_totp_secret(&ctx.actor).await?))
}

/// Delete the secret of the caller's authenticator app, and the recovery codes.
#[utoipa::path(
    delete, path = "/me/totp-secret", tag = "me", operation_id = "delete_totp_secret",
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "Authenticator apps are not in use."),
        (status = 401, body = Failure),
    )
)]
pub(crate) async fn delete_secret(ctx: Ctx) -> ApiResult<StatusCode> {
    ctx.login().delete_totp_secret(&ctx.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete the secret and the recovery codes of a user who has lost the app.
///
/// Only for administrators. Ends the user's sessions; the next login makes a new secret.
#[utoipa::path(
    delete, path = "/users/{user_id}/totp-secret", tag = "users", operation_id = "reset_totp_secret",
    params(("user_id" = String, Path, description = "Name of the user.")),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "Authenticator apps are not in use."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There is no such user."),
    )
)]
pub(crate) async fn reset_secret(ctx: Ctx, Path(user): Path<UserName>) -> ApiResult<StatusCode> {
    ctx.login().reset_totp_secret(&ctx.actor, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell how many recovery codes the caller has left.
#[utoipa::path(
    get, path = "/me/recovery-codes", tag = "me", operation_id = "get_recovery_codes",
    responses((status = 200, body = Data<RecoveryCodesLeft>), (status = 401, body = Failure))
)]
pub(crate) async fn codes_left(ctx: Ctx) -> ApiResult<Data<RecoveryCodesLeft>> {
    let left = ctx.login().recovery_codes_left(&ctx.actor).await?;
    Ok(Data {
        data: RecoveryCodesLeft { left },
    })
}

/// Make new recovery codes.
///
/// Each works once in place of a code of the second factor. Earlier ones stop working.
#[utoipa::path(
    post, path = "/me/recovery-codes", tag = "me", operation_id = "renew_recovery_codes",
    responses(
        (status = 200, body = Data<RecoveryCodes>),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "The caller is no user any more."),
        (status = 409, body = Failure, description = "Nobody is asked for a second factor."),
    )
)]
pub(crate) async fn renew_codes(ctx: Ctx) -> ApiResult<Data<RecoveryCodes>> {
    let codes = ctx.login().renew_recovery_codes(&ctx.actor).await?;
    Ok(Data {
        data: RecoveryCodes {
            codes: exposed(&codes),
        },
    })
}

fn shown(secret: &rport_server::TotpSecret) -> Response {
    let shown = TotpSecret {
        secret: secret.secret.expose().to_owned(),
        qr: secret.picture.expose().to_owned(),
        recovery_codes: exposed(&secret.recovery_codes),
    };
    answer::json(StatusCode::OK, &shown)
}

fn exposed(secrets: &[Secret]) -> Vec<String> {
    secrets.iter().map(|secret| secret.expose().to_owned()).collect()
}
