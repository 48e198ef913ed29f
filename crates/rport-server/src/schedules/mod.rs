//! Schedules: orders to many clients that are made again and again. Source: rest-api.md 15, operations.md 21.
//!
//! `service.rs` is what users do with them. `board.rs` knows when which of them is due, `runner.rs` waits for that, and
//! `fire.rs` deals with one due time: it is written down first, under the id its multi-job is going to have, and
//! ordered then. `recover.rs` looks after what a kill left between the two.

mod board;
mod fire;
mod recover;
mod runner;
mod service;

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Local, TimeDelta, Utc};
use rport_domain::{LastExecution, Schedule, WallClock};
use rport_runtime::Clock;

pub(crate) use service::Needs;
pub use service::Schedules;

/// A due time that is dealt with later than this was missed, and what becomes of it is the schedule's to say.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// How long after its start the server waits with what was due before: agents need a moment to come back.
const SETTLING: TimeDelta = TimeDelta::seconds(5);
/// How often the time is looked at although nothing is due: the clock may have been set.
const LOOK: Duration = Duration::from_millis(500);
/// How many due times are dealt with at once.
const AT_ONCE: usize = 256;
/// How many due times of each schedule are remembered.
const KEPT_RUNS: usize = 1000;
/// How often those beyond that are forgotten.
const CLEANUP: TimeDelta = TimeDelta::hours(1);
/// How many coming due times are shown.
const SHOWN_RUNS: usize = 5;

/// A schedule as users see it.
#[derive(Debug, Clone)]
pub struct ScheduleView {
    /// The schedule.
    pub schedule: Schedule,
    /// The zone in its text; `None` for that of the server.
    pub time_zone: Option<&'static str>,
    /// What its latest multi-job came to.
    pub last_execution: Option<LastExecution>,
    /// The next due times, as the clock of its zone shows them; none while it rests.
    pub next_runs: Vec<DateTime<FixedOffset>>,
}

/// The clock for schedules without a zone of their own.
fn server_clock(clock: &Clock) -> &'static dyn WallClock {
    if clock.lives_in_utc() { &Utc } else { &Local }
}
