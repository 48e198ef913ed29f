//! The server's state.

use serde::Serialize;
use utoipa::ToSchema;

/// State and configuration of the server.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Status {
    /// Version of the server.
    pub version: String,
    /// Number of connected clients, whoever asks.
    pub clients_connected: usize,
    /// Number of known clients that are not connected, whoever asks.
    pub clients_disconnected: usize,
    /// Fingerprint of the host key, as agents pin it.
    #[schema(example = "36:98:56:12:f3:dc:e5:8d:ac:96:48:23:b6:f0:42:15")]
    pub fingerprint: String,
    /// Addresses agents connect to.
    pub connect_url: Vec<String>,
    /// Address of the pairing service.
    pub pairing_url: String,
    /// Where client credentials come from.
    #[schema(example = "File")]
    pub clients_auth_source: String,
    /// Whether client credentials can be changed through the API.
    #[schema(example = "Read Write")]
    pub clients_auth_mode: String,
    /// Where users come from.
    #[schema(example = "File")]
    pub users_auth_source: String,
    /// Whether permissions are granted group by group.
    pub group_permissions_enabled: bool,
    /// Whether a second factor is asked for.
    pub two_fa_enabled: bool,
    /// How codes of the second factor are delivered; empty when none are.
    pub two_fa_delivery_method: String,
    /// Whether a trusted proxy may log users in by a header.
    pub auth_header: bool,
    /// About the audit log.
    pub auditlog: AuditLogStatus,
    /// Host name tunnels are shown with.
    pub tunnel_host: String,
    /// Whether tunnels can have an HTTPS proxy in front.
    pub tunnel_proxy_enabled: bool,
    /// Whether tunnels can have a sub-domain of their own.
    pub caddy_integration_enabled: bool,
    /// Whether measurements of clients are kept.
    pub monitoring_enabled: bool,
    /// Ports tunnels may use, as configured.
    pub used_ports: Vec<String>,
    /// Ports tunnels may not use, as configured.
    pub excluded_ports: Vec<String>,
    /// Least length of new passwords.
    pub password_min_length: usize,
}

/// About the audit log.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct AuditLogStatus {
    /// Whether it is kept.
    pub enabled: bool,
    /// How often it starts a new file.
    #[schema(example = "monthly")]
    pub rotation: String,
}
