//! Which headers pass, and which are the proxy's own.

use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers that belong to one connection (RFC 9110, section 7.6.1), and older ones of that kind.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes what belongs to one connection, also what its `Connection` header names.
pub(super) fn keep_end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The protocol a request wants to change to, such as `websocket`.
pub(super) fn upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 || request.method() != Method::GET {
        return None;
    }
    let headers = request.headers();
    let wants = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(header::UPGRADE)?;
    wants.then(|| protocol.clone())
}

/// Makes the request the service gets, in HTTP/1.1.
///
/// `trusted` says that the peer is a proxy whose `X-Forwarded-*` headers are believed and continued; anybody else's
/// are replaced, so that the service can rely on them.
pub(super) fn for_service<B>(
    request: Request<B>,
    peer: IpAddr,
    trusted: bool,
    host_header: Option<&HeaderValue>,
    upgrade: Option<&HeaderValue>,
) -> Result<Request<B>, &'static str> {
    let (mut parts, body) = request.into_parts();
    let host = host_of(&parts.uri, &parts.headers).ok_or("the request names no host")?;
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    parts.uri = path.parse().map_err(|_| "the path is not understood")?;
    parts.version = Version::HTTP_11;

    let headers = &mut parts.headers;
    let length = headers.get(header::CONTENT_LENGTH).cloned();
    keep_end_to_end(headers);
    headers.remove(header::EXPECT);
    // Named in `Connection` to smuggle a body past somebody.
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    join_cookies(headers);
    let peer_text = HeaderValue::from_str(&peer.to_string()).map_err(|_| "no address")?;
    if trusted {
        headers.append(X_FORWARDED_FOR, peer_text);
        headers.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
        headers
            .entry(X_FORWARDED_PROTO)
            .or_insert(HeaderValue::from_static("https"));
    } else {
        headers.remove(header::FORWARDED);
        headers.remove(X_FORWARDED_PORT);
        headers.remove(X_REAL_IP);
        headers.insert(X_FORWARDED_FOR, peer_text);
        headers.insert(X_FORWARDED_HOST, host.clone());
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    headers.insert(header::HOST, host_header.cloned().unwrap_or(host));
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
    Ok(Request::from_parts(parts, body))
}

/// HTTP/2 and absolute addresses name the host in the address, and that counts.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    match uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => headers.get(header::HOST).cloned(),
    }
}

/// HTTP/2 may split the cookies; HTTP/1.1 wants one header (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri("/path?q=1");
        for (name, value) in pairs {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("sound")
    }

    fn passed(pairs: &[(&str, &str)], trusted: bool) -> HeaderMap {
        let peer = IpAddr::from([203, 0, 113, 7]);
        let request = request(pairs);
        let upgrade = upgrade(&request);
        let made = for_service(request, peer, trusted, None, upgrade.as_ref()).expect("sound");
        assert_eq!(made.uri(), "/path?q=1");
        made.into_parts().0.headers
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let headers = passed(
            &[
                ("host", "h"),
                ("connection", "close, x-secret"),
                ("x-secret", "1"),
                ("te", "trailers"),
                ("transfer-encoding", "chunked"),
                ("proxy-authorization", "x"),
                ("x-kept", "1"),
            ],
            false,
        );
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "host",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-kept"
            ]
        );
    }

    #[test]
    fn only_trusted_proxies_continue_the_chain() {
        let sent = [
            ("host", "h"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
        ];
        let headers = passed(&sent, false);
        assert_eq!(headers[X_FORWARDED_FOR], "203.0.113.7");
        assert!(!headers.contains_key(X_REAL_IP) && !headers.contains_key(header::FORWARDED));
        let headers = passed(&sent, true);
        let chain: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        assert_eq!(chain, ["198.51.100.1", "203.0.113.7"]);
    }

    #[test]
    fn upgrades_and_cookies_pass() {
        let headers = passed(
            &[
                ("host", "h"),
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "websocket"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
            ],
            false,
        );
        assert_eq!(headers[header::CONNECTION], "upgrade");
        assert_eq!(headers[header::UPGRADE], "websocket");
        assert_eq!(headers[header::COOKIE], "a=1; b=2");
        assert!(upgrade(&request(&[("upgrade", "websocket")])).is_none());
    }

    #[test]
    fn a_length_cannot_be_taken_away() {
        let headers = passed(
            &[
                ("host", "h"),
                ("connection", "content-length"),
                ("content-length", "5"),
            ],
            false,
        );
        assert_eq!(headers[header::CONTENT_LENGTH], "5");
        let nameless = for_service(request(&[]), IpAddr::from([127, 0, 0, 1]), false, None, None);
        assert!(nameless.is_err());
    }
}
