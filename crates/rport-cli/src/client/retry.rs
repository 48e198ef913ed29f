//! Asking again.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header};

/// How often a call is made at most.
const ATTEMPTS: u32 = 4;
/// Pause after the first refusal when the server names none; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How long to wait before asking again; nothing when the answer stands.
///
/// Only calls that change nothing, or the same thing again, are repeated, and only when the server says that it is busy.
/// A refusal for wrong credentials is never repeated: it counts against the user.
pub(super) fn pause(method: &Method, response: &Response, attempt: u32, left: Duration) -> Option<Duration> {
    let named = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    decide(method, response.status(), named, attempt, left)
}

fn decide(
    method: &Method,
    status: StatusCode,
    retry_after: Option<&str>,
    attempt: u32,
    left: Duration,
) -> Option<Duration> {
    let repeatable = matches!(*method, Method::GET | Method::DELETE);
    let busy = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    if !repeatable || !busy || attempt >= ATTEMPTS {
        return None;
    }
    let pause = match retry_after.and_then(|seconds| seconds.trim().parse().ok()) {
        Some(seconds) => Duration::from_secs(seconds),
        None => FIRST_PAUSE * 2_u32.pow(attempt.saturating_sub(1)),
    };
    // Waiting for longer than the caller has makes nobody happier.
    (pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Duration = Duration::from_secs(30);
    const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

    #[test]
    fn only_what_may_be_repeated_is() {
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(decide(&Method::GET, BUSY, Some("3"), 1, LEFT), seconds(3));
        assert_eq!(
            decide(&Method::DELETE, StatusCode::TOO_MANY_REQUESTS, None, 2, LEFT),
            seconds(1)
        );
        assert_eq!(decide(&Method::POST, BUSY, None, 1, LEFT), None);
        assert_eq!(decide(&Method::PUT, BUSY, None, 1, LEFT), None);
        assert_eq!(
            decide(&Method::GET, StatusCode::UNAUTHORIZED, None, 1, LEFT),
            None
        );
        assert_eq!(decide(&Method::GET, StatusCode::OK, None, 1, LEFT), None);
        assert_eq!(decide(&Method::GET, BUSY, None, ATTEMPTS, LEFT), None);
        assert_eq!(decide(&Method::GET, BUSY, Some("60"), 1, LEFT), None);
    }
}
