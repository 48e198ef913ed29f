//! How failures look: status and `{"errors": [{"code", "title", "detail"}]}`. The only place that knows statuses.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rport_domain::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{answer, compat};

/// A failure on its way to the caller.
#[derive(Debug)]
pub(crate) struct ApiError(Error);

/// What a route returns.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// Body of every failure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    /// What went wrong; list queries report all mistakes at once, everything else one.
    pub(crate) errors: Vec<FailureItem>,
}

/// One thing that went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureItem {
    /// Stable identifier such as `ERR_CODE_INVALID_ACL`; often empty.
    #[schema(example = "")]
    pub(crate) code: String,
    /// What is wrong.
    #[schema(example = "unauthorized")]
    pub(crate) title: String,
    /// Why, where that is known; often empty.
    #[schema(example = "")]
    pub(crate) detail: String,
}

/// The status of a kind of failure.
fn status(kind: Kind) -> StatusCode {
    match kind {
        // A client that is not connected is "not found", as in the original.
        Kind::NotFound | Kind::ClientOffline => StatusCode::NOT_FOUND,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Conflict | Kind::ClientRefused => StatusCode::CONFLICT,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
        Kind::Banned => StatusCode::LOCKED,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::ClientTimeout | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        if error.kind == Kind::Banned {
            return compat::banned();
        }
        answer::json(status(error.kind), &failure(&error))
    }
}

/// What the caller hears; the cause goes to the log.
pub(crate) fn failure(error: &Error) -> Failure {
    log(error);
    let errors = error.items().map(FailureItem::from).collect();
    Failure { errors }
}

impl From<&Error> for FailureItem {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code.to_owned(),
            title: error.title.clone(),
            detail: error.detail.clone(),
        }
    }
}

/// The caller sees the public texts; the cause goes to the log, with the whole chain.
fn log(error: &Error) {
    let mut causes = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    match error.kind {
        Kind::Internal => tracing::error!("request failed: {error}{causes}"),
        _ => tracing::debug!("request refused: {error}{causes}"),
    }
}

/// The answer to a request that was refused, for routes that read the body themselves.
pub(crate) fn refusal(error: Error) -> Response {
    ApiError::from(error).into_response()
}
