//! What to forward: `[LOCALADDR:]LOCALPORT:[HOST:]REMOTEPORT`, or `[HOST:]REMOTEPORT` alone.

use std::{fmt, net::IpAddr, str::FromStr};

/// A forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    /// Where this machine listens.
    pub(crate) address: IpAddr,
    /// The port it listens on; 0 for a free one.
    pub(crate) port: u16,
    /// The far host as the client resolves it; empty for the client itself.
    pub(crate) host: String,
    /// The far port.
    pub(crate) remote_port: u16,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_str() {
            "" => write!(f, "port {}", self.remote_port),
            host => write!(f, "{host} port {}", self.remote_port),
        }
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not [LOCALADDR:]LOCALPORT:[HOST:]REMOTEPORT");
        let parts = split(text).ok_or_else(wrong)?;
        let port = |part: &str| part.parse::<u16>().ok();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (address, local, host, remote) = match parts.as_slice() {
            // Alone it is the far port, and the same here.
            [remote] => ("", *remote, "", *remote),
            [local, remote] if is_number(local) => ("", *local, "", *remote),
            [host, remote] => ("", *remote, *host, *remote),
            [local, host, remote] if is_number(local) => ("", *local, *host, *remote),
            [address, local, remote] => (*address, *local, "", *remote),
            [address, local, host, remote] => (*address, *local, *host, *remote),
            _ => return Err(wrong()),
        };
        let address = match address {
            "" | "localhost" => IpAddr::from([127, 0, 0, 1]),
            "*" => IpAddr::from([0, 0, 0, 0]),
            address => address
                .parse()
                .map_err(|_| format!("'{address}' in '{text}' is no address of this machine"))?,
        };
        let remote_port = port(remote).filter(|&port| port > 0).ok_or_else(wrong)?;
        let local = if local.is_empty() {
            0
        } else {
            port(local).ok_or_else(wrong)?
        };
        Ok(Self {
            address,
            port: local,
            host: host.to_owned(),
            remote_port,
        })
    }
}

/// Whether it can only be meant as a port: no name of a host is a number.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits at colons outside brackets; the brackets go.
fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '[' if !inside && parts.last().is_some_and(String::is_empty) => inside = true,
            ']' if inside => inside = false,
            ':' if !inside => parts.push(String::new()),
            '[' | ']' => return None,
            c if c.is_control() || c.is_whitespace() => return None,
            c => parts.last_mut()?.push(c),
        }
    }
    (!inside).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(text: &str) -> Option<String> {
        let spec: Spec = text.parse().ok()?;
        Some(format!(
            "{} {} '{}' {}",
            spec.address, spec.port, spec.host, spec.remote_port
        ))
    }

    #[test]
    fn all_forms() {
        for (text, spec) in [
            ("80", "127.0.0.1 80 '' 80"),
            ("8080:80", "127.0.0.1 8080 '' 80"),
            (":80", "127.0.0.1 0 '' 80"),
            ("db:5432", "127.0.0.1 5432 'db' 5432"),
            ("8080:db:80", "127.0.0.1 8080 'db' 80"),
            ("0:10.0.0.5:80", "127.0.0.1 0 '10.0.0.5' 80"),
            ("0.0.0.0:8080:80", "0.0.0.0 8080 '' 80"),
            ("*:8080:db:80", "0.0.0.0 8080 'db' 80"),
            ("[::1]:8080:[fe80::1]:80", "::1 8080 'fe80::1' 80"),
            ("localhost:8080:80", "127.0.0.1 8080 '' 80"),
        ] {
            assert_eq!(short(text).as_deref(), Some(spec), "{text}");
        }
        for text in [
            "",
            "x",
            "80:",
            "0",
            "8080:0",
            "70000:80",
            "a:b:c",
            "1:2:3:4:5",
            "[::1:80",
            "::1:8080:80",
            "nohost:1:db:80",
            "8080:a b:80",
        ] {
            assert_eq!(short(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-z:\\[\\].*]{0,30}") {
            let _ = text.parse::<Spec>();
        }
    }
}
