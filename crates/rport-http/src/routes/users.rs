//! Users of the API.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::user::{NewUser, User, UserChange};
use rport_domain::UserName;
use rport_runtime::Secret;
use rport_server::{UserUpdate, UserView};

use crate::answer::Data;
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure, refusal};

/// List users.
///
/// Only for administrators. All of them at once.
#[utoipa::path(
    get, path = "/users", tag = "users", operation_id = "list_users",
    responses(
        (status = 200, body = Data<Vec<User>>),
        (status = 400, body = Failure, description = "There is a single user, in the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn list(ctx: Ctx) -> ApiResult<Data<Vec<User>>> {
    let users = ctx.users().list(&ctx.actor).await?;
    Ok(Data {
        data: users.into_iter().map(shown).collect(),
    })
}

/// Add a user.
///
/// Only for administrators.
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "add_user", request_body = NewUser,
    responses(
        (status = 201),
        (status = 400, body = Failure, description = "Something is missing, breaks a rule or exists already, or there \
            is a single user, in the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 409, body = Failure, description = "The file was changed by somebody else."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn add(ctx: Ctx, body: Result<Json<NewUser>, Response>) -> Result<StatusCode, Response> {
    let users = ctx.users();
    users.check_manageable(&ctx.actor).map_err(refusal)?;
    let Json(new) = body?;
    let new = rport_server::NewUser {
        name: new.username,
        password: Secret::new(new.password),
        password_expired: new.password_expired,
        groups: new.groups,
        two_fa_send_to: new.two_fa_send_to,
        totp_secret: Secret::new(new.totp_secret),
    };
    users.add(&ctx.actor, new).await.map_err(refusal)?;
    Ok(StatusCode::CREATED)
}

/// Change a user.
///
/// Only for administrators. The last member of the group `Administrators` has to stay in it.
#[utoipa::path(
    put, path = "/users/{user_id}", tag = "users", operation_id = "change_user",
    params(("user_id" = String, Path, description = "Name of the user, percent-encoded, `/` as `%2F`.")),
    request_body = UserChange,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "There is nothing to change, something breaks a rule, the new \
            name exists, or there is a single user, in the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There is no such user."),
        (status = 409, body = Failure, description = "Nobody would be administrator any more, or the file was changed \
            by somebody else."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn change(
    ctx: Ctx,
    Path(name): Path<UserName>,
    body: Result<Json<UserChange>, Response>,
) -> Result<StatusCode, Response> {
    let users = ctx.users();
    users.check_manageable(&ctx.actor).map_err(refusal)?;
    let Json(change) = body?;
    let update = UserUpdate {
        name: change.username,
        password: change.password.map(Secret::new),
        password_expired: change.password_expired,
        groups: change.groups,
        two_fa_send_to: change.two_fa_send_to,
        totp_secret: change.totp_secret.map(Secret::new),
    };
    users.update(&ctx.actor, &name, update).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user.
///
/// Only for administrators. The sessions and API tokens of the user end with it. The last member of the group
/// `Administrators` cannot be removed.
#[utoipa::path(
    delete, path = "/users/{user_id}", tag = "users", operation_id = "delete_user",
    params(("user_id" = String, Path, description = "Name of the user, percent-encoded, `/` as `%2F`.")),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "There is a single user, in the configuration."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There is no such user."),
        (status = 409, body = Failure, description = "The user is the last administrator, or the file was changed by \
            somebody else."),
        (status = 503, body = Failure, description = "The database with the users does not answer."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(name): Path<UserName>) -> ApiResult<StatusCode> {
    ctx.users().delete(&ctx.actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(user: UserView) -> User {
    User::new(user.name, user.groups, user.password_expired, user.two_fa_send_to)
}
