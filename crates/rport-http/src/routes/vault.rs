//! Values that are kept encrypted.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::vault::{
    ListedVaultValue, NewVaultValue, StoredVaultValue, VaultAdmin, VaultPassword, VaultValue,
};
use rport_domain::{Error, VAULT_LIST, VaultValueId};
use rport_runtime::Secret;

use crate::answer::{self, Data};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};

/// Show the state of the vault.
#[utoipa::path(
    get, path = "/vault-admin", tag = "vault", operation_id = "get_vault_status",
    responses(
        (status = 200, body = Data<VaultAdmin>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`."),
    )
)]
pub(crate) async fn status(ctx: Ctx) -> ApiResult<Data<VaultAdmin>> {
    let status = ctx.server().vault().status(&ctx.actor).await?;
    Ok(Data { data: status.into() })
}

/// Make the vault.
///
/// Only for administrators. The vault is unlocked afterwards. Its password cannot be changed, and without it nobody
/// gets at the values again.
#[utoipa::path(
    post, path = "/vault-admin/init", tag = "vault", operation_id = "init_vault", request_body = VaultPassword,
    responses(
        (status = 201),
        (status = 400, body = Failure, description = "The body is not understood, or the password is too short or too long."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is no administrator."),
        (status = 409, body = Failure, description = "There is a vault already."),
    )
)]
pub(crate) async fn init(ctx: Ctx, Json(body): Json<VaultPassword>) -> ApiResult<StatusCode> {
    let vault = ctx.server().vault();
    vault.init(&ctx.actor, Secret::new(body.password)).await?;
    Ok(StatusCode::CREATED)
}

/// Unlock the vault.
///
/// Only for administrators. It stays unlocked, for everybody, until somebody locks it or the server stops. Each wrong
/// password after the third in a row makes the caller wait, twice as long each time.
#[utoipa::path(
    post, path = "/vault-admin/sesame", tag = "vault", operation_id = "unlock_vault", request_body = VaultPassword,
    responses(
        (status = 201),
        (status = 400, body = Failure, description = "The body is not understood."),
        (status = 401, body = Failure, description = "The caller is unknown, or the password is wrong."),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is no administrator."),
        (status = 409, body = Failure, description = "There is no vault, or it is unlocked."),
        (status = 429, body = Failure, description = "Too many wrong passwords; `detail` says how long to wait."),
    )
)]
pub(crate) async fn unlock(ctx: Ctx, Json(body): Json<VaultPassword>) -> ApiResult<StatusCode> {
    let vault = ctx.server().vault();
    vault.unlock(&ctx.actor, Secret::new(body.password)).await?;
    Ok(StatusCode::CREATED)
}

/// Lock the vault.
///
/// Only for administrators.
#[utoipa::path(
    delete, path = "/vault-admin/sesame", tag = "vault", operation_id = "lock_vault",
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is no administrator."),
        (status = 409, body = Failure, description = "It is locked."),
    )
)]
pub(crate) async fn lock(ctx: Ctx) -> ApiResult<StatusCode> {
    ctx.server().vault().lock(&ctx.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the keys of the vault.
///
/// Those the caller may use, on one page, without their values.
#[utoipa::path(
    get, path = "/vault", tag = "vault", operation_id = "list_vault_values", params(ListParams),
    responses(
        (status = 200, body = Data<Vec<ListedVaultValue>>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`."),
        (status = 409, body = Failure, description = "The vault is locked."),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Data<Vec<ListedVaultValue>>> {
    let query = query.list(&VAULT_LIST)?;
    let entries = ctx.server().vault().list(&ctx.actor, &query).await?;
    let data = entries.into_iter().map(ListedVaultValue::from).collect();
    Ok(Data { data })
}

/// Show a value of the vault.
///
/// The audit log notes who reads it.
#[utoipa::path(
    get, path = "/vault/{vault_value_id}", tag = "vault", operation_id = "get_vault_value",
    params(("vault_value_id" = i64, Path)),
    responses(
        (status = 200, body = Data<VaultValue>),
        (status = 400, body = Failure, description = "The id is no number, or zero."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is not in the required group."),
        (status = 404, body = Failure, description = "There is no such value."),
        (status = 409, body = Failure, description = "The vault is locked."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<String>) -> ApiResult<Data<VaultValue>> {
    let id = existing(&id)?;
    let value = ctx.server().vault().get(&ctx.actor, id).await?;
    let data = VaultValue::new(value.entry, value.value.expose().to_owned());
    Ok(Data { data })
}

/// Store a value in the vault.
#[utoipa::path(
    post, path = "/vault", tag = "vault", operation_id = "add_vault_value", request_body = NewVaultValue,
    responses(
        (status = 201, body = Data<StoredVaultValue>),
        (status = 400, body = Failure, description = "The body is not understood, or a member is missing or unknown."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`."),
        (status = 409, body = Failure, description = "The vault is locked, or the client has another value of that key."),
    )
)]
pub(crate) async fn add(ctx: Ctx, Json(new): Json<NewVaultValue>) -> ApiResult<Response> {
    created(&ctx, new).await
}

/// Replace a value of the vault.
///
/// What is missing in the body is reset. Who created the value and when stays as it is. The id 0 stores a new one.
#[utoipa::path(
    put, path = "/vault/{vault_value_id}", tag = "vault", operation_id = "change_vault_value",
    params(("vault_value_id" = i64, Path)),
    request_body = NewVaultValue,
    responses(
        (status = 200, body = Data<StoredVaultValue>),
        (status = 201, body = Data<StoredVaultValue>, description = "The id was 0."),
        (status = 400, body = Failure, description = "The id is no number, the body is not understood, or a member is \
            missing or unknown."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is not in the group that was \
            required so far."),
        (status = 404, body = Failure, description = "There is no such value."),
        (status = 409, body = Failure, description = "The vault is locked, or the client has another value of that key."),
    )
)]
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(new): Json<NewVaultValue>,
) -> ApiResult<Response> {
    let id = number(&id)?;
    if id.0 == 0 {
        return created(&ctx, new).await;
    }
    let (label, value) = new.into_parts();
    let vault = ctx.server().vault();
    vault.replace(&ctx.actor, id, label, &Secret::new(value)).await?;
    Ok(stored(StatusCode::OK, id))
}

/// Remove a value from the vault.
#[utoipa::path(
    delete, path = "/vault/{vault_value_id}", tag = "vault", operation_id = "delete_vault_value",
    params(("vault_value_id" = i64, Path)),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "The id is no number, or zero."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `vault`, or the caller is not in the required group."),
        (status = 404, body = Failure, description = "There is no such value."),
        (status = 409, body = Failure, description = "The vault is locked."),
    )
)]
pub(crate) async fn delete(ctx: Ctx, Path(id): Path<String>) -> ApiResult<StatusCode> {
    let id = existing(&id)?;
    ctx.server().vault().delete(&ctx.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn created(ctx: &Ctx, new: NewVaultValue) -> ApiResult<Response> {
    let (label, value) = new.into_parts();
    let vault = ctx.server().vault();
    let id = vault.add(&ctx.actor, label, &Secret::new(value)).await?;
    Ok(stored(StatusCode::CREATED, id))
}

fn stored(status: StatusCode, id: VaultValueId) -> Response {
    let data = StoredVaultValue { id: id.0 };
    answer::json(status, &Data { data })
}

fn number(text: &str) -> Result<VaultValueId, Error> {
    text.parse().map_err(|_| {
        Error::invalid(format!(
            "Non-numeric integer value provided: {text} for param vault_value_id"
        ))
    })
}

fn existing(text: &str) -> Result<VaultValueId, Error> {
    match number(text)? {
        VaultValueId(0) => Err(Error::invalid("missing \"vault_value_id\" route param")),
        id => Ok(id),
    }
}
