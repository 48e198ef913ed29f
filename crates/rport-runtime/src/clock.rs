//! The time, as a parameter.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, FixedOffset, Local, Utc};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Tells the time. Everything that stamps records or compares instants takes one, so that tests can move the time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    start: DateTime<Utc>,
    origin: Instant,
    passed: Mutex<Duration>,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` and moves only by [`Clock::advance`]. Clones move together.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            start,
            origin: Instant::now(),
            passed: Mutex::default(),
        })))
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// When called on the system clock, which is a mistake in a test.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("the system clock cannot be moved"),
            Source::Manual(manual) => *manual.passed.lock() += by,
        }
    }

    /// The wall-clock time.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that reads the wall clock"
            )]
            Source::System => Utc::now(),
            Source::Manual(manual) => manual.start + *manual.passed.lock(),
        }
    }

    /// The wall-clock time with the machine's offset from UTC. A manual clock lives in UTC, wherever the test runs.
    pub fn now_local(&self) -> DateTime<FixedOffset> {
        match &self.0 {
            Source::System => self.now().with_timezone(&Local).fixed_offset(),
            Source::Manual(_) => self.now().fixed_offset(),
        }
    }

    /// Whether local time is UTC because this is a manual clock, rather than the machine's own.
    pub fn lives_in_utc(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// A monotonic instant for measuring spans of time. It follows tokio's paused time in tests.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            Source::Manual(manual) => manual.origin + *manual.passed.lock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start = DateTime::from_timestamp(1_000_000_000, 0).expect("in range");
        let clock = Clock::manual(start);
        let (clone, before) = (clock.clone(), clock.instant());
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clone.now(), start + Duration::from_secs(90));
        assert_eq!(clone.instant() - before, Duration::from_secs(90));
        assert_eq!(clone.now_local().to_rfc3339(), "2001-09-09T01:48:10+00:00");
    }

    #[test]
    fn local_and_universal_time_are_the_same_moment() {
        let clock = Clock::system();
        let (local, utc) = (clock.now_local(), clock.now());
        assert!((utc - local.to_utc()).num_seconds().abs() < 60);
    }
}
