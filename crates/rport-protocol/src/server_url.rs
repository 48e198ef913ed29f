//! The address of the server as an agent is given it, and its normal form.

use std::{fmt, str::FromStr};

/// A server address an agent can dial.
///
/// Source: wire notes, section 2.2; golden: `remotes.json`, key `server_url`. `Display` gives the normal form,
/// `ws://host:port/path?query`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// Whether TLS protects the link (`https`, `wss`).
    pub secure: bool,
    /// Host without brackets, as written.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query as they go into the request line; at least `/`.
    pub path_and_query: String,
    normalized: String,
}

impl ServerUrl {
    /// Returns the normal form.
    pub fn as_str(&self) -> &str {
        &self.normalized
    }

    /// Returns `host:port` with an IPv6 host bracketed, as the `Host` header and proxies want it.
    pub fn authority(&self) -> String {
        crate::join_host_port(&self.host, &self.port.to_string())
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalized)
    }
}

/// Normalises and checks; accepted are `http`, `https`, `ws`, `wss` or no scheme.
impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| {
            Err(ServerUrlError {
                url: without_user_info(text),
                problem,
            })
        };
        if text.trim().is_empty() {
            return fail("it is empty");
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return fail("it contains blanks or control characters");
        }
        let normalized = normalize(text);
        let (scheme, rest) = normalized.split_once("://").unwrap_or_default();
        let secure = match scheme {
            "ws" => false,
            "wss" => true,
            _ => return fail("the scheme must be http, https, ws or wss"),
        };
        let (authority, path) = split_authority(rest);
        if authority.contains('@') {
            return fail("user and password are not supported in it");
        }
        let Ok((host, port)) = crate::split_host_port(authority) else {
            return fail("host and port are not separable; put an IPv6 address into brackets");
        };
        if host.is_empty() {
            return fail("the host is missing");
        }
        let Some(port) = port.parse().ok().filter(|port| *port != 0) else {
            return fail("the port must be a number from 1 to 65535");
        };
        let path = path.split_once('#').map_or(path, |(path, _fragment)| path);
        let path_and_query = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            secure,
            host: host.to_owned(),
            port,
            path_and_query,
            normalized: normalized.clone(),
        })
    }
}

/// Gives the normal form Go agents compute, and report in their configuration, without judging it: `http://` where
/// no scheme stands, port 80 or 443 where none stands, and `ws` for the first `http` of the scheme.
pub fn normalize(server: &str) -> String {
    let text = if server.contains("://") {
        server.to_owned()
    } else {
        format!("http://{server}")
    };
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    // Go's URL parser lower-cases schemes.
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = split_authority(rest);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = match scheme.as_str() {
        _ if has_port => "",
        "https" | "wss" => ":443",
        _ => ":80",
    };
    format!("{}://{authority}{port}{path}", scheme.replacen("http", "ws", 1))
}

fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

fn without_user_info(text: &str) -> String {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let (authority, path) = split_authority(rest);
    match authority.rsplit_once('@') {
        None => text.to_owned(),
        Some((_, host)) if scheme.is_empty() => format!("***@{host}{path}"),
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
    }
}

/// A server address no agent can dial. The text never repeats a password from the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server address {url:?}: {problem}")]
pub struct ServerUrlError {
    url: String,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn normalizes_like_go() {
        let golden: Value = serde_json::from_str(include_str!("golden/remotes.json")).expect("golden");
        for case in golden["server_url"].as_array().expect("list") {
            assert_eq!(
                case["normalized"],
                normalize(case["server"].as_str().expect("text"))
            );
        }
    }

    #[test]
    fn takes_addresses_apart() {
        let url: ServerUrl = "wss://[2a01:4f9::1]/x/y?z=1".parse().expect("url");
        assert_eq!(
            (url.secure, url.host.as_str(), url.port),
            (true, "2a01:4f9::1", 443)
        );
        assert_eq!(url.path_and_query, "/x/y?z=1");
        assert_eq!(url.authority(), "[2a01:4f9::1]:443");
        let url: ServerUrl = "example.com?a=b#c".parse().expect("url");
        assert_eq!((url.port, url.path_and_query.as_str()), (80, "/?a=b"));
    }

    #[test]
    fn refuses_what_cannot_be_dialled() {
        for bad in [
            "",
            "ftp://h",
            "httpfoo://h",
            "http://:80",
            "h:0",
            "h:70000",
            "::1",
            "a b",
            "http://u:pw@h",
        ] {
            let error = bad.parse::<ServerUrl>().expect_err(bad).to_string();
            assert!(!error.contains("pw"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(text in "(https?://|wss?://)?[a-z\\[\\]:0-9.]{0,12}(:[0-9]{0,6})?[/?#@a-z]{0,8}|\\PC{0,20}") {
            if let Ok(url) = text.parse::<ServerUrl>() {
                prop_assert_eq!(Ok(url.clone()), url.to_string().parse());
            }
        }
    }
}
