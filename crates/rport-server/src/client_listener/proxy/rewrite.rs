//! What changes in a request on its way to the web server.

use std::net::IpAddr;

use http::header::{
    CONNECTION, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Uri};

/// The target's path in front of the request's path and query, as it stands in a request to that server.
pub(super) fn joined(target: &Uri, request: &Uri) -> Option<Uri> {
    let prefix = target.path().trim_end_matches('/');
    let rest = request.path_and_query().map_or("/", |rest| rest.as_str());
    let slash = if rest.starts_with('/') { "" } else { "/" };
    format!("{prefix}{slash}{rest}").parse().ok()
}

/// Headers that concern one connection only (RFC 9110 7.6.1), and those the connection header names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
    ];
    for name in named
        .into_iter()
        .chain(fixed)
        .chain([HeaderName::from_static("keep-alive")])
    {
        headers.remove(name);
    }
}

pub(super) fn append_forwarded_for(headers: &mut HeaderMap, address: IpAddr) {
    let name = HeaderName::from_static("x-forwarded-for");
    let earlier: Vec<&str> = headers
        .get_all(&name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let list = if earlier.is_empty() {
        address.to_string()
    } else {
        format!("{}, {address}", earlier.join(", "))
    };
    if let Ok(value) = HeaderValue::from_str(&list) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, request: &str, expected: &str) {
        let joined =
            joined(&target.parse().expect("a URI"), &request.parse().expect("a URI")).expect("joins");
        assert_eq!(joined.to_string(), expected);
    }

    #[test]
    fn path_and_query_are_kept() {
        check("http://web:8000", "/a/b?c=d", "/a/b?c=d");
        check("http://web/base/", "/a", "/base/a");
        check("http://web/base", "/", "/base/");
        check("http://web", "http://other/x?y", "/x?y");
    }

    #[test]
    fn connection_headers_stay_behind() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, X-Secret"));
        headers.insert("x-secret", HeaderValue::from_static("1"));
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
        remove_hop_by_hop(&mut headers);
        append_forwarded_for(&mut headers, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 10.0.0.1");
    }
}
