//! Stored tunnels.

use rport_domain::TunnelDefinition;
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A saved tunnel definition.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoredTunnel {
    /// Its id, a UUID.
    pub id: String,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
    /// What people call it.
    pub name: String,
    /// What is spoken through the tunnel, such as `ssh`.
    #[schema(required)]
    pub scheme: Option<String>,
    /// The target, as the client sees it.
    #[schema(required)]
    pub remote_ip: Option<String>,
    /// The target's port.
    #[schema(required)]
    pub remote_port: Option<i64>,
    /// The port on the server; null for a free one.
    #[schema(required)]
    pub public_port: Option<i64>,
    /// Who may visit.
    #[schema(required)]
    pub acl: Option<String>,
    /// Whatever a front end keeps there.
    #[schema(required, value_type = Value)]
    pub further_options: Option<Value>,
}

impl From<rport_domain::StoredTunnel> for StoredTunnel {
    fn from(tunnel: rport_domain::StoredTunnel) -> Self {
        let TunnelDefinition {
            name,
            scheme,
            remote_ip,
            remote_port,
            public_port,
            acl,
            further_options,
        } = tunnel.definition;
        Self {
            id: tunnel.id.to_string(),
            created_at: GoTime(tunnel.created_at),
            name,
            scheme,
            remote_ip,
            remote_port,
            public_port,
            acl,
            further_options,
        }
    }
}

/// A tunnel definition to save. Replaces the whole earlier one.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct StoredTunnelBody {
    /// Ignored: the server gives the id.
    #[schema(value_type = Value)]
    pub id: Option<Value>,
    /// Ignored: the server knows the time.
    #[schema(value_type = Value)]
    pub created_at: Option<Value>,
    /// What people call it, up to 500 bytes.
    pub name: String,
    /// What is spoken through the tunnel, such as `ssh`; up to 15 bytes.
    pub scheme: Option<String>,
    /// The target, as the client sees it; up to 255 bytes.
    pub remote_ip: Option<String>,
    /// The target's port.
    #[schema(minimum = 1, maximum = 65535)]
    pub remote_port: Option<i64>,
    /// The port on the server; null or 0 for a free one.
    #[schema(minimum = 0, maximum = 65535)]
    pub public_port: Option<i64>,
    /// Who may visit; up to 16 KiB.
    pub acl: Option<String>,
    /// Whatever a front end wants to keep, up to 64 KiB.
    #[schema(value_type = Value)]
    pub further_options: Option<Value>,
}

impl From<StoredTunnelBody> for TunnelDefinition {
    fn from(body: StoredTunnelBody) -> Self {
        Self {
            name: body.name,
            scheme: body.scheme,
            remote_ip: body.remote_ip,
            remote_port: body.remote_port,
            public_port: body.public_port,
            acl: body.acl,
            further_options: body.further_options,
        }
    }
}
