//! Jobs: one execution of a command or script on one client, and one order to many clients.
//!
//! Source: rest-api.md 13, storage.md 4.1 and 5.3. The Go server knows four states; `waiting` and everything about
//! a later start are ours.

mod lists;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset};
use rport_protocol::JobResult;

pub use lists::{JOB_FIELDS, JOB_LIST, MULTI_JOB_LIST};

use crate::{ClientGroupId, ClientId, JobId, LibraryKind, ScheduleId, UserName};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Ordered, and the client was not asked yet. Not known to the Go server.
    Waiting,
    /// The client was asked, or runs it.
    Running,
    /// It ended with exit code 0.
    Successful,
    /// It ended otherwise, or was never started; the job's error says which.
    Failed,
    /// It reached its time limit, or nobody knows what became of it.
    Unknown,
}

impl JobStatus {
    /// The word in answers and in `jobs.db`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing more is expected of the job.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no state of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no state of a job")]
pub struct UnknownJobStatus(pub String);

impl FromStr for JobStatus {
    type Err = UnknownJobStatus;

    fn from_str(word: &str) -> Result<Self, UnknownJobStatus> {
        let all = [
            Self::Waiting,
            Self::Running,
            Self::Successful,
            Self::Failed,
            Self::Unknown,
        ];
        let known = all.into_iter().find(|status| status.as_str() == word);
        known.ok_or_else(|| UnknownJobStatus(word.to_owned()))
    }
}

/// What is to be run, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobOrder {
    /// The command line, or the text of the script in clear. Values of the vault stand in it as `%%vault:KEY%%`:
    /// they are put in on the way to the client and are in no record.
    pub command: String,
    /// What runs it; empty for the agent's default.
    pub interpreter: String,
    /// Where it runs; empty for the agent's default.
    pub cwd: String,
    /// Whether it runs as root, by `sudo -n`.
    pub is_sudo: bool,
    /// A script rather than a command.
    pub is_script: bool,
    /// How long it may run, in seconds.
    pub timeout_sec: i64,
}

impl JobOrder {
    /// Command or script.
    pub fn kind(&self) -> LibraryKind {
        if self.is_script {
            LibraryKind::Script
        } else {
            LibraryKind::Command
        }
    }
}

/// One execution on one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Start of the process on the client's clock; until that is known, when the job was ordered.
    pub started_at: DateTime<FixedOffset>,
    /// When it ended.
    pub finished_at: Option<DateTime<FixedOffset>>,
    /// Who ordered it.
    pub created_by: UserName,
    /// Where it runs.
    pub client_id: ClientId,
    /// The client's name when it was ordered.
    pub client_name: String,
    /// The multi-job it belongs to.
    pub multi_job_id: Option<JobId>,
    /// The schedule that started it; known through its multi-job only.
    pub schedule_id: Option<ScheduleId>,
    /// What is run.
    pub order: JobOrder,
    /// Process id on the client.
    pub pid: Option<i64>,
    /// What went wrong, for people; empty when nothing did.
    pub error: String,
    /// Its output.
    pub result: Option<JobResult>,
}

/// Whether a client must have all the tags or one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TagOperator {
    /// Any one of them.
    #[default]
    Or,
    /// All of them.
    And,
}

/// Clients chosen by their tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagTargets {
    /// The tags; not empty in an order that was checked.
    pub tags: Vec<String>,
    /// How they count.
    pub operator: TagOperator,
}

/// Which clients an order is for: ids and groups together, or tags alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobTargets {
    /// Clients by id, in the order given.
    pub client_ids: Vec<ClientId>,
    /// Members of client groups, after them.
    pub group_ids: Vec<ClientGroupId>,
    /// Clients by tags.
    pub tags: Option<TagTargets>,
}

/// When the clients of a multi-job get their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobPace {
    /// How many clients run it at a time; 1 is one after another, `None` as many as the server can start.
    pub at_once: Option<usize>,
    /// Whether a failed job keeps those after it from starting.
    pub abort_on_error: bool,
}

/// One order to many clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiJob {
    /// Its id.
    pub id: JobId,
    /// When it was ordered.
    pub started_at: DateTime<FixedOffset>,
    /// Who ordered it.
    pub created_by: UserName,
    /// The schedule that did.
    pub schedule_id: Option<ScheduleId>,
    /// For which clients.
    pub targets: JobTargets,
    /// What is run.
    pub order: JobOrder,
    /// How the clients get their turn.
    pub pace: JobPace,
}

/// How many jobs of a multi-job are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// All.
    pub total: u64,
    /// Not asked yet.
    pub waiting: u64,
    /// Running.
    pub running: u64,
    /// Ended well.
    pub successful: u64,
    /// Ended badly, or never started.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
}

impl JobCounts {
    /// Whether nothing more is expected.
    pub fn is_final(&self) -> bool {
        self.waiting == 0 && self.running == 0
    }
}
