//! Lets requests that change something run to their end when the caller hangs up.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use rport_runtime::Tasks;

/// Runs everything but reads in a task of its own, so that a browser that goes away cannot leave half a change.
pub(crate) async fn detach_mutations(State(tasks): State<Tasks>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    match tasks.spawn("api-mutation", next.run(request)).await {
        Ok(response) => response,
        // The task panicked or was cut off at shutdown; the task's own report names the reason.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
