//! What callers order.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rport_domain::{JobOrder, JobPace, JobTargets, ScheduleId};

/// An order for one client.
#[derive(Debug, Clone, Default)]
pub struct NewJob {
    /// What is to be run. A time-out of zero or less stands for the server's default.
    pub order: JobOrder,
    /// Values for `%%NAME%%` in the text. Without them the text is not looked at.
    pub parameters: Option<BTreeMap<String, ParameterValue>>,
    /// Whether it waits for a client that is not connected.
    pub queue_if_offline: bool,
    /// Until when it waits; a day without. Only with `queue_if_offline`.
    pub expires: Option<Expiry>,
    /// Whether its output is wanted while it runs.
    pub stream: bool,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// The value itself.
    Text(String),
    /// The key of a value in the vault.
    Vault(String),
}

/// When waiting ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At a point in time.
    At(DateTime<Utc>),
    /// So long after the order.
    After(Duration),
}

/// An order for many clients.
#[derive(Debug, Clone)]
pub struct NewMultiJob {
    /// What each of them shall do.
    pub job: NewJob,
    /// Who they are.
    pub targets: JobTargets,
    /// Whether tags were named at all; naming none is a mistake of its own.
    pub tags_given: bool,
    /// When they get their turn.
    pub pace: JobPace,
    /// The schedule that orders it.
    pub schedule_id: Option<ScheduleId>,
}
