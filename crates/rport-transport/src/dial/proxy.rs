//! HTTP CONNECT and SOCKS5 proxies.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rport_protocol::join_host_port;
use rport_runtime::Secret;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{DialError, http};

/// What Go agents say to proxies; some filter by it.
const USER_AGENT: &str = "Go-http-client/1.1";

/// A proxy between agent and server: `http://[user:password@]host[:port]`, `socks://…` or `socks5h://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    kind: Kind,
    host: String,
    port: u16,
    login: Option<(String, Secret)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// A proxy address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// Proxies that are spoken to by TLS.
    #[error("https proxies not (yet) supported")]
    Https,
    /// A SOCKS version that is not 5.
    #[error("scheme {0:?} is not supported, use socks5h or http")]
    Scheme(String),
    /// No host, or a port that is none.
    #[error("expected http://host:port or socks5h://host:port")]
    Shape,
}

impl FromStr for ProxyUrl {
    type Err = BadProxy;

    fn from_str(s: &str) -> Result<Self, BadProxy> {
        let (scheme, rest) = s.split_once("://").ok_or(BadProxy::Shape)?;
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => return Err(BadProxy::Https),
            // Host names are resolved by the proxy in both cases, as the Go agent has it.
            "socks" | "socks5h" => (Kind::Socks5, 1080),
            other if other.starts_with("socks") => return Err(BadProxy::Scheme(other.to_owned())),
            _ => (Kind::Http, 80),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (host, port) = split_address(address, default_port).ok_or(BadProxy::Shape)?;
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (percent_decode(user), Secret::new(percent_decode(password)))
        });
        Ok(Self {
            kind,
            host,
            port,
            login,
        })
    }
}

impl fmt::Display for ProxyUrl {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5h",
        };
        write!(
            f,
            "{scheme}://{}",
            join_host_port(&self.host, &self.port.to_string())
        )
    }
}

fn split_address(address: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        None | Some("") => default_port,
        Some(port) => port.parse().ok().filter(|p| *p != 0)?,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn percent_decode(s: &str) -> String {
    let mut out = Vec::with_capacity(s.len());
    let mut bytes = s.as_bytes();
    while let [first, rest @ ..] = bytes {
        let code = rest.first_chunk::<2>().and_then(|h| std::str::from_utf8(h).ok());
        match code
            .and_then(|h| u8::from_str_radix(h, 16).ok())
            .filter(|_| *first == b'%')
        {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[2..];
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl ProxyUrl {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Asks the proxy at the other end of `socket` for a connection.
    pub(super) async fn tunnel(
        &self,
        socket: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, DialError> {
        match self.kind {
            Kind::Http => self.connect(socket, host, port).await,
            Kind::Socks5 => self.socks(socket, host, port).await,
        }
    }

    async fn connect(&self, mut socket: TcpStream, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let to = join_host_port(host, &port.to_string());
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {USER_AGENT}\r\n");
        if let Some((user, password)) = &self.login
            && !password.is_empty()
        {
            let token = STANDARD.encode(format!("{user}:{}", password.expose()));
            request.push_str(&format!("Proxy-Authorization: Basic {token}\r\n"));
        }
        request.push_str("\r\n");
        socket.write_all(request.as_bytes()).await?;
        let (answer, leftover) = http::read_head(&mut socket).await?;
        if answer.status != 200 {
            return Err(DialError::Proxy(format!("{} {}", answer.status, answer.reason)));
        }
        if !leftover.is_empty() {
            return Err(DialError::Proxy("sent data before we did".to_owned()));
        }
        Ok(socket)
    }

    async fn socks(&self, socket: TcpStream, host: &str, port: u16) -> Result<TcpStream, DialError> {
        use tokio_socks::tcp::Socks5Stream;
        let target = (host, port);
        let stream = match &self.login {
            Some((user, password)) => {
                Socks5Stream::connect_with_password_and_socket(socket, target, user, password.expose()).await
            }
            None => Socks5Stream::connect_with_socket(socket, target).await,
        };
        Ok(stream.map_err(|e| DialError::Proxy(e.to_string()))?.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |s: &str, want: &str| {
            let got = s
                .parse::<ProxyUrl>()
                .map_or_else(|e| e.to_string(), |p| p.to_string());
            assert_eq!(got, want, "{s}");
        };
        check("http://proxy.example:3128", "http://proxy.example:3128");
        check("http://proxy.example/", "http://proxy.example:80");
        check("http://user:p%40ss@proxy.example", "http://proxy.example:80");
        check("socks5h://[::1]:9050", "socks5h://[::1]:9050");
        check("socks://127.0.0.1", "socks5h://127.0.0.1:1080");
        check("https://proxy.example", "https proxies not (yet) supported");
        check(
            "socks4://x",
            "scheme \"socks4\" is not supported, use socks5h or http",
        );
        check("http://:80", "expected http://host:port or socks5h://host:port");
        check(
            "http://host:port",
            "expected http://host:port or socks5h://host:port",
        );
        check(
            "proxy.example:3128",
            "expected http://host:port or socks5h://host:port",
        );
    }

    #[test]
    fn logins_are_decoded_and_do_not_print() {
        let proxy: ProxyUrl = "http://user:p%40ss%zz@proxy.example".parse().expect("valid");
        assert_eq!(proxy.login, Some(("user".to_owned(), Secret::new("p@ss%zz"))));
        assert!(!format!("{proxy:?}").contains("p@ss"));
    }
}
