//! A *remote*: where a tunnel listens on the server and where it leads, as seen by the client.

mod grammar;
mod protocol;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use grammar::RemoteError;
pub use protocol::{Protocol, UnsupportedProtocol};

use crate::{host_port::join_host_port, json::go_nanos};

/// The address pair and the options of one tunnel, as it travels in `new_connection` and as it is stored.
///
/// Source: wire notes, section 6.2; golden: `messages.json`, `new_connection`. Ports are strings on the wire, and a
/// remote that was never checked may hold any text in them.
///
/// [`std::str::FromStr`] reads the short form people write (`3000:google.com:80/udp`).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Remote {
    /// A name for people; may be empty.
    pub name: String,
    /// TCP, UDP or both. Agents before 0.5.6 send none and mean TCP.
    pub protocol: Protocol,
    /// Host the server listens on; empty until the server picked one.
    pub lhost: String,
    /// Port the server listens on; empty until the server picked one.
    pub lport: String,
    /// Whether the server picked the port.
    pub lport_random: bool,
    /// API user who opened the tunnel; empty for those the agent asked for.
    pub owner: String,
    /// Target host, resolved by the agent.
    pub rhost: String,
    /// Target port.
    pub rport: String,
    /// Hint for user interfaces, such as `ssh` or `rdp`.
    pub scheme: Option<String>,
    /// Addresses that may visit the tunnel; none means all.
    pub acl: Option<String>,
    /// Minutes without visitors after which the tunnel closes; 0 means never.
    pub idle_timeout_minutes: i64,
    /// Time from the start until the tunnel closes; zero means never.
    #[serde(with = "go_nanos")]
    pub auto_close: Duration,
    /// Whether an HTTPS proxy stands in front of the tunnel.
    pub http_proxy: bool,
    /// `Host` header that proxy sends to the target.
    pub host_header: String,
    /// User of that proxy's basic authentication.
    pub auth_user: String,
    /// Password of that proxy's basic authentication.
    pub auth_password: String,
    /// Address of the tunnel on a sub-domain.
    pub tunnel_url: String,
}

impl Remote {
    /// Returns the target as `host:port`, an IPv6 host bracketed.
    pub fn target(&self) -> String {
        join_host_port(&self.rhost, &self.rport)
    }

    /// Tells whether host and port of the listening side are given.
    pub fn is_local_specified(&self) -> bool {
        !self.lhost.is_empty() && !self.lport.is_empty()
    }

    /// Returns the text by which tunnels of one client are compared: `lhost:lport:rhost:rport`, then `/protocol`
    /// unless TCP, then `(acl:…)` if there is one.
    ///
    /// Without the ACL part it reads back as the same remote. Differs from RPort: an IPv6 listening host is
    /// bracketed.
    pub fn canonical(&self) -> String {
        let mut text = join_host_port(&self.lhost, &self.lport);
        text.push(':');
        text.push_str(&self.target());
        if self.protocol != Protocol::Tcp {
            text.push('/');
            text.push_str(self.protocol.as_str());
        }
        if let Some(acl) = &self.acl {
            text.push_str("(acl:");
            text.push_str(acl);
            text.push(')');
        }
        text
    }
}

/// The password of the proxy's basic authentication stays out of logs.
impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = if self.auth_password.is_empty() { "" } else { "***" };
        f.debug_struct("Remote")
            .field("name", &self.name)
            .field("canonical", &self.canonical())
            .field("lport_random", &self.lport_random)
            .field("owner", &self.owner)
            .field("scheme", &self.scheme)
            .field("idle_timeout_minutes", &self.idle_timeout_minutes)
            .field("auto_close", &self.auto_close)
            .field("http_proxy", &self.http_proxy)
            .field("host_header", &self.host_header)
            .field("auth_user", &self.auth_user)
            .field("auth_password", &password)
            .field("tunnel_url", &self.tunnel_url)
            .finish()
    }
}

#[cfg(test)]
mod tests;
