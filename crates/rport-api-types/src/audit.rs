//! Entries of the audit log.

use rport_domain::AuditEntry;
use rport_protocol::GoTime;
use serde::Serialize;
use utoipa::ToSchema;

/// Something somebody did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditItem {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: GoTime,
    /// Who; empty for what agents do by themselves.
    pub username: String,
    /// From where. The last number of an IPv4 address may be an `x`.
    #[schema(example = "192.0.2.7")]
    pub remote_ip: String,
    /// What kind of thing it is about.
    #[schema(example = "client.tunnel")]
    pub application: String,
    /// What happened.
    #[schema(example = "create")]
    pub action: String,
    /// The id of the thing.
    pub affected_id: String,
    /// The client concerned, if any.
    pub client_id: String,
    /// Its host name.
    pub client_hostname: String,
    /// What was asked for, as JSON text; may be empty.
    pub request: String,
    /// What came of it, as JSON text; may be empty.
    pub response: String,
}

impl AuditItem {
    /// The names of the members, in their order; the columns of exports.
    pub const MEMBERS: [&'static str; 10] = [
        "timestamp",
        "username",
        "remote_ip",
        "application",
        "action",
        "affected_id",
        "client_id",
        "client_hostname",
        "request",
        "response",
    ];

    /// The members as texts, in the order of [`AuditItem::MEMBERS`].
    pub fn texts(&self) -> [String; 10] {
        [
            self.timestamp.to_string(),
            self.username.clone(),
            self.remote_ip.clone(),
            self.application.clone(),
            self.action.clone(),
            self.affected_id.clone(),
            self.client_id.clone(),
            self.client_hostname.clone(),
            self.request.clone(),
            self.response.clone(),
        ]
    }
}

impl From<AuditEntry> for AuditItem {
    fn from(entry: AuditEntry) -> Self {
        Self {
            timestamp: GoTime(entry.timestamp),
            username: entry.username,
            remote_ip: entry.remote_ip,
            application: entry.application,
            action: entry.action,
            affected_id: entry.affected_id,
            client_id: entry.client_id,
            client_hostname: entry.client_hostname,
            request: entry.request,
            response: entry.response,
        }
    }
}
