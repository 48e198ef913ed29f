//! Schedules: orders to many clients that are made again and again. Source: rest-api.md 15, operations.md 21.
//!
//! `definition.rs` is what a schedule says, `timetable.rs` when that makes it due, `run.rs` what came of a due time.

mod definition;
mod line;
mod run;
mod timetable;
mod zone;

use chrono::{DateTime, FixedOffset};

pub use definition::{
    MissedRuns, NewSchedule, ScheduleDefinition, ScheduleExtras, ScheduleParameter, UnknownMissedRuns,
};
pub use run::{RunOutcome, SCHEDULE_RUN_LIST, ScheduleRun, UnknownRunOutcome};
pub use timetable::{Origin, Timetable, TimetableError};
pub use zone::WallClock;

use crate::list::{FilterSpec, ListSpec, Value};
use crate::{Error, ScheduleId, UserName};

/// Schedules there may be. Differs from RPort, which knows no limit.
pub const MAX_SCHEDULES: usize = 10_000;

/// What a list of schedules allows. Without a wish they come in the order of their creation.
pub static SCHEDULE_LIST: ListSpec = ListSpec {
    default_limit: 20,
    max_limit: 100,
    sorts: &["id", "created_at", "created_by", "name", "type"],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("created_at"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("name"),
        FilterSpec::matching("type"),
        FilterSpec::matching("client_ids"),
        FilterSpec::matching("group_ids"),
    ],
    fields: None,
};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// When it was stored.
    pub created_at: DateTime<FixedOffset>,
    /// Who stored it. Its runs act as this user.
    pub created_by: UserName,
    /// What it says.
    pub definition: ScheduleDefinition,
}

impl Schedule {
    /// A member as list queries compare it; the lists of targets are no single members.
    pub fn field(&self, name: &str) -> Value<'_> {
        let definition = &self.definition;
        match name {
            "id" => Value::Text(self.id.as_str()),
            "created_at" => Value::Time(self.created_at),
            "created_by" => Value::Text(self.created_by.as_str()),
            "name" => Value::Text(&definition.name),
            "type" => Value::Text(definition.order.kind().as_str()),
            _ => Value::Null,
        }
    }
}

/// What the latest multi-job of a schedule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastExecution {
    /// When it was ordered.
    pub started_at: DateTime<FixedOffset>,
    /// For how many clients.
    pub client_count: u64,
    /// How many of them ended well.
    pub success_count: u64,
    /// Where its job stands, if there is only one.
    pub status: Option<String>,
    /// The summary of that job's result.
    pub summary: Option<String>,
}

/// Makes the answer for a schedule that does not exist.
pub fn schedule_not_found(id: &ScheduleId) -> Error {
    Error::not_found(format!("Cannot find a schedule by the provided id: {id}"))
}
