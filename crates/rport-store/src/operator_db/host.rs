//! Where a database server listens.

use super::TableError;

/// A value of `db_host`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Host and port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Socket(String),
}

impl Host {
    pub(crate) fn parse(text: &str, default_port: u16) -> Result<Self, TableError> {
        let problem = || {
            TableError::Failed(format!(
                "invalid 'db_host' in [database]: expected host, host:port or socket:/path, got {text:?}"
            ))
        };
        if let Some(path) = text.strip_prefix("socket:") {
            return if path.starts_with('/') {
                Ok(Self::Socket(path.to_owned()))
            } else {
                Err(problem())
            };
        }
        if text.is_empty() {
            return Ok(Self::Tcp("127.0.0.1".into(), default_port));
        }
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Ok(Self::Tcp(address.to_string(), default_port));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| problem())?),
            None => (text, default_port),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            Err(problem())
        } else {
            Ok(Self::Tcp(host.to_owned(), port))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_all_forms() {
        let tcp = |host: &str, port| Some(Host::Tcp(host.to_owned(), port));
        for (text, expected) in [
            ("", tcp("127.0.0.1", 3306)),
            ("db", tcp("db", 3306)),
            ("db.example.com:3307", tcp("db.example.com", 3307)),
            ("192.0.2.7", tcp("192.0.2.7", 3306)),
            ("::1", tcp("::1", 3306)),
            ("[::1]:3307", tcp("::1", 3307)),
            (
                "socket:/run/mysqld/mysqld.sock",
                Some(Host::Socket("/run/mysqld/mysqld.sock".into())),
            ),
            ("socket:", None),
            ("socket:relative", None),
            ("db:port", None),
            (":3306", None),
            ("db:99999", None),
        ] {
            assert_eq!(Host::parse(text, 3306).ok(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]:a-z0-9./ä]{0,30}") {
            let _ = Host::parse(&text, 1);
        }
    }
}
