//! Sends callers with `//`, `.` or `..` in the path to the cleaned path, as the original's router does.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::compat::{self, API_BASE};

/// Answers 301 for paths that are not clean, and 404 for methods no API route has.
pub(crate) async fn clean_path(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if let Some(cleaned) = cleaned(path) {
        return moved(&cleaned, request.uri().query());
    }
    if path.starts_with(API_BASE) && compat::is_method_without_routes(request.method()) {
        return compat::not_found();
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        // The router names the methods a path has; with a 404 that would be a riddle.
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

fn moved(path: &str, query: Option<&str>) -> Response {
    let location = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    match HeaderValue::from_str(&location) {
        Ok(location) => (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)]).into_response(),
        Err(_) => compat::not_found(),
    }
}

/// The path without empty and dot segments; `None` when it has none. Percent-encoded bytes stay as they are: an
/// encoded slash belongs to its segment, so that a client id with a slash can be addressed.
fn cleaned(path: &str) -> Option<String> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let last = inner.split('/').count() - 1;
    let is_odd =
        |(at, segment): (usize, &str)| segment == "." || segment == ".." || (segment.is_empty() && at < last);
    if !inner.split('/').enumerate().any(is_odd) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in inner.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut cleaned = String::from("/");
    cleaned.push_str(&kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        cleaned.push('/');
    }
    Some(cleaned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(cleaned(path).as_deref(), expected, "{path}");
    }

    #[test]
    fn only_odd_paths_move() {
        check("/", None);
        check("/api/v1/clients", None);
        check("/api/v1/clients/", None);
        check("/api/v1/clients/a%2Fb", None);
        check("/api//v1", Some("/api/v1"));
        check("//evil.example/x", Some("/evil.example/x"));
        check("/api/./v1", Some("/api/v1"));
        check("/api/v1/../x", Some("/api/x"));
        check("/../..", Some("/"));
        check("/a/b//", Some("/a/b/"));
        check("//", Some("/"));
    }

    proptest! {
        #[test]
        fn cleaning_is_final_and_stays_on_this_host(path in "(/[a./%]{0,4}){0,8}") {
            if let Some(once) = cleaned(&path) {
                prop_assert_eq!(cleaned(&once), None);
                prop_assert!(once.starts_with('/') && !once.starts_with("//"));
            }
        }
    }
}
