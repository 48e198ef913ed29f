//! The audit log: who did what. Source: rest-api.md 21.1 and storage.md 4.5.

use std::net::IpAddr;

use rport_domain::ClientRecord;
use rport_runtime::Clock;
use rport_store::{AuditEntry, AuditLog};

use crate::actor::Actor;

/// What is written, and how.
#[derive(Debug, Clone, Copy)]
pub struct AuditOptions {
    /// Whether anything is written (`[api] enable_audit_log`).
    pub enabled: bool,
    /// Whether the last number of IPv4 addresses is hidden (`[api] use_ip_obfuscation`).
    pub obfuscate_addresses: bool,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            obfuscate_addresses: false,
        }
    }
}

/// Kinds of things that are audited; the words of the Go server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Application {
    /// A client.
    Client,
    /// Credentials of agents.
    ClientAuth,
}

/// What happened to one of them; the words of the Go server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    Failed,
}

/// Writes the audit log. Cheap to clone.
///
/// Entries are on disk before the caller hears of the action. One that cannot be written is reported in the log and
/// does not undo what happened.
#[derive(Clone)]
pub(crate) struct Audit {
    log: AuditLog,
    options: AuditOptions,
    clock: Clock,
}

impl Audit {
    pub(crate) fn new(log: AuditLog, options: AuditOptions, clock: Clock) -> Self {
        Self { log, options, clock }
    }

    /// Notes what a user did. `request` never holds secrets.
    pub(crate) async fn record(
        &self,
        actor: &Actor,
        application: Application,
        action: Action,
        affected: &str,
        request: Option<serde_json::Value>,
    ) {
        let address = self.shown(actor.address);
        self.write(
            application,
            action,
            actor.user.to_string(),
            address,
            affected,
            None,
            request,
        )
        .await;
    }

    /// Notes what a user did to a client, or what a client did by itself (`actor` is `None`, `address` the agent's).
    pub(crate) async fn record_client(
        &self,
        actor: Option<&Actor>,
        address: IpAddr,
        action: (Application, Action),
        affected: &str,
        client: &ClientRecord,
        request: serde_json::Value,
    ) {
        let user = actor.map(|actor| actor.user.to_string()).unwrap_or_default();
        let (application, action) = action;
        self.write(
            application,
            action,
            user,
            self.shown(address),
            affected,
            Some(client),
            Some(request),
        )
        .await;
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the columns of the log, named by the two callers above"
    )]
    async fn write(
        &self,
        application: Application,
        action: Action,
        username: String,
        remote_ip: String,
        affected: &str,
        client: Option<&ClientRecord>,
        request: Option<serde_json::Value>,
    ) {
        if !self.options.enabled {
            return;
        }
        let entry = AuditEntry {
            timestamp: self.clock.now_local(),
            application: application.as_str(),
            action: action.as_str(),
            username,
            remote_ip,
            affected_id: affected.to_owned(),
            client_id: client.map(|client| client.id.to_string()).unwrap_or_default(),
            client_hostname: client
                .map(|client| client.details.hostname.clone())
                .unwrap_or_default(),
            request: request.map(|request| request.to_string()).unwrap_or_default(),
            response: String::new(),
        };
        if let Err(error) = self.log.insert(entry).await {
            tracing::error!(%error, application = application.as_str(), action = action.as_str(), affected,
                "an audit entry was not written");
        }
    }

    fn shown(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) if self.options.obfuscate_addresses => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.x")
            }
            _ => address.to_string(),
        }
    }
}

impl Application {
    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ClientAuth => "client.auth",
        }
    }
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Failed => "failed",
        }
    }
}
