//! What came of a due time.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::list::{FilterSpec, ListSpec, Operator, SortSpec};
use crate::{JobId, UserName};

const TIMES: &[Operator] = &[Operator::Gt, Operator::Lt, Operator::Since, Operator::Until];

/// What a list of the runs of a schedule allows. The latest comes first.
pub static SCHEDULE_RUN_LIST: ListSpec = ListSpec {
    default_limit: 20,
    max_limit: 100,
    sorts: &["due_at", "handled_at", "outcome"],
    default_sort: &[SortSpec {
        column: "due_at",
        descending: true,
    }],
    single_sort: None,
    filters: &[
        FilterSpec::matching("outcome"),
        FilterSpec::matching("multi_job_id"),
        FilterSpec {
            name: "due_at",
            operators: TIMES,
        },
        FilterSpec {
            name: "handled_at",
            operators: TIMES,
        },
    ],
    fields: None,
};

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunOutcome {
    /// It was decided to order it; whether that was done is not known yet.
    Ordering,
    /// Its multi-job is stored.
    Ordered,
    /// It was left out; the reason says why.
    Skipped,
}

impl RunOutcome {
    /// The word in answers and in `jobs.db`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::Ordered => "ordered",
            Self::Skipped => "skipped",
        }
    }
}

/// A word that is no outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no outcome of a run")]
pub struct UnknownRunOutcome(pub String);

impl FromStr for RunOutcome {
    type Err = UnknownRunOutcome;

    fn from_str(word: &str) -> Result<Self, UnknownRunOutcome> {
        [Self::Ordering, Self::Ordered, Self::Skipped]
            .into_iter()
            .find(|one| one.as_str() == word)
            .ok_or_else(|| UnknownRunOutcome(word.to_owned()))
    }
}

/// One due time of a schedule, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRun {
    /// When it was due; with the schedule's id it is unique.
    pub due_at: DateTime<Utc>,
    /// When that was decided on: late by the jitter, and by what the server was late.
    pub handled_at: DateTime<Utc>,
    /// How far it got.
    pub outcome: RunOutcome,
    /// The multi-job, chosen before it was ordered.
    pub multi_job_id: Option<JobId>,
    /// Why it was left out, or what else there is to say; often empty.
    pub reason: String,
    /// Who asked for it when it was not due.
    pub requested_by: Option<UserName>,
}
