//! Tunnels.

use rport_domain::{ClientId, TunnelRecord};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tunnel of a client.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tunnel {
    /// Number of the tunnel among those of its client.
    #[schema(example = "1")]
    pub id: String,
    #[serde(flatten)]
    #[schema(inline)]
    remote: TunnelOptions,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
}

/// A tunnel in the list of all tunnels.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListedTunnel {
    #[serde(flatten)]
    #[schema(inline)]
    remote: TunnelOptions,
    /// Number of the tunnel among those of its client.
    #[schema(example = "1")]
    pub id: String,
    /// The client it leads to.
    pub client_id: String,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
}

/// Where a tunnel listens, where it leads, and how.
#[derive(Clone, Serialize, ToSchema)]
struct TunnelOptions {
    /// Name for people.
    name: String,
    /// `tcp`, `udp` or `tcp+udp`.
    #[schema(example = "tcp")]
    protocol: &'static str,
    /// Host the server listens on.
    #[schema(example = "0.0.0.0")]
    lhost: String,
    /// Port the server listens on.
    #[schema(example = "23456")]
    lport: String,
    /// Whether the server picked the port.
    lport_random: bool,
    /// User who opened the tunnel; empty for tunnels the agent asked for.
    owner: String,
    /// Target host, as the client resolves it.
    #[schema(example = "127.0.0.1")]
    rhost: String,
    /// Target port.
    #[schema(example = "22")]
    rport: String,
    /// Hint for user interfaces, such as `ssh` or `rdp`.
    #[schema(required)]
    scheme: Option<String>,
    /// Addresses and blocks that may visit the tunnel, separated by commas; null means all.
    #[schema(required)]
    acl: Option<String>,
    /// Minutes without visitors after which the tunnel closes; 0 means never.
    idle_timeout_minutes: i64,
    /// Nanoseconds from the start until the tunnel closes; 0 means never.
    auto_close: i64,
    /// Whether an HTTPS proxy stands in front.
    http_proxy: bool,
    /// `Host` header of that proxy.
    host_header: String,
    /// User of that proxy's basic authentication.
    auth_user: String,
    /// Password of that proxy's basic authentication; shown as `***` but in the answer that creates the tunnel.
    auth_password: String,
    /// Address on a sub-domain.
    tunnel_url: String,
}

/// The password stays out of logs.
impl std::fmt::Debug for TunnelOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{} to {}:{}/{}",
            self.lhost, self.lport, self.rhost, self.rport, self.protocol
        )
    }
}

impl From<&TunnelRecord> for TunnelOptions {
    fn from(tunnel: &TunnelRecord) -> Self {
        let remote = tunnel.remote.clone();
        Self {
            name: remote.name,
            protocol: remote.protocol.as_str(),
            lhost: remote.lhost,
            lport: remote.lport,
            lport_random: remote.lport_random,
            owner: remote.owner,
            rhost: remote.rhost,
            rport: remote.rport,
            scheme: remote.scheme,
            acl: remote.acl,
            idle_timeout_minutes: remote.idle_timeout_minutes,
            auto_close: i64::try_from(remote.auto_close.as_nanos()).unwrap_or(i64::MAX),
            http_proxy: remote.http_proxy,
            host_header: remote.host_header,
            auth_user: remote.auth_user,
            auth_password: masked(remote.auth_password),
            tunnel_url: remote.tunnel_url,
        }
    }
}

/// What is shown of a password.
fn masked(password: String) -> String {
    if password.is_empty() {
        password
    } else {
        "***".to_owned()
    }
}

impl Tunnel {
    /// Describes a tunnel to who has just opened it, with its password.
    pub fn created(tunnel: &TunnelRecord) -> Self {
        let mut shown = Self::from(tunnel);
        shown
            .remote
            .auth_password
            .clone_from(&tunnel.remote.auth_password);
        shown
    }
}

impl From<&TunnelRecord> for Tunnel {
    fn from(tunnel: &TunnelRecord) -> Self {
        Self {
            id: tunnel.id.to_string(),
            remote: tunnel.into(),
            created_at: tunnel.created_at,
        }
    }
}

impl ListedTunnel {
    /// Describes a tunnel of a client.
    pub fn new(client: &ClientId, tunnel: &TunnelRecord) -> Self {
        Self {
            remote: tunnel.into(),
            id: tunnel.id.to_string(),
            client_id: client.to_string(),
            created_at: tunnel.created_at,
        }
    }
}

/// Who may visit a tunnel.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct TunnelAclChange {
    /// Addresses and blocks, IPv4 or IPv6, separated by commas without blanks. Null or empty lets everyone in.
    #[schema(example = "192.0.2.1,198.51.100.0/24")]
    pub acl: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record() -> TunnelRecord {
        let mut remote: rport_protocol::Remote = "0.0.0.0:3000:web:80/tcp+udp".parse().expect("remote");
        remote.auto_close = Duration::from_secs(1);
        remote.acl = Some("10.0.0.1".into());
        TunnelRecord {
            id: "7".into(),
            remote,
            created_at: GoTime::zero(),
        }
    }

    #[test]
    fn has_the_members_of_the_go_server_in_their_order() {
        // The stored form has the same members and the same order.
        let shown = serde_json::to_string(&Tunnel::from(&record())).expect("JSON");
        assert_eq!(shown, rport_protocol::json::encode_string(&record()));
        assert!(shown.contains(r#""lport":"3000""#) && shown.contains(r#""auto_close":1000000000"#));
    }

    #[test]
    fn only_the_creator_sees_the_password() {
        let mut record = record();
        record.remote.auth_password = "geheim".into();
        let created = serde_json::to_string(&Tunnel::created(&record)).expect("JSON");
        assert!(created.contains("geheim"));
        for text in [
            serde_json::to_string(&Tunnel::from(&record)).expect("JSON"),
            serde_json::to_string(&ListedTunnel::new(&"c1".into(), &record)).expect("JSON"),
            format!("{:?}", Tunnel::created(&record)),
        ] {
            assert!(!text.contains("geheim"), "{text}");
        }
    }

    #[test]
    fn lists_put_the_ids_last() {
        let shown = serde_json::to_string(&ListedTunnel::new(&"c1".into(), &record())).expect("JSON");
        assert!(
            shown.starts_with(r#"{"name":"","protocol":"tcp+udp","#),
            "{shown}"
        );
        assert!(
            shown.ends_with(r#""id":"7","client_id":"c1","created_at":"0001-01-01T00:00:00Z"}"#),
            "{shown}"
        );
    }
}
