//! What this API keeps from the original although it would not be chosen today, each with its reason.
//!
//! Source of all of it: the REST notes of the reference, sections 1–6, observed on the original server.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::answer;
use crate::error::{Failure, FailureItem};

/// Plain text, as Go's `http.Error` labels it.
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Path below which everything is API.
pub(crate) const API_BASE: &str = "/api/v1";

/// Paths of the original's single-page UI. Below them, whatever is no file shows the UI's first page, which routes by
/// itself. Anything else under `doc_root` that is no file is a 404.
pub(crate) const UI_PREFIXES: [&str; 8] = [
    "/dashboard",
    "/auth",
    "/tunnels",
    "/inventory",
    "/documentation",
    "/commands",
    "/scripts",
    "/settings",
];

/// An unknown path, and a known path with a method it does not have: both 404 in plain text. The original never answers
/// 405 here, and front ends tell "no such endpoint" from "no such client" by the missing JSON.
pub(crate) fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A banned address learns so in plain text. Front ends and fail2ban rules look for the status 423.
pub(crate) fn banned() -> Response {
    plain(StatusCode::LOCKED, "Too many bad attempts. Please try later.\n")
}

/// A form that is too long is refused in plain text, JSON that is too long in JSON (see `body.rs`).
pub(crate) fn form_too_large(limit: usize) -> Response {
    let text = format!("Request data exceeds the limit of {limit} bytes: http: request body too large\n");
    plain(StatusCode::BAD_REQUEST, text)
}

/// A request for a WebSocket route that does not ask for a WebSocket.
pub(crate) fn no_websocket() -> Response {
    plain(StatusCode::BAD_REQUEST, "Bad Request\n")
}

/// Tokens moved to another path long ago; the old one says so with a status nothing else here has.
pub(crate) fn old_tokens() -> Response {
    let item = FailureItem {
        code: String::new(),
        title: "use new token management on /me/tokens".to_owned(),
        detail: String::new(),
    };
    answer::json(StatusCode::GONE, &Failure { errors: vec![item] })
}

/// HEAD is a method like any other here: no route has it, unless files are served.
pub(crate) fn is_method_without_routes(method: &Method) -> bool {
    method == Method::HEAD
}

/// Reads a boolean parameter in the spellings the original takes; empty is false, `None` is none of them.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The title of a refused body, whatever is wrong with it.
pub(crate) const INVALID_JSON: &str = "Invalid JSON data.";
/// The title for no body at all.
pub(crate) const MISSING_JSON: &str = "Missing body with json data.";
/// The detail for a JSON body over the limit.
pub(crate) const BODY_TOO_LARGE: &str = "http: request body too large";

fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, PLAIN_TEXT),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    (status, headers, text.into()).into_response()
}
