//! The audit log: who did what. Source: rest-api.md 21.1 and storage.md 4.5.
//!
//! Services write through [`Audit`], logins through [`logins::LoginAudit`], which keeps a flood of bad passwords from
//! filling the disk. [`AuditLogs`] reads it and starts new files.

pub(crate) mod logins;
mod service;

use std::net::IpAddr;

use rport_domain::{AuditEntry, ClientRecord};
use rport_runtime::Clock;
use rport_store::AuditLog;
use serde_json::Value;

use crate::actor::Actor;

pub use service::{AuditEntries, AuditExportRequest, AuditLogs, AuditRotation, UnknownRotation};

pub(crate) use rport_domain::{AuditAction as Action, AuditApplication as Application};

/// What is written, and how.
#[derive(Debug, Clone, Copy)]
pub struct AuditOptions {
    /// Whether anything is written (`[api] enable_audit_log`).
    pub enabled: bool,
    /// Whether the last number of IPv4 addresses is hidden (`[api] use_ip_obfuscation`).
    pub obfuscate_addresses: bool,
    /// How long a file is used before a new one begins (`[api] audit_log_rotation`).
    pub rotation: AuditRotation,
    /// How many days files that were put aside are kept (`[api] audit_log_keep`). `None` keeps them for ever, as the
    /// Go server does.
    pub keep_days: Option<u64>,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            obfuscate_addresses: false,
            rotation: AuditRotation::Monthly,
            keep_days: None,
        }
    }
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

/// What happened: everything of an entry but who, when and from where.
pub(crate) struct Event<'a> {
    pub(crate) application: Application,
    pub(crate) action: Action,
    /// The id of the thing.
    pub(crate) affected: &'a str,
    /// The client concerned, if any.
    pub(crate) client: Option<&'a ClientRecord>,
    /// What was asked for. Never holds secrets.
    pub(crate) request: Option<Value>,
    /// What came of it. Never holds secrets.
    pub(crate) response: Option<Value>,
}

impl<'a> Event<'a> {
    /// Something that happened to a thing, without more to say.
    pub(crate) fn new(application: Application, action: Action, affected: &'a str) -> Self {
        Self {
            application,
            action,
            affected,
            client: None,
            request: None,
            response: None,
        }
    }
}

impl Audit {
    pub(crate) fn new(log: AuditLog, options: AuditOptions, clock: Clock) -> Self {
        Self { log, options, clock }
    }

    /// Notes what a user did.
    pub(crate) async fn note(&self, actor: &Actor, event: Event<'_>) {
        self.write(actor.user.to_string(), actor.address, event).await;
    }

    /// Notes what a user did. `request` never holds secrets.
    pub(crate) async fn record(
        &self,
        actor: &Actor,
        application: Application,
        action: Action,
        affected: &str,
        request: Option<Value>,
    ) {
        let event = Event {
            request,
            ..Event::new(application, action, affected)
        };
        self.note(actor, event).await;
    }

    /// Notes what a user did to a client, or what a client did by itself (`actor` is `None`, `address` the agent's).
    pub(crate) async fn record_client(
        &self,
        actor: Option<&Actor>,
        address: IpAddr,
        action: (Application, Action),
        affected: &str,
        client: &ClientRecord,
        request: Value,
    ) {
        let user = actor.map(|actor| actor.user.to_string()).unwrap_or_default();
        let event = Event {
            client: Some(client),
            request: Some(request),
            ..Event::new(action.0, action.1, affected)
        };
        self.write(user, address, event).await;
    }

    async fn write(&self, username: String, address: IpAddr, event: Event<'_>) {
        if !self.options.enabled {
            return;
        }
        let text = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
        let Event {
            application,
            action,
            affected,
            client,
            request,
            response,
        } = event;
        let entry = AuditEntry {
            timestamp: self.clock.now_local(),
            application: application.as_str().to_owned(),
            action: action.as_str().to_owned(),
            username,
            remote_ip: self.shown(address),
            affected_id: affected.to_owned(),
            client_id: client.map(|client| client.id.to_string()).unwrap_or_default(),
            client_hostname: client
                .map(|client| client.details.hostname.clone())
                .unwrap_or_default(),
            request: text(request),
            response: text(response),
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
