//! Refuses banned addresses before anything else is looked at, and notes the path that was asked for.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ctx;
use crate::error::ApiError;
use crate::state::ApiState;

/// Answers 423 to banned addresses.
pub(crate) async fn refuse_banned(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(ctx::AskedFor(parts.uri.clone()));
    let origin = ctx::origin(&parts, state.login());
    match state.login().check_ban(&origin) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}
