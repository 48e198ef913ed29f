//! What the table of jobs speaks of.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rport_domain::{ClientId, JobId, JobOrder, ScheduleId, UserName};
use rport_store::StartRule;

/// What does not change about a job.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) id: JobId,
    pub(super) client: ClientId,
    pub(super) client_name: String,
    pub(super) multi: Option<JobId>,
    pub(super) schedule: Option<ScheduleId>,
    pub(super) created_by: UserName,
    /// Shared by the jobs of a multi-job.
    pub(super) order: Arc<JobOrder>,
    pub(super) rule: StartRule,
    /// It was ordered before this server was started, whose clients need a moment to come back.
    pub(super) resumed: bool,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client was not asked.
    Waiting,
    /// A task is at it; `asked` once the client may have heard of it.
    Starting { asked: bool },
    /// The client was asked, and what came of it is not known. It may be asked again.
    Uncertain,
    /// The client runs it.
    Running {
        /// When somebody has to look after it.
        look_at: DateTime<Utc>,
        /// When it should have ended.
        since: DateTime<Utc>,
        /// How often its client said that it has.
        looks: u32,
    },
    /// Somebody writes its end.
    Ending,
}

/// What a caller who waits for the start of a job hears.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is started, or will be.
    Yes,
    /// The client is not connected.
    Offline,
    /// The client refused, in its own words.
    Refused(String),
    /// It ended before it was started, and why.
    No(String),
}

/// What the end of a job brings with it.
#[derive(Debug, Default)]
pub(super) struct Consequences {
    /// Jobs that are not to be started any more; they are `Ending` now.
    pub(super) stop: Vec<JobId>,
    /// The multi-job that has ended with it.
    pub(super) ended: Option<JobId>,
}

/// Jobs that somebody has to look after.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Not started in time; they are `Ending` now.
    pub(super) expired: Vec<Arc<Facts>>,
    /// Their order was stopped while they were on their way; they are `Ending` now.
    pub(super) stopped: Vec<JobId>,
    /// Asked for, without an answer in time; they are `Ending` now.
    pub(super) lost: Vec<Arc<Facts>>,
    /// Should have ended by themselves.
    pub(super) overdue: Vec<Overdue>,
}

/// A job that should have ended.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(super) facts: Arc<Facts>,
    pub(super) since: DateTime<Utc>,
    /// How often its client said that it has.
    pub(super) looks: u32,
}

/// A job to start.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) facts: Arc<Facts>,
    /// The client was asked before.
    pub(super) again: bool,
}
