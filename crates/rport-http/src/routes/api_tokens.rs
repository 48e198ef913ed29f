//! Long-lived tokens of users.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::api_token::{ApiToken, ApiTokenChange, ChangedApiToken, MadeApiToken, NewApiToken};
use rport_domain::UserName;

use crate::answer::Data;
use crate::body::Json;
use crate::compat;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};

/// List the caller's API tokens.
#[utoipa::path(
    get, path = "/me/tokens", tag = "me", operation_id = "list_api_tokens",
    responses((status = 200, body = Data<Vec<ApiToken>>), (status = 401, body = Failure))
)]
pub(crate) async fn list(ctx: Ctx) -> ApiResult<Data<Vec<ApiToken>>> {
    Ok(shown(ctx.login().api_tokens(&ctx.actor).await?))
}

/// Make an API token.
///
/// Send it as the password of HTTP Basic. It is shown in this answer and never again.
#[utoipa::path(
    post, path = "/me/tokens", tag = "me", operation_id = "add_api_token", request_body = NewApiToken,
    responses(
        (status = 200, body = Data<MadeApiToken>),
        (status = 400, body = Failure, description = "The body is not understood, or scope, name or expiry cannot be used."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "The caller is no user any more."),
        (status = 409, body = Failure, description = "The caller has too many tokens."),
    )
)]
pub(crate) async fn add(ctx: Ctx, Json(new): Json<NewApiToken>) -> ApiResult<Data<MadeApiToken>> {
    let request = rport_server::NewApiToken {
        scope: new.scope,
        name: new.name,
        expires_at: new.expires_at.map(|time| time.to_utc()),
    };
    let made = ctx.login().add_api_token(&ctx.actor, request).await?;
    Ok(Data {
        data: MadeApiToken {
            prefix: made.prefix,
            expires_at: made.expires_at.into(),
            scope: made.scope.as_str().to_owned(),
            token: made.token.expose().to_owned(),
        },
    })
}

/// Change an API token.
///
/// Whatever is missing in the body stays as it is.
#[utoipa::path(
    put, path = "/me/tokens/{prefix}", tag = "me", operation_id = "change_api_token", request_body = ApiTokenChange,
    params(("prefix" = String, Path, description = "Names the token.")),
    responses(
        (status = 200, body = Data<ChangedApiToken>),
        (status = 400, body = Failure, description = "The body is not understood, or prefix, name or expiry cannot be used."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "The caller has no such token."),
    )
)]
pub(crate) async fn change(
    ctx: Ctx,
    Path(prefix): Path<String>,
    Json(change): Json<ApiTokenChange>,
) -> ApiResult<Data<ChangedApiToken>> {
    let expires_at = change.expires_at.map(|time| time.to_utc());
    ctx.login()
        .change_api_token(&ctx.actor, &prefix, change.name.clone(), expires_at)
        .await?;
    Ok(Data {
        data: ChangedApiToken {
            prefix,
            name: change.name,
            expires_at: expires_at.map(Into::into),
        },
    })
}

/// Delete an API token.
#[utoipa::path(
    delete, path = "/me/tokens/{prefix}", tag = "me", operation_id = "delete_api_token",
    params(("prefix" = String, Path, description = "Names the token.")),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The prefix does not have eight characters."),
        (status = 401, body = Failure),
        (status = 404, body = Failure, description = "The caller has no such token."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(prefix): Path<String>) -> ApiResult<StatusCode> {
    ctx.login().delete_api_token(&ctx.actor, &prefix).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the API tokens of a user.
///
/// Only for administrators.
#[utoipa::path(
    get, path = "/users/{user_id}/tokens", tag = "users", operation_id = "list_api_tokens_of_user",
    params(("user_id" = String, Path, description = "Name of the user.")),
    responses(
        (status = 200, body = Data<Vec<ApiToken>>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
    )
)]
pub(crate) async fn list_of_user(ctx: Ctx, Path(user): Path<UserName>) -> ApiResult<Data<Vec<ApiToken>>> {
    Ok(shown(ctx.login().api_tokens_of(&ctx.actor, &user).await?))
}

/// Delete an API token of a user.
///
/// Only for administrators.
#[utoipa::path(
    delete, path = "/users/{user_id}/tokens/{prefix}", tag = "users", operation_id = "delete_api_token_of_user",
    params(
        ("user_id" = String, Path, description = "Name of the user."),
        ("prefix" = String, Path, description = "Names the token."),
    ),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The prefix does not have eight characters."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "The user has no such token."),
    )
)]
pub(crate) async fn delete_of_user(
    ctx: Ctx,
    Path((user, prefix)): Path<(UserName, String)>,
) -> ApiResult<StatusCode> {
    ctx.login()
        .delete_api_token_of(&ctx.actor, &user, &prefix)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where tokens were kept before.
#[utoipa::path(
    get, path = "/me/token", tag = "me", operation_id = "old_api_token",
    responses((status = 401, body = Failure), (status = 410, body = Failure, description = "See `/me/tokens`."))
)]
pub(crate) async fn old_get(_: Ctx) -> Response {
    compat::old_tokens()
}

/// Where tokens were made before.
#[utoipa::path(
    post, path = "/me/token", tag = "me", operation_id = "old_add_api_token",
    responses((status = 401, body = Failure), (status = 410, body = Failure, description = "See `/me/tokens`."))
)]
pub(crate) async fn old_add(_: Ctx) -> Response {
    compat::old_tokens()
}

/// Where tokens were changed before.
#[utoipa::path(
    put, path = "/me/token/{prefix}", tag = "me", operation_id = "old_change_api_token",
    params(("prefix" = String, Path, description = "Anything.")),
    responses((status = 401, body = Failure), (status = 410, body = Failure, description = "See `/me/tokens`."))
)]
pub(crate) async fn old_change(_: Ctx) -> Response {
    compat::old_tokens()
}

/// Where tokens were deleted before.
#[utoipa::path(
    delete, path = "/me/token/{prefix}", tag = "me", operation_id = "old_delete_api_token",
    params(("prefix" = String, Path, description = "Anything.")),
    responses((status = 401, body = Failure), (status = 410, body = Failure, description = "See `/me/tokens`."))
)]
pub(crate) async fn old_delete(_: Ctx) -> Response {
    compat::old_tokens()
}

fn shown(tokens: Vec<rport_server::ApiToken>) -> Data<Vec<ApiToken>> {
    let shown = tokens.into_iter().map(|token| ApiToken {
        prefix: token.prefix,
        name: token.name,
        created_at: token.created_at.into(),
        expires_at: token.expires_at.map(Into::into),
        scope: token.scope,
    });
    Data {
        data: shown.collect(),
    }
}
