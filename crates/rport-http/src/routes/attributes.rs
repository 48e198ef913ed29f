//! Tags and labels.

use axum::extract::{Path, Request, State};
use rport_api_types::attributes::ClientAttributes;
use rport_api_types::client_tag::{ClientTag, ClientTagDocument};
use rport_domain::{CLIENT_TAG_LIST, ClientId, Error};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::{Data, Listed};
use crate::body::{self, ReadError};
use crate::compat::BODY_TOO_LARGE;
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};
use crate::state::ApiState;

/// Show the tags and labels of a client.
///
/// The client must be connected.
#[utoipa::path(
    get, path = "/clients/{client_id}/attributes", tag = "clients", operation_id = "get_client_attributes",
    params(("client_id" = String, Path)),
    responses(
        (status = 200, body = Data<ClientAttributes>),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller may not access this client."),
        (status = 404, body = Failure, description = "There is no such client, or it is not connected."),
    )
)]
pub(crate) async fn get(ctx: Ctx, Path(id): Path<ClientId>) -> ApiResult<Data<ClientAttributes>> {
    let attributes = ctx.server().clients().attributes(&ctx.actor, &id)?;
    Ok(Data {
        data: attributes.into(),
    })
}

/// Replace the tags and labels of a client.
///
/// The client must be connected: its agent keeps them, in its `attributes_file_path`. What is missing becomes null.
/// Members that are neither are ignored.
#[utoipa::path(
    put, path = "/clients/{client_id}/attributes", tag = "clients", operation_id = "set_client_attributes",
    params(("client_id" = String, Path)),
    request_body = ClientAttributes,
    responses(
        (status = 200, body = Data<String>, example = json!({"data": "ok"})),
        (status = 400, body = Failure, description = "The body is not understood, or it is too large."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "The caller may not access this client."),
        (status = 404, body = Failure, description = "There is no such client, or it is not connected."),
        (status = 409, body = Failure, description = "The agent cannot or does not want to keep them, or somebody \
            else changes them at the moment."),
    )
)]
pub(crate) async fn set(
    ctx: Ctx,
    Path(id): Path<ClientId>,
    State(state): State<ApiState>,
    request: Request,
) -> ApiResult<Data<String>> {
    let body = body::read(request, state.options().max_request_bytes)
        .await
        .map_err(|error| match error {
            ReadError::TooLarge => unreadable(BODY_TOO_LARGE),
            ReadError::TooSlow => unreadable("the body did not arrive in time"),
            ReadError::Broken(text) => unreadable(text),
        })?;
    let attributes = attributes(&body)?;
    let clients = ctx.server().clients();
    clients.set_attributes(&ctx.actor, &id, attributes.into()).await?;
    Ok(Data {
        data: "ok".to_owned(),
    })
}

/// List the tags in use.
///
/// With the clients that carry them, as far as the caller may access these.
#[utoipa::path(
    get, path = "/client-tags", tag = "clients", operation_id = "list_client_tags", params(ListParams),
    responses(
        (status = 200, body = Listed<ClientTagDocument>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
    )
)]
pub(crate) async fn tags(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<ClientTag>> {
    let query = query.list(&CLIENT_TAG_LIST)?;
    let page = ctx
        .server()
        .clients()
        .tags(&ctx.actor, &query)?
        .map(|tag| ClientTag::new(tag, query.fields));
    Ok(Listed::new(page.items, page.total))
}

/// Reads the body as the original does, which has words of its own here and ignores members it does not know.
fn attributes(body: &[u8]) -> Result<ClientAttributes, Error> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Option<Map<String, Value>>>();
    let members = match values.next() {
        Some(Ok(members)) => members.unwrap_or_default(),
        Some(Err(error)) if error.is_eof() => return Err(unreadable("unexpected end of JSON input")),
        Some(Err(error)) => return Err(unreadable(error)),
        None => return Err(unreadable("unexpected end of JSON input")),
    };
    let mut attributes = ClientAttributes::default();
    for (key, value) in members {
        match key.to_ascii_lowercase().as_str() {
            "tags" => attributes.tags = member(value)?,
            "labels" => attributes.labels = member(value)?,
            _ => {}
        }
    }
    Ok(attributes)
}

fn member<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(unreadable)
}

fn unreadable(problem: impl std::fmt::Display) -> Error {
    Error::invalid(format!("failed parsing attributes: {problem}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bodies_are_read_leniently() {
        let read = attributes(br#"{"TAGS":["a"],"labels":null,"other":{"x":1}} rest"#).expect("readable");
        assert_eq!((read.tags, read.labels), (Some(vec!["a".to_owned()]), None));
        let read = attributes(b"null").expect("readable");
        assert_eq!((read.tags, read.labels), (None, None));
        for body in ["", "[]", "{\"tags\":1}", "{\"labels\":{\"a\":1}}", "{"] {
            let error = attributes(body.as_bytes()).expect_err(body);
            assert!(error.title.starts_with("failed parsing attributes: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(body: Vec<u8>) {
            let _ = attributes(&body);
        }
    }
}
