//! Pages of other origins that may use the service (`tunnel_cors`).

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};

use super::http::Answer;

/// An origin that is allowed.
pub(super) struct Allowed {
    origin: HeaderValue,
    /// Not with `*`: a page of anybody must not act with a visitor's login.
    credentials: bool,
}

/// Looks an origin up in the list.
pub(super) fn allowed(list: &[String], origin: &HeaderValue) -> Option<Allowed> {
    let text = origin.to_str().ok()?;
    if list.iter().any(|one| one == text) {
        return Some(Allowed {
            origin: origin.clone(),
            credentials: true,
        });
    }
    list.iter().any(|one| one == "*").then(|| Allowed {
        origin: HeaderValue::from_static("*"),
        credentials: false,
    })
}

impl Allowed {
    /// Says so in an answer, whatever the service said.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if self.credentials {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
    }
}

/// Whether a browser asks before it sends the real request.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Allows what was asked for. Browsers send no login with such a question, so the front answers by itself.
pub(super) fn preflight(asked: &HeaderMap) -> Answer {
    let body = Empty::<Bytes>::new().map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    let mut echo = |from: HeaderName, to: HeaderName| {
        if let Some(value) = asked.get(from) {
            headers.insert(to, value.clone());
        }
    };
    echo(
        header::ACCESS_CONTROL_REQUEST_METHOD,
        header::ACCESS_CONTROL_ALLOW_METHODS,
    );
    echo(
        header::ACCESS_CONTROL_REQUEST_HEADERS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_are_echoed_and_any_origin_gets_no_login() {
        let check = |list: &[&str], origin: &'static str| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            let allowed = allowed(&list, &HeaderValue::from_static(origin))?;
            let mut headers = HeaderMap::new();
            allowed.mark(&mut headers);
            let origin = headers[header::ACCESS_CONTROL_ALLOW_ORIGIN]
                .to_str()
                .expect("text")
                .to_owned();
            Some((
                origin,
                headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
            ))
        };
        assert_eq!(
            check(&["https://a"], "https://a"),
            Some(("https://a".into(), true))
        );
        assert_eq!(check(&["https://a"], "https://b"), None);
        assert_eq!(check(&[], "https://b"), None);
        assert_eq!(check(&["*"], "https://b"), Some(("*".into(), false)));
    }
}
