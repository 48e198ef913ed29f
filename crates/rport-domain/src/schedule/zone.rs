//! Clocks on walls: what they show at an instant, and when they show a time.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};

/// A place whose wall clock a schedule follows. Every [`chrono::TimeZone`] is one.
pub trait WallClock: Send + Sync {
    /// What it shows at an instant.
    fn shows(&self, instant: DateTime<Utc>) -> NaiveDateTime;

    /// When it shows a time: once, twice while it is set back, or never while it is set forward.
    fn when(&self, shown: NaiveDateTime) -> MappedLocalTime<DateTime<Utc>>;
}

impl<Z: TimeZone + Send + Sync> WallClock for Z {
    fn shows(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(self).naive_local()
    }

    fn when(&self, shown: NaiveDateTime) -> MappedLocalTime<DateTime<Utc>> {
        self.from_local_datetime(&shown).map(|time| time.to_utc())
    }
}

/// The longest time that any place ever left out is a day: Samoa had no 30 December 2011.
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

/// The first instant at which a wall clock has reached a time: the first of two, or where the time is left out, the
/// moment at which the clock jumps over it.
pub(super) fn first_instant(clock: &dyn WallClock, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
    (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        let shown = shown.checked_add_signed(TimeDelta::minutes(minutes))?;
        clock.when(shown).earliest()
    })
}
