//! What the server said, and what went wrong on the way to it.

use std::error::Error as _;

use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::Credential;
use crate::failure::{Exit, Failure, Result};

/// The JSON of a body; null for an empty one.
///
/// # Errors
/// When it is no JSON: then it is not our server that answers.
pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|_| {
        Failure::error("the answer is no JSON")
            .at(place)
            .hint("check that the address is that of an rportd API, not of a front end or another service")
    })
}

/// The `data` of an answer; all of it where the API does not wrap (reference `rest-api.md`, section 2).
pub(super) fn data(body: &mut Value) -> Value {
    match body.get_mut("data") {
        Some(data) => data.take(),
        None => body.take(),
    }
}

/// An answer that is no success.
pub(super) fn failure(status: StatusCode, bytes: &[u8], place: &str, credential: &Credential) -> Failure {
    let body: Option<Value> = serde_json::from_slice(bytes).ok();
    let errors = body
        .as_ref()
        .and_then(|body| body.get("errors"))
        .and_then(Value::as_array);
    let known = errors.is_some_and(|errors| !errors.is_empty());
    let what = match errors {
        Some(errors) if known => errors.iter().map(text).collect::<Vec<_>>().join("; "),
        // Some refusals are plain text, such as that of a banned address.
        _ if status.as_u16() == 423 => String::from_utf8_lossy(bytes).trim().to_owned(),
        _ => format!("the server answers {status}"),
    };
    let code = errors
        .and_then(|errors| errors.first()?.get("code")?.as_str())
        .unwrap_or_default();
    let exit = match status.as_u16() {
        401 | 403 | 423 | 429 => Exit::Forbidden,
        // A 404 without our form of errors is a path that the server does not know.
        404 if known => Exit::NotFound,
        409 => Exit::Conflict,
        502..=504 => Exit::Unreachable,
        _ => Exit::Error,
    };
    Failure::new(exit, what)
        .at(format!("{place}, status {}", status.as_u16()))
        .hint(hint(status, known, credential))
        .code(code)
}

/// A refusal that comes as a frame of a WebSocket. It has no status, so the text tells what it is.
pub(super) fn refusal(frame: &Value) -> Option<Failure> {
    let errors = frame.get("errors")?.as_array()?;
    let what: Vec<String> = errors.iter().map(text).collect();
    let what = what.join("; ");
    let has = |words: &[&str]| words.iter().any(|word| what.contains(word));
    let exit = if has(&["not found", "Cannot find"]) {
        Exit::NotFound
    } else if has(&["access denied", "Access denied", "permission", "doesn't allow"]) {
        Exit::Forbidden
    } else if has(&["vault is locked"]) {
        Exit::Conflict
    } else {
        Exit::Error
    };
    Some(Failure::new(exit, what))
}

fn text(error: &Value) -> String {
    let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    match (part("title"), part("detail")) {
        ("", detail) => detail.to_owned(),
        (title, "") => title.to_owned(),
        (title, detail) => format!("{}: {detail}", title.trim_end_matches('.')),
    }
}

fn hint(status: StatusCode, known: bool, credential: &Credential) -> &'static str {
    match (status.as_u16(), credential) {
        (401, Credential::Nobody) => "log in: rportcli login",
        (401, Credential::Session(_)) => {
            "the session has ended or been revoked; log in again: rportcli login"
        }
        (401, Credential::Basic { .. }) => {
            "check user name and password or API token; a token belongs to one user and may have expired"
        }
        (423, _) => "this address is locked out for some minutes after too many failed logins",
        (429, _) => "wait a few seconds, then try again",
        (404, _) if !known => "the server may be too old for this, or the address is not that of its API",
        (405, _) if !known => "the server may be too old for this",
        (301..=308, _) => "use the address that the server redirects to",
        _ => "",
    }
}

/// No answer at all.
pub(super) fn unreachable(error: &reqwest::Error, server: &Url) -> Failure {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    // The last cause is the system's or TLS's own word; those above it only say that something failed.
    let cause = causes.last().cloned().unwrap_or_else(|| error.to_string());
    let host = server.host_str().unwrap_or_default();
    let port = server.port_or_known_default().unwrap_or_default();
    let chain = causes.join(": ");
    let hint = if chain.contains("certificate") {
        "name the authority with --ca-file, or call the server by the name in its certificate"
    } else if error.is_builder() {
        "check the address"
    } else {
        "check the address, the port (https or http?) and that the server runs"
    };
    Failure::new(
        Exit::Unreachable,
        format!("cannot reach the server at {host} port {port}: {cause}"),
    )
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).expect("a status");
        failure(status, body.as_bytes(), "GET /x", &Credential::Nobody)
    }

    #[test]
    fn errors_become_sentences_and_exit_codes() {
        let body =
            r#"{"errors":[{"code":"ERR_CODE_TUNNEL_EXIST","title":"Tunnel exists.","detail":"see 7"}]}"#;
        for (status, number) in [
            (400, 1),
            (401, 3),
            (403, 3),
            (404, 4),
            (409, 5),
            (423, 3),
            (429, 3),
            (500, 1),
            (503, 6),
        ] {
            let failure = failed(status, body);
            assert_eq!(failure.number(), number, "{status}");
            assert_eq!(failure.what(), "Tunnel exists: see 7");
            assert!(failure.has_code("ERR_CODE_TUNNEL_EXIST"));
        }
        assert!(failed(401, "").to_string().contains("rportcli login"));
        assert_eq!(failed(404, "404 page not found\n").number(), 1);
        assert_eq!(
            failed(423, "Too many bad attempts.\n").what(),
            "Too many bad attempts."
        );
        let several = r#"{"errors":[{"title":"a"},{"code":"","title":"","detail":"b"}]}"#;
        assert_eq!(failed(400, several).what(), "a; b");
        for odd in ["[]", "{\"errors\":7}", "{\"errors\":[]}", "\u{0}"] {
            assert!(failed(500, odd).what().contains("500"), "{odd}");
        }
    }

    #[test]
    fn refusals_of_websockets_have_exit_codes() {
        let number = |title: &str| {
            let frame = serde_json::json!({ "errors": [{ "code": "", "title": title, "detail": "" }] });
            refusal(&frame).expect("a refusal").number()
        };
        assert_eq!(number("Client with id=\"x\" not found."), 4);
        assert_eq!(number("Cannot find a vault value by the provided key: x"), 4);
        assert_eq!(number("vault is locked"), 5);
        assert_eq!(number("user does not have \"vault\" permission"), 3);
        assert_eq!(number("Command cannot be empty."), 1);
        assert!(refusal(&serde_json::json!({ "jid": "1" })).is_none());
    }

    #[test]
    fn data_is_unwrapped() {
        assert_eq!(data(&mut json!({ "data": [1], "meta": {} })), json!([1]));
        assert_eq!(data(&mut json!({ "secret": "x" })), json!({ "secret": "x" }));
        assert_eq!(data(&mut Value::Null), Value::Null);
        assert!(parse(b"<html>", "GET /x").is_err());
        assert_eq!(parse(b"", "GET /x").expect("nothing"), Value::Null);
    }
}
