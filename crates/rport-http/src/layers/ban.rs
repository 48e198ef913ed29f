//! Refuses banned addresses before anything else is looked at.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ctx;
use crate::error::ApiError;
use crate::state::ApiState;

/// Answers 423 to banned addresses.
pub(crate) async fn refuse_banned(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let origin = ctx::origin(&parts, state.login());
    match state.login().check_ban(&origin) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}
