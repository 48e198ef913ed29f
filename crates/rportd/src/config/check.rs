//! Checks that several sections share. Each returns the typed value or the sentence that says what is wrong.

use std::{env, net::IpAddr, path::Path};

use http::Uri;
use ipnet::IpNet;
use rport_runtime::{Secret, toml_config::Section};

/// A name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The part before the first colon.
    pub name: String,
    /// The part behind it.
    pub password: Secret,
}

/// Where credentials come from: exactly one of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One pair, written in the configuration.
    Pair(Pair),
    /// A JSON file.
    File(std::path::PathBuf),
    /// A table of the configured database.
    Table(String),
}

/// One of a few words. Reports any other and returns `None` for it.
pub(super) fn word<T>(section: &Section<'_>, key: &str, default: &str) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = section.string(key, default);
    text.parse()
        .map_err(|error: T::Err| section.error(key, error.to_string()))
        .ok()
}

/// Splits `name:password` at the first colon; both parts must be there.
pub(super) fn pair(text: &Secret) -> Option<Pair> {
    let (name, password) = text.expose().split_once(':')?;
    let (name, password) = (name.to_owned(), Secret::from(password));
    (!name.is_empty() && !password.is_empty()).then_some(Pair { name, password })
}

/// An absolute `http://` or `https://` address with a host.
pub(super) fn http_url(text: &str) -> Result<Uri, String> {
    let wrong = || format!("invalid url {text:?}: must be absolute, like https://rport.example.com:8080");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme_is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if scheme_is_http && has_host {
        Ok(uri)
    } else {
        Err(wrong())
    }
}

/// `host:port` or `:port` with a numeric port.
pub(super) fn listen_address(text: &str) -> Result<(), String> {
    let port = text.rsplit_once(':').map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(()),
        _ => Err(format!(
            "invalid address {text:?}: expected host:port, like 0.0.0.0:8080 or [::]:8080"
        )),
    }
}

/// Addresses and networks, as senders of `X-Forwarded-For` that are believed.
pub(super) fn networks(section: &Section<'_>, key: &str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in section.list(key, &[]) {
        let text = text.trim();
        let network = text
            .parse::<IpNet>()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            Some(network) => networks.push(network),
            None => section.error(
                key,
                format!("{text:?} is no address and no network, like 127.0.0.1 or 10.0.0.0/8"),
            ),
        }
    }
    networks
}

/// Whether a text is `*` or an origin as browsers send it: scheme, host, perhaps a port, nothing more.
pub(super) fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let host = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    host.is_some_and(|host| !host.contains(['/', '?', '#', '@'])) && http_url(text).is_ok()
}

/// Keeps the sound origins of a list and warns about the others, which the browser could never send.
pub(super) fn origins(section: &Section<'_>, key: &str) -> Vec<String> {
    let (good, bad): (Vec<String>, Vec<String>) = section
        .list(key, &[])
        .into_iter()
        .map(|text| text.trim().to_owned())
        .partition(|text| is_origin(text));
    for text in bad {
        section.warn(
            key,
            format!("{text:?} is no origin and is ignored; expected * or http(s)://host[:port]"),
        );
    }
    good
}

/// An IP address or a full host name.
pub(super) fn is_host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(inner)
    };
    text.len() <= 253 && text.contains('.') && text.trim_end_matches('.').split('.').all(label)
}

/// Whether the host of a URL is an address and no name.
pub(super) fn is_ip(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The lowest TLS version, `1.2` or `1.3`; an empty text is the default of the key.
pub(super) fn tls_min(text: &str, default: rport_tls::TlsMin) -> Result<rport_tls::TlsMin, String> {
    match text {
        "" => Ok(default),
        "1.2" => Ok(rport_tls::TlsMin::V1_2),
        "1.3" => Ok(rport_tls::TlsMin::V1_3),
        _ => Err("TLS must be either 1.2 or 1.3".to_owned()),
    }
}

/// Whether a text names something that can be executed: a path, or a name found in `PATH`.
pub(super) fn is_executable(text: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if text.contains('/') {
        return runs(Path::new(text));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    !text.is_empty() && env::split_paths(&path).any(|folder| runs(&folder.join(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let pair = |text: &str| pair(&text.into()).map(|pair| (pair.name, pair.password.expose().to_owned()));
        assert_eq!(pair("a:b:c"), Some(("a".to_owned(), "b:c".to_owned())));
        for bad in ["", "a", "a:", ":b", ":"] {
            assert_eq!(pair(bad), None, "{bad}");
        }
    }

    #[test]
    fn urls() {
        for good in ["http://a", "https://a.example:80/path?x", "http://[::1]:80"] {
            assert!(http_url(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "ftp://a", "http://", "//a", "http:a", "http://a b", "/x"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn listen_addresses() {
        for good in ["0.0.0.0:80", ":80", "[::]:80", "localhost:0"] {
            assert!(listen_address(good).is_ok(), "{good}");
        }
        for bad in ["", "80", "a:", "a:x", "a:70000"] {
            assert!(listen_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_and_origins() {
        for good in ["10.0.0.1", "::1", "a.example", "a-b.example.com."] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "localhost", "a b.c", "-a.b", "http://a.b", "a..b"] {
            assert!(!is_host(bad), "{bad}");
        }
        for good in ["*", "http://a", "https://a.example:8443"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "https://a/",
            "https://a/x",
            "ftp://a",
            "https://u@a",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn executables() {
        assert!(is_executable("sh") && is_executable("/bin/sh"));
        assert!(!is_executable("") && !is_executable("/etc/passwd") && !is_executable("no-such-program"));
    }
}
