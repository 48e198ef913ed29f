//! Credentials of agents.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rport_api_types::client_auth::{
    ClientAuth, ClientAuthChange, ClientIdBinding, GeneratedClientAuth, NewClientAuth,
};
use rport_domain::{CLIENT_AUTH_LIST, ClientAuthId, ClientId, Error};
use rport_runtime::Secret;
use rport_server::NewPassword;
use utoipa::IntoParams;

use crate::answer::{self, Data, Listed};
use crate::body::Json;
use crate::compat;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure, refusal};
use crate::list_query::{ListParams, QueryPairs};

/// A body that is looked at only after the question whether writing is allowed at all: the original answers in this
/// order, and scripts that meet a read-only server shall be told so whatever they send.
type Body<T> = Result<Json<T>, Response>;

const INVALID: &str = "ERR_CODE_INVALID_REQUEST";

/// List credentials of agents.
///
/// Only for administrators. Sorted and filtered by `id`; pages have 50 items unless asked otherwise, 500 at most.
/// Passwords that the server keeps in clear are shown, unless it is told not to.
#[utoipa::path(
    get, path = "/clients-auth", tag = "clients-auth", operation_id = "list_client_auths", params(ListParams),
    responses(
        (status = 200, body = Listed<ClientAuth>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<ClientAuth>> {
    ctx.actor.require_admin()?;
    let query = query.list(&CLIENT_AUTH_LIST)?;
    let page = ctx.server().client_auth().list(&ctx.actor, &query).await?;
    let page = page.map(ClientAuth::from);
    Ok(Listed::new(page.items, page.total))
}

/// Show credentials of agents.
///
/// Only for administrators.
#[utoipa::path(
    get, path = "/clients-auth/{client_auth_id}", tag = "clients-auth", operation_id = "get_client_auth",
    params(("client_auth_id" = String, Path, description = "Percent-encoded, `/` as `%2F`.")),
    responses(
        (status = 200, body = Data<ClientAuth>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There are no such credentials."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<ClientAuthId>) -> ApiResult<Data<ClientAuth>> {
    let view = ctx.server().client_auth().get(&ctx.actor, &id).await?;
    Ok(Data { data: view.into() })
}

/// Add credentials of agents.
///
/// Only for administrators. The answer has a body only when the server made the password; it cannot be asked for again.
#[utoipa::path(
    post, path = "/clients-auth", tag = "clients-auth", operation_id = "add_client_auth",
    request_body = NewClientAuth,
    responses(
        (status = 200, body = Data<GeneratedClientAuth>, description = "Added with a password that the server made."),
        (status = 201, description = "Added."),
        (status = 400, body = Failure, description = "The body is not understood, or id or password cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator, or credentials are read-only \
            (`ERR_CODE_CLIENT_AUTH_RO`)."),
        (status = 405, body = Failure, description = "There is a single pair, in the configuration."),
        (status = 409, body = Failure, description = "The id exists, or the file was changed by somebody else."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn add(ctx: Ctx, body: Body<NewClientAuth>) -> Result<Response, Response> {
    let service = ctx.server().client_auth();
    service.check_writable(&ctx.actor).map_err(refusal)?;
    let Json(new) = body?;
    let id = ClientAuthId::from(new.id.as_str());
    let request = addition(new).map_err(refusal)?;
    let outcome = service.add(&ctx.actor, request).await;
    let generated = outcome.map_err(refusal)?.generated;
    Ok(made(&id, generated).unwrap_or_else(|| StatusCode::CREATED.into_response()))
}

/// Change credentials of agents.
///
/// Only for administrators. Whatever is missing in the body stays as it is. The answer has a body only when the server
/// made the password; it cannot be asked for again.
#[utoipa::path(
    put, path = "/clients-auth/{client_auth_id}", tag = "clients-auth", operation_id = "change_client_auth",
    params(("client_auth_id" = String, Path, description = "Percent-encoded, `/` as `%2F`.")),
    request_body = ClientAuthChange,
    responses(
        (status = 200, body = Data<GeneratedClientAuth>, description = "`generate` was set."),
        (status = 204),
        (status = 400, body = Failure, description = "The body is not understood, or a value cannot be used."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator, or credentials are read-only \
            (`ERR_CODE_CLIENT_AUTH_RO`)."),
        (status = 404, body = Failure, description = "There are no such credentials."),
        (status = 405, body = Failure, description = "There is a single pair, in the configuration."),
        (status = 409, body = Failure, description = "The file was changed by somebody else."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<ClientAuthId>,
    body: Body<ClientAuthChange>,
) -> Result<Response, Response> {
    let service = ctx.server().client_auth();
    service.check_writable(&ctx.actor).map_err(refusal)?;
    let Json(change) = body?;
    let request = alteration(change).map_err(refusal)?;
    let outcome = service.update(&ctx.actor, &id, request).await;
    let generated = outcome.map_err(refusal)?.generated;
    Ok(made(&id, generated).unwrap_or_else(|| StatusCode::NO_CONTENT.into_response()))
}

/// Whether clients are forgotten with their credentials.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a parameter that QueryPairs reads")]
pub(crate) struct ForceParam {
    /// End the connections of clients that use the credentials, and forget these clients.
    force: Option<bool>,
}

/// Remove credentials of agents.
///
/// Only for administrators.
#[utoipa::path(
    delete, path = "/clients-auth/{client_auth_id}", tag = "clients-auth", operation_id = "delete_client_auth",
    params(("client_auth_id" = String, Path, description = "Percent-encoded, `/` as `%2F`."), ForceParam),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "`force` is no boolean."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator, or credentials are read-only \
            (`ERR_CODE_CLIENT_AUTH_RO`)."),
        (status = 404, body = Failure, description = "There are no such credentials."),
        (status = 405, body = Failure, description = "There is a single pair, in the configuration."),
        (status = 409, body = Failure, description = "Clients belong to them and `force` is not set, or the file was \
            changed by somebody else."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn delete(
    ctx: Ctx,
    Path(id): Path<ClientAuthId>,
    query: QueryPairs,
) -> ApiResult<StatusCode> {
    let service = ctx.server().client_auth();
    service.check_writable(&ctx.actor)?;
    let text = query.first("force");
    let force = compat::parse_bool(text)
        .ok_or_else(|| Error::invalid(format!("Invalid force param {text}.")).code(INVALID))?;
    service.delete(&ctx.actor, &id, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bind a client to other credentials.
///
/// Only for administrators. With `client_id_binding = "enforce"` the client's agent may then log in with these
/// credentials and no others. A connection it has stays.
#[utoipa::path(
    put, path = "/clients/{client_id}/client-auth", tag = "clients-auth", operation_id = "bind_client_auth",
    params(("client_id" = String, Path)),
    request_body = ClientIdBinding,
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The body is not understood."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller is no administrator."),
        (status = 404, body = Failure, description = "There is no such client, or there are no such credentials."),
        (status = 409, body = Failure, description = "Another client uses them, and they may not be shared."),
        (status = 503, body = Failure, description = "The database with the credentials does not answer."),
    )
)]
pub(crate) async fn bind(
    ctx: Ctx,
    Path(id): Path<ClientId>,
    body: Body<ClientIdBinding>,
) -> Result<StatusCode, Response> {
    ctx.actor.require_admin().map_err(refusal)?;
    let Json(binding) = body?;
    let auth = ClientAuthId::from(binding.client_auth_id);
    let bound = ctx.server().client_auth().rebind(&ctx.actor, &id, &auth).await;
    bound.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

fn addition(new: NewClientAuth) -> Result<rport_server::NewClientAuth, Error> {
    let expires_at = new.expiry()?;
    let given = (new.password, new.generate);
    Ok(rport_server::NewClientAuth {
        id: ClientAuthId::from(new.id),
        // The service has the words for a password that is missing.
        password: password(given)?.unwrap_or_else(|| NewPassword::Given(Secret::default())),
        comment: new.comment,
        expires_at,
    })
}

fn alteration(change: ClientAuthChange) -> Result<rport_server::ClientAuthChange, Error> {
    let expires_at = change.expiry()?;
    Ok(rport_server::ClientAuthChange {
        password: password((change.password, change.generate))?,
        grace: change.grace_seconds.map(Duration::from_secs),
        comment: change.comment,
        expires_at,
        disabled: change.disabled,
        force: change.force,
    })
}

fn password(given: (Option<String>, bool)) -> Result<Option<NewPassword>, Error> {
    match given {
        (Some(_), true) => Err(Error::invalid("Invalid password.")
            .detail("Give either 'password' or 'generate'.")
            .code(INVALID)),
        (Some(password), false) => Ok(Some(NewPassword::Given(Secret::new(password)))),
        (None, true) => Ok(Some(NewPassword::Generated)),
        (None, false) => Ok(None),
    }
}

/// The one answer that shows a password the server made; `None` when it made none.
fn made(id: &ClientAuthId, password: Option<Secret>) -> Option<Response> {
    let data = GeneratedClientAuth {
        id: id.to_string(),
        password: password?.expose().to_owned(),
    };
    Some(answer::json(StatusCode::OK, &Data { data }))
}
