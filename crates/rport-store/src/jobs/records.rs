//! What the rows of `jobs.db` stand for, beyond the types of the domain.

use chrono::{DateTime, FixedOffset, Utc};
use rport_domain::{ClientId, Job, JobCounts, JobId, JobStatus, MultiJob};
use rport_protocol::JobResult;

/// How long and how a job may be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartRule {
    /// The client may not be asked for the first time after this. Kept to the microsecond.
    pub not_after: DateTime<Utc>,
    /// Whether the job waits for a client that is not connected.
    pub queue: bool,
    /// Whether output is wanted while the job runs.
    pub stream: bool,
}

/// Jobs that are ordered together.
#[derive(Debug, Clone)]
pub struct NewJobs {
    /// The multi-job they belong to.
    pub multi: Option<(MultiJob, MultiJobExtras)>,
    /// The jobs, in the order in which they get their turn. Each with its own id, and the status they are to have:
    /// `waiting`, or a final one for jobs that cannot be started at all.
    pub jobs: Vec<Job>,
    /// How they may be started.
    pub start: StartRule,
}

/// What is known about a multi-job beyond the Go server's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiJobExtras {
    /// Whether jobs of it may still be started.
    pub phase: MultiJobPhase,
    /// How its jobs may be started; `None` for those of a Go server.
    pub start: Option<StartRule>,
}

/// How far a multi-job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MultiJobPhase {
    /// Jobs of it may still be started, or run.
    Running,
    /// Nothing more happens; also for all that a Go server ordered.
    Done,
    /// A user ended it: no further job is started.
    Cancelled,
}

impl MultiJobPhase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "cancelled" => Self::Cancelled,
            _ => Self::Done,
        }
    }
}

/// How far an unfinished job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobPhase {
    /// The client was not asked.
    Waiting,
    /// The client was asked, or is about to be; its answer is not on disk.
    Sending,
    /// The client has started it. Also for jobs that a Go server left unfinished.
    Started,
}

impl JobPhase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Started => "started",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        match word {
            "waiting" => Self::Waiting,
            "sending" => Self::Sending,
            _ => Self::Started,
        }
    }
}

/// An unfinished job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob {
    /// The job.
    pub job: Job,
    /// How far it is.
    pub phase: JobPhase,
    /// How it may be started; `None` if a Go server ordered it.
    pub start: Option<StartRule>,
    /// Its place among the jobs ordered with it, from 0.
    pub position: usize,
}

/// What a client reports about a job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedJob {
    /// The job.
    pub id: JobId,
    /// How it ended: a final status.
    pub status: JobStatus,
    /// Process id; `None` keeps what is known.
    pub pid: Option<i64>,
    /// Start of the process; `None` keeps what is known.
    pub started_at: Option<DateTime<FixedOffset>>,
    /// When it ended.
    pub finished_at: DateTime<FixedOffset>,
    /// What went wrong; empty when nothing did.
    pub error: String,
    /// Its output.
    pub result: Option<JobResult>,
}

/// What became of a reported result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
pub enum Finish {
    /// It is on disk; this is the job now.
    Stored(Job),
    /// The job had its result already. Nothing was changed.
    Repeated,
    /// No such job, or one of another client. Nothing was changed.
    Foreign,
}

/// Whose jobs a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobScope {
    /// Those of a client.
    Client(ClientId),
    /// Those of a multi-job.
    Multi(JobId),
    /// Those of a multi-job, but for those of some clients.
    MultiWithout(JobId, Vec<ClientId>),
}

/// One run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRun {
    /// The order.
    pub multi: MultiJob,
    /// What became of its jobs.
    pub counts: JobCounts,
    /// Its job, if it has only one. Standard output and standard error output are left out.
    pub single: Option<Job>,
}
