//! A page to browse the description of this API. It comes from this server alone and runs nothing of others.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

/// The page. Its parts are named relative to it.
const PAGE: &str = "/api/v1/docs/";
/// Scripts and styles from files of ours only, requests to this server only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The page and its parts; no operations, so not in the document they show.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/v1/docs", get(|| async { Redirect::permanent(PAGE) }))
        .route(
            PAGE,
            get(|| async {
                part(
                    "text/html; charset=utf-8",
                    include_str!("../../assets/docs/index.html"),
                )
            }),
        )
        .route(
            "/api/v1/docs/docs.js",
            get(|| async {
                part(
                    "text/javascript; charset=utf-8",
                    include_str!("../../assets/docs/docs.js"),
                )
            }),
        )
        .route(
            "/api/v1/docs/docs.css",
            get(|| async {
                part(
                    "text/css; charset=utf-8",
                    include_str!("../../assets/docs/docs.css"),
                )
            }),
        )
}

fn part(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
