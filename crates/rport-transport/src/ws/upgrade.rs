//! The server's judgement of an upgrade request, as the Go server judges it (wire-protocol facts, section 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, header};
use rport_protocol::version::SUBPROTOCOL;

/// What to do with an HTTP request on the agents' listener.
#[derive(Debug, PartialEq, Eq)]
pub enum UpgradeVerdict {
    /// Switch protocols; the value belongs into `Sec-WebSocket-Accept`.
    Upgrade {
        /// The accept key.
        accept: String,
    },
    /// An agent's request, but not a valid one: answer with this status, its reason phrase as text, and the header
    /// `Sec-Websocket-Version: 13`.
    Bad(StatusCode),
    /// Not an agent of this protocol version: treat as an ordinary web request.
    NotAnAgent,
}

/// Judges a request by its method and headers.
pub fn check_upgrade(method: &Method, headers: &HeaderMap) -> UpgradeVerdict {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket")
        || text(header::SEC_WEBSOCKET_PROTOCOL) != SUBPROTOCOL
    {
        return UpgradeVerdict::NotAnAgent;
    }
    if method != Method::GET {
        return UpgradeVerdict::Bad(StatusCode::METHOD_NOT_ALLOWED);
    }
    let key = text(header::SEC_WEBSOCKET_KEY);
    let connection_upgrades = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let valid = connection_upgrades
        && text(header::SEC_WEBSOCKET_VERSION) == "13"
        && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
    if valid {
        UpgradeVerdict::Upgrade {
            accept: accept_key(key),
        }
    } else {
        UpgradeVerdict::Bad(StatusCode::BAD_REQUEST)
    }
}

/// The answer to a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2).
pub fn accept_key(key: &str) -> String {
    const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        [key, SUFFIX].concat().as_bytes(),
    );
    STANDARD.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "rport-v1"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(pairs)
        {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn verdicts() {
        let check = |method: Method, pairs: &[(&'static str, &'static str)], want: UpgradeVerdict| {
            assert_eq!(
                check_upgrade(&method, &request(pairs)),
                want,
                "{method} {pairs:?}"
            );
        };
        let accept = || UpgradeVerdict::Upgrade {
            accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
        };
        check(Method::GET, &[], accept());
        check(
            Method::GET,
            &[("upgrade", "WebSocket"), ("connection", "keep-alive, upgrade")],
            accept(),
        );
        check(
            Method::GET,
            &[("sec-websocket-protocol", "rport-v2")],
            UpgradeVerdict::NotAnAgent,
        );
        check(
            Method::GET,
            &[("sec-websocket-protocol", "rport-v1, other")],
            UpgradeVerdict::NotAnAgent,
        );
        check(Method::GET, &[("upgrade", "h2c")], UpgradeVerdict::NotAnAgent);
        check(
            Method::POST,
            &[],
            UpgradeVerdict::Bad(StatusCode::METHOD_NOT_ALLOWED),
        );
        check(
            Method::GET,
            &[("sec-websocket-key", "c2hvcnQ=")],
            UpgradeVerdict::Bad(StatusCode::BAD_REQUEST),
        );
        check(
            Method::GET,
            &[("sec-websocket-version", "8")],
            UpgradeVerdict::Bad(StatusCode::BAD_REQUEST),
        );
    }
}
