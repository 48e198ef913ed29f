//! Commands and scripts that are kept for later.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use rport_api_types::library::{LibraryCommand, LibraryScript, NewLibraryCommand, NewLibraryScript};
use rport_domain::{LibraryId, LibraryKind};

use crate::answer::{self, Data, Listed};
use crate::body::Json;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};

/// List commands of the library.
///
/// All members unless some are asked for with `fields[commands]`; pages have 20 commands unless asked otherwise, 100 at
/// most. `filter[tags]` looks at each tag by itself.
#[utoipa::path(
    get, path = "/library/commands", tag = "library", operation_id = "list_library_commands", params(ListParams),
    responses(
        (status = 200, body = Listed<LibraryCommand>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`."),
    )
)]
pub(crate) async fn list_commands(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<LibraryCommand>> {
    let kind = LibraryKind::Command;
    ctx.actor.require(kind.permission())?;
    let query = query.list(kind.list_spec())?;
    let page = ctx.server().library().list(&ctx.actor, kind, &query).await?;
    let page = page.map(|entry| LibraryCommand::new(entry, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Show a command of the library.
#[utoipa::path(
    get, path = "/library/commands/{command_id}", tag = "library", operation_id = "get_library_command",
    params(("command_id" = String, Path)),
    responses(
        (status = 200, body = Data<LibraryCommand>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`."),
        (status = 404, body = Failure, description = "There is no such command."),
    )
)]
pub(crate) async fn get_command(ctx: Ctx, Path(id): Path<LibraryId>) -> ApiResult<Data<LibraryCommand>> {
    let library = ctx.server().library();
    let entry = library.get(&ctx.actor, LibraryKind::Command, &id).await?;
    Ok(Data { data: entry.into() })
}

/// Add a command to the library.
#[utoipa::path(
    post, path = "/library/commands", tag = "library", operation_id = "add_library_command",
    request_body = NewLibraryCommand,
    responses(
        (status = 201, body = Data<LibraryCommand>),
        (status = 400, body = Failure, description = "The body is not understood, or a member is missing or too long."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`."),
        (status = 409, body = Failure, description = "Another command has the name."),
    )
)]
pub(crate) async fn add_command(ctx: Ctx, Json(new): Json<NewLibraryCommand>) -> ApiResult<Response> {
    let library = ctx.server().library();
    let entry = library.add(&ctx.actor, LibraryKind::Command, new.into()).await?;
    Ok(created(LibraryCommand::from(entry)))
}

/// Replace a command of the library.
///
/// What is missing in the body is reset. Who created the command and when stays as it is.
#[utoipa::path(
    put, path = "/library/commands/{command_id}", tag = "library", operation_id = "change_library_command",
    params(("command_id" = String, Path)),
    request_body = NewLibraryCommand,
    responses(
        (status = 200, body = Data<LibraryCommand>),
        (status = 400, body = Failure, description = "The body is not understood, or a member is missing or too long."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`."),
        (status = 404, body = Failure, description = "There is no such command."),
        (status = 409, body = Failure, description = "Another command has the name."),
    )
)]
pub(crate) async fn change_command(
    ctx: Ctx,
    Path(id): Path<LibraryId>,
    Json(new): Json<NewLibraryCommand>,
) -> ApiResult<Data<LibraryCommand>> {
    let library = ctx.server().library();
    let entry = library
        .replace(&ctx.actor, LibraryKind::Command, &id, new.into())
        .await?;
    Ok(Data { data: entry.into() })
}

/// Remove a command from the library.
#[utoipa::path(
    delete, path = "/library/commands/{command_id}", tag = "library", operation_id = "delete_library_command",
    params(("command_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `commands`."),
        (status = 404, body = Failure, description = "There is no such command."),
    )
)]
pub(crate) async fn delete_command(ctx: Ctx, Path(id): Path<LibraryId>) -> ApiResult<StatusCode> {
    let library = ctx.server().library();
    library.delete(&ctx.actor, LibraryKind::Command, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List scripts of the library.
///
/// All members unless some are asked for with `fields[scripts]`; pages have 20 scripts unless asked otherwise, 100 at
/// most. `filter[tags]` looks at each tag by itself.
#[utoipa::path(
    get, path = "/library/scripts", tag = "library", operation_id = "list_library_scripts", params(ListParams),
    responses(
        (status = 200, body = Listed<LibraryScript>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`."),
    )
)]
pub(crate) async fn list_scripts(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<LibraryScript>> {
    let kind = LibraryKind::Script;
    ctx.actor.require(kind.permission())?;
    let query = query.list(kind.list_spec())?;
    let page = ctx.server().library().list(&ctx.actor, kind, &query).await?;
    let page = page.map(|entry| LibraryScript::new(entry, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Show a script of the library.
#[utoipa::path(
    get, path = "/library/scripts/{script_id}", tag = "library", operation_id = "get_library_script",
    params(("script_id" = String, Path)),
    responses(
        (status = 200, body = Data<LibraryScript>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`."),
        (status = 404, body = Failure, description = "There is no such script."),
    )
)]
pub(crate) async fn get_script(ctx: Ctx, Path(id): Path<LibraryId>) -> ApiResult<Data<LibraryScript>> {
    let library = ctx.server().library();
    let entry = library.get(&ctx.actor, LibraryKind::Script, &id).await?;
    Ok(Data { data: entry.into() })
}

/// Add a script to the library.
#[utoipa::path(
    post, path = "/library/scripts", tag = "library", operation_id = "add_library_script",
    request_body = NewLibraryScript,
    responses(
        (status = 201, body = Data<LibraryScript>),
        (status = 400, body = Failure, description = "The body is not understood, or a member is missing or too long."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`."),
        (status = 409, body = Failure, description = "Another script has the name."),
    )
)]
pub(crate) async fn add_script(ctx: Ctx, Json(new): Json<NewLibraryScript>) -> ApiResult<Response> {
    let library = ctx.server().library();
    let entry = library.add(&ctx.actor, LibraryKind::Script, new.into()).await?;
    Ok(created(LibraryScript::from(entry)))
}

/// Replace a script of the library.
///
/// What is missing in the body is reset. Who created the script and when stays as it is.
#[utoipa::path(
    put, path = "/library/scripts/{script_id}", tag = "library", operation_id = "change_library_script",
    params(("script_id" = String, Path)),
    request_body = NewLibraryScript,
    responses(
        (status = 200, body = Data<LibraryScript>),
        (status = 400, body = Failure, description = "The body is not understood, or a member is missing or too long."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`."),
        (status = 404, body = Failure, description = "There is no such script."),
        (status = 409, body = Failure, description = "Another script has the name."),
    )
)]
pub(crate) async fn change_script(
    ctx: Ctx,
    Path(id): Path<LibraryId>,
    Json(new): Json<NewLibraryScript>,
) -> ApiResult<Data<LibraryScript>> {
    let library = ctx.server().library();
    let entry = library
        .replace(&ctx.actor, LibraryKind::Script, &id, new.into())
        .await?;
    Ok(Data { data: entry.into() })
}

/// Remove a script from the library.
#[utoipa::path(
    delete, path = "/library/scripts/{script_id}", tag = "library", operation_id = "delete_library_script",
    params(("script_id" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `scripts`."),
        (status = 404, body = Failure, description = "There is no such script."),
    )
)]
pub(crate) async fn delete_script(ctx: Ctx, Path(id): Path<LibraryId>) -> ApiResult<StatusCode> {
    let library = ctx.server().library();
    library.delete(&ctx.actor, LibraryKind::Script, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Differs from RPort, which labels the answer for scripts as plain text.
fn created(data: impl serde::Serialize) -> Response {
    answer::json(StatusCode::CREATED, &Data { data })
}
