//! Reads request bodies within a size and a time.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use rport_domain::Error;
use serde::de::DeserializeOwned;

use crate::compat::{BODY_TOO_LARGE, INVALID_JSON, MISSING_JSON};
use crate::error::ApiError;
use crate::go_json::{self, BodyError};
use crate::options::ApiOptions;
use crate::state::ApiState;

/// How long a body may take to arrive. The original waits for ever, so a silent sender holds a connection.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// A JSON body, whatever its content type says: `curl -d` labels JSON as a form.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Self::Rejection> {
        json(request, state.options().max_request_bytes).await.map(Self)
    }
}

/// Orders for jobs may be so long in any case, in bytes: the largest script that fits into a request to an agent, in
/// base64. Differs from RPort, where `max_request_bytes` and its default of 10 KiB hold for scripts, too.
const LONGEST_ORDER: usize = 512 * 1024;

/// How long an order for jobs may be, in bytes.
pub(crate) fn order_limit(options: &ApiOptions) -> usize {
    options.max_request_bytes.max(LONGEST_ORDER)
}

/// An order for jobs: [`Json`] with room for a script. Put it behind the extractor that authenticates.
pub(crate) struct OrderJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for OrderJson<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Self::Rejection> {
        json(request, order_limit(state.options())).await.map(Self)
    }
}

async fn json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Response> {
    let body = read(request, limit).await.map_err(|error| {
        let detail = match error {
            ReadError::TooLarge => BODY_TOO_LARGE.to_owned(),
            ReadError::TooSlow => "the body did not arrive in time".to_owned(),
            ReadError::Broken(text) => text,
        };
        ApiError::from(Error::invalid(INVALID_JSON).detail(detail)).into_response()
    })?;
    parse(&body).map_err(|error| ApiError::from(error).into_response())
}

/// Reads JSON with the original's texts for what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    go_json::from_slice(body).map_err(|error| match error {
        BodyError::Empty => Error::invalid(MISSING_JSON),
        BodyError::Invalid(text) => Error::invalid(INVALID_JSON).detail(text),
    })
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    TooLarge,
    TooSlow,
    Broken(String),
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(request: Request, limit: usize) -> Result<Bytes, ReadError> {
    let whole = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(BODY_LIMIT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(ReadError::TooLarge),
        Ok(Err(error)) => Err(ReadError::Broken(error.to_string())),
        Err(_) => Err(ReadError::TooSlow),
    }
}
