//! The description of this API.

use axum::response::{IntoResponse, Response};
use http::header;

use crate::{answer, router};

/// Describe this API.
///
/// The OpenAPI document, generated from the handlers. It needs no login.
#[utoipa::path(
    get, path = "/openapi.json", tag = "about", operation_id = "openapi", security(()),
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object))
)]
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, answer::JSON)], router::openapi_json()).into_response()
}
