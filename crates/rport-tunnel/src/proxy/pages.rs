//! What the front itself answers. Visitors are people with browsers, so these are small pages.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::http::Answer;

/// The ACL refuses the visitor. The text is the Go server's.
pub(super) fn denied() -> Answer {
    page(StatusCode::FORBIDDEN, "Access rejected by ACL")
}

/// Name and password are wanted, or were wrong.
pub(super) fn login_wanted() -> Answer {
    let mut answer = page(StatusCode::UNAUTHORIZED, "Login required");
    answer.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"rport tunnel\", charset=\"UTF-8\""),
    );
    answer
}

/// Too many wrong logins.
pub(super) fn slow_down(seconds: u64) -> Answer {
    let mut answer = page(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many wrong logins, please try later",
    );
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// The request cannot be passed on.
pub(super) fn bad_request(problem: &str) -> Answer {
    page(StatusCode::BAD_REQUEST, problem)
}

/// The service cannot be reached, or its answer makes no sense.
pub(super) fn away() -> Answer {
    page(
        StatusCode::BAD_GATEWAY,
        "The service behind this tunnel cannot be reached",
    )
}

/// The service was reached and says nothing.
pub(super) fn too_late() -> Answer {
    page(
        StatusCode::GATEWAY_TIMEOUT,
        "The service behind this tunnel does not answer",
    )
}

fn page(status: StatusCode, text: &str) -> Answer {
    let title = format!("[{}] Rport tunnel proxy: {text}", status.as_u16());
    let html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><p>{title}</p></body></html>\n"
    );
    let body = Full::new(Bytes::from(html)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
