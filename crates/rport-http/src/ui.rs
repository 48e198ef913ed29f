//! Serves the embedded web UI, unless `doc_root` puts files of the operator's in its place.
//!
//! The UI finds the API relative to its own scripts, and its first page names those relative to itself. The page is
//! the same below every path of the UI, so the way up is written into it for each request: that is what lets a reverse
//! proxy put the server below any path without telling it.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rport_ui::Asset;

use crate::compat;

/// What a page of the UI may load and do: files and requests of this server only, nothing inline, in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
);
/// For files whose name changes with their content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For all others: may be kept, but is to be asked for again.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// The first page.
const INDEX: &str = "index.html";
/// How the first page names its parts: relative to the UI's root.
const RELATIVE: &str = "=\"./";

const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>RPort</title>\n\
    <h1>RPort is running</h1>\n\
    <p>This program was built without its web interface. Build it with <code>make ui</code> and then the server again, \
    or use the API: its description is at <a href=\"/api/v1/docs/\">/api/v1/docs/</a>.</p>\n</html>\n";

/// Answers with a file of the UI, with its first page where a browser navigates, or with 404.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || path.starts_with("/api/") || path == "/metrics" {
        return compat::not_found();
    }
    let headers = request.headers();
    let name = path.trim_start_matches('/');
    if let Some(asset) = rport_ui::asset(name).filter(|asset| asset.path != INDEX) {
        return file(asset, headers);
    }
    // Programs that ask for a path there is not learn so; the paths of the UI are a matter of browsers.
    if path != "/" && (name.starts_with("assets/") || !navigates(headers)) {
        return compat::not_found();
    }
    match rport_ui::asset(INDEX) {
        Some(index) => first_page(index, path, headers),
        None => page(NOT_BUILT.to_owned(), None),
    }
}

/// Whether a person's browser asks for a page, as opposed to a script or a program.
fn navigates(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn first_page(index: &Asset, path: &str, headers: &HeaderMap) -> Response {
    let depth = path.matches('/').count().saturating_sub(1);
    let tag = format!("\"{}-{depth}\"", index.hash);
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let text = String::from_utf8_lossy(&index.plain()).replace(RELATIVE, &format!("=\"{}", way_up(depth)));
    page(text, Some(tag))
}

/// From a path of that many folders to the root.
fn way_up(depth: usize) -> String {
    match depth {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

fn page(text: String, tag: Option<String>) -> Response {
    let headers: [(HeaderName, HeaderValue); 6] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, ASK_AGAIN),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    let mut response = (headers, text).into_response();
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn file(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", asset.hash);
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let (encoding, body) = packed(asset, headers);
    let caching = if asset.is_immutable() { FOR_EVER } else { ASK_AGAIN };
    let described: [(HeaderName, HeaderValue); 4] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(asset.content_type()),
        ),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    let mut response = (described, [(header::ETAG, tag)], body).into_response();
    if let Some(encoding) = encoding {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The best form the caller takes, and its name.
fn packed(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, axum::body::Bytes) {
    if let Some(body) = asset.brotli().filter(|_| takes(headers, "br")) {
        return (Some("br"), body.into());
    }
    if let Some(body) = asset.gzip().filter(|_| takes(headers, "gzip")) {
        return (Some("gzip"), body.into());
    }
    (None, asset.plain().into())
}

/// Whether `Accept-Encoding` names the encoding and does not refuse it with a weight of zero.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING);
    let values = all.iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Whether the caller has the content of this tag. A proxy that packed the answer has made the tag a weak one.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let all = headers.get_all(header::IF_NONE_MATCH);
    let values = all.iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    async fn asked(method: Method, path: &str, accept: &str) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, accept);
        serve(request.body(Body::empty()).expect("a request")).await
    }

    #[tokio::test]
    async fn browsers_get_the_first_page_everywhere_programs_only_at_the_root() {
        const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
        let check = async |method: Method, path: &str, accept: &str, expected: u16| {
            let response = asked(method.clone(), path, accept).await;
            assert_eq!(response.status(), expected, "{method} {path} {accept}");
            if expected == 200 {
                let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
                assert!(policy.to_str().expect("text").starts_with("default-src 'none'"));
                let body = response.into_body().collect().await.expect("body").to_bytes();
                assert!(String::from_utf8_lossy(&body).contains("<title>RPort"), "{path}");
            }
        };
        check(Method::GET, "/", "*/*", 200).await;
        check(Method::GET, "/clients", BROWSER, 200).await;
        check(Method::HEAD, "/clients/web.example.com", BROWSER, 200).await;
        check(Method::GET, "/auth/callback", BROWSER, 200).await;
        check(Method::GET, "/clients", "*/*", 404).await;
        check(Method::GET, "/api/v1/unknown", BROWSER, 404).await;
        check(Method::GET, "/metrics", BROWSER, 404).await;
        check(Method::GET, "/assets/unknown.js", BROWSER, 404).await;
        check(Method::POST, "/", BROWSER, 404).await;
    }

    #[tokio::test]
    async fn parts_are_named_relative_to_the_page() {
        let page = async |path: &str| {
            let response = asked(Method::GET, path, "text/html").await;
            let body = response.into_body().collect().await.expect("body").to_bytes();
            String::from_utf8_lossy(&body).into_owned()
        };
        if rport_ui::is_built() {
            assert!(page("/clients").await.contains("src=\"./assets/"));
            assert!(page("/clients/a%2Fb").await.contains("src=\"../assets/"));
            assert!(page("/clients/a/tunnels").await.contains("src=\"../../assets/"));
        }
        assert_eq!((way_up(0), way_up(2)), ("./".to_owned(), "../../".to_owned()));
    }

    #[tokio::test]
    async fn every_file_is_served_in_the_form_asked_for() {
        for asset in rport_ui::assets().iter().filter(|asset| asset.path != INDEX) {
            let path = format!("/{}", asset.path);
            let response = asked(Method::GET, &path, "*/*").await;
            assert_eq!(response.status(), 200, "{path}");
            assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
            let tag = response.headers()[header::ETAG]
                .to_str()
                .expect("text")
                .to_owned();
            assert!(is_known(
                &[(header::IF_NONE_MATCH, HeaderValue::try_from(&tag).expect("a tag"))]
                    .into_iter()
                    .collect(),
                &tag
            ));
            let body = response.into_body().collect().await.expect("body").to_bytes();
            assert_eq!(body, asset.plain(), "{path}");
        }
    }

    #[test]
    fn encodings_are_chosen_by_name_and_weight() {
        let takes = |text: &'static str, encoding: &str| {
            super::takes(&headers(&[(header::ACCEPT_ENCODING, text)]), encoding)
        };
        assert!(takes("gzip, deflate, br", "br") && takes("br;q=0.5", "br") && takes("GZIP", "gzip"));
        assert!(
            !takes("gzip", "br")
                && !takes("br;q=0, gzip", "br")
                && !takes("brotli", "br")
                && !takes("", "gzip")
        );
    }

    #[test]
    fn tags_are_compared_one_by_one() {
        let known = |text: &'static str| is_known(&headers(&[(header::IF_NONE_MATCH, text)]), "\"a\"");
        assert!(known("\"a\"") && known("\"b\", W/\"a\""));
        assert!(!known("\"b\"") && !known("a"));
    }
}
