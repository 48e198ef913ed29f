//! Turns a panic in a route into an empty 500, as the original does.

use std::any::Any;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;

/// Makes an answer of a panic.
type Answer = fn(Box<dyn Any + Send>) -> Response<Body>;

/// The panic guard.
pub(crate) fn layer() -> CatchPanicLayer<Answer> {
    CatchPanicLayer::custom(answer as Answer)
}

fn answer(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    tracing::error!(panic = text, "a request ended in a panic");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
