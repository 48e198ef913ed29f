//! When a schedule is due.
//!
//! The text is that of robfig/cron v3's standard parser: five fields (`line.rs`), `@yearly`, `@annually`, `@monthly`,
//! `@weekly`, `@daily`, `@midnight`, `@hourly`, `@every DURATION`, each behind an optional `CRON_TZ=Zone ` or
//! `TZ=Zone `. Without a zone the server's own counts.
//!
//! Where clocks change this differs from RPort, so that nothing is left out and nothing done twice:
//! - A time the clock jumps over (`30 2 * * *` in spring) is due at the moment of the jump; several such times are one.
//!   RPort leaves them out.
//! - A time the clock shows twice is due the first time only. RPort runs twice.
//! - A line for every hour (`*/5 * * * *`) means so many minutes rather than a time of day: it goes on through both
//!   of the doubled hours, as in RPort.
//!
//! `@every` counts from when the schedule was made or changed, whatever happens to the server; RPort counts from its
//! own start, so that a long interval may never pass. What is below a second is cut off, and there is at least one
//! second between two runs.

use std::time::Duration;

use chrono::{DateTime, Datelike, DurationRound, FixedOffset, Offset, TimeDelta, Utc};
use chrono_tz::Tz;

use super::line::Line;
use super::zone::{WallClock, first_instant};
use crate::go_duration;

/// Longest text, in bytes.
const MAX_TEXT: usize = 500;
/// Years that dates are looked for in; far from where date arithmetic ends.
const YEARS: std::ops::Range<i32> = 1900..9000;
/// How far apart the two passes of a doubled time can be. Today it is an hour at most.
const DOUBLED: TimeDelta = TimeDelta::hours(3);
/// How far back the latest due time is looked for, step by step: lines with many due times have a recent one.
const LOOK_BACK: [TimeDelta; 5] = [
    TimeDelta::minutes(2),
    TimeDelta::hours(2),
    TimeDelta::days(2),
    TimeDelta::days(32),
    TimeDelta::days(367),
];

/// Why a text is no timetable. The words are those of the original parser wherever it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimetableError(String);

impl TimetableError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// When a schedule is due, as read from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// `None`: the server's zone.
    zone: Option<Tz>,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Line(Box<Line>),
    /// Whole seconds, one at least.
    Every(TimeDelta),
}

/// What a timetable does not say itself.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// What `@every` counts from.
    pub since: DateTime<Utc>,
    /// The clock for lines without a zone of their own.
    pub server: &'a dyn WallClock,
}

impl Timetable {
    /// Reads the text of a schedule.
    ///
    /// # Errors
    /// What is wrong, for people. Lines that never come due are wrong.
    pub fn parse(text: &str) -> Result<Self, TimetableError> {
        if text.is_empty() {
            return Err(TimetableError::new("empty spec string"));
        }
        if text.len() > MAX_TEXT {
            let size = text.len();
            let text = format!("the schedule has {size} bytes, {MAX_TEXT} are allowed");
            return Err(TimetableError::new(text));
        }
        let (zone, rest) = match split_zone(text) {
            Some((_, None)) => {
                return Err(TimetableError::new("nothing follows the time zone"));
            }
            Some((name, Some(rest))) => (zone(name)?, rest.trim()),
            None => (None, text),
        };
        let rule = match rest.strip_prefix('@') {
            Some(word) => descriptor(word)?,
            None => Rule::Line(Box::new(Line::parse(rest)?)),
        };
        Ok(Self { zone, rule })
    }

    /// The IANA name of the zone in the text; `None` for that of the server.
    pub fn zone_name(&self) -> Option<&'static str> {
        self.zone.map(Tz::name)
    }

    /// An instant as the clock of the zone shows it.
    pub fn shown(&self, instant: DateTime<Utc>, origin: Origin<'_>) -> DateTime<FixedOffset> {
        let offset = self.clock(origin).shows(instant) - instant.naive_utc();
        let seconds = i32::try_from(offset.num_seconds()).ok();
        let offset = seconds.and_then(FixedOffset::east_opt);
        instant.with_timezone(&offset.unwrap_or_else(|| Utc.fix()))
    }

    /// The first due time after an instant. `None` when there is none before the year 9000.
    pub fn next_after(&self, after: DateTime<Utc>, origin: Origin<'_>) -> Option<DateTime<Utc>> {
        if !YEARS.contains(&after.year()) {
            return None;
        }
        match &self.rule {
            Rule::Line(line) => next_of_line(line, after, self.clock(origin)),
            Rule::Every(interval) => next_of_interval(*interval, after, origin.since),
        }
    }

    /// All due times after an instant, one after another.
    pub fn runs_after<'a>(
        &'a self,
        after: DateTime<Utc>,
        origin: Origin<'a>,
    ) -> impl Iterator<Item = DateTime<Utc>> + 'a {
        std::iter::successors(self.next_after(after, origin), move |last| {
            self.next_after(*last, origin)
        })
    }

    /// The latest due time after one instant and not after another.
    pub fn last_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        origin: Origin<'_>,
    ) -> Option<DateTime<Utc>> {
        if let Rule::Every(interval) = &self.rule {
            let last = last_of_interval(*interval, until, origin.since)?;
            return (last > after).then_some(last);
        }
        let latest = |from: DateTime<Utc>| {
            let due = self.runs_after(from, origin);
            due.take_while(|due| *due <= until).last()
        };
        LOOK_BACK
            .iter()
            .filter_map(|back| until.checked_sub_signed(*back))
            .filter(|from| *from > after)
            .find_map(latest)
            .or_else(|| latest(after))
    }

    fn clock<'a>(&'a self, origin: Origin<'a>) -> &'a dyn WallClock {
        match &self.zone {
            Some(zone) => zone,
            None => origin.server,
        }
    }
}

/// The name of the zone in front of a text, and what follows it.
pub(super) fn split_zone(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text
        .strip_prefix("CRON_TZ=")
        .or_else(|| text.strip_prefix("TZ="))?;
    Some(match rest.split_once(' ') {
        Some((name, rest)) => (name, Some(rest)),
        None => (rest, None),
    })
}

/// Finds a zone by its IANA name. As in Go, no name is UTC and `Local` the server's zone.
pub(super) fn zone(name: &str) -> Result<Option<Tz>, TimetableError> {
    match name {
        "" => Ok(Some(Tz::UTC)),
        "Local" => Ok(None),
        name => name.parse().map(Some).map_err(|_| {
            TimetableError::new(format!("provided bad location {name}: unknown time zone {name}"))
        }),
    }
}

fn descriptor(word: &str) -> Result<Rule, TimetableError> {
    let line = match word {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        _ => {
            let Some(duration) = word.strip_prefix("every ") else {
                return Err(TimetableError::new(format!("unrecognized descriptor: @{word}")));
            };
            let wrong = |why: &str| {
                TimetableError::new(format!(
                    "failed to parse duration @{word}: time: {why} {duration:?}"
                ))
            };
            let duration = match go_duration::parse(duration) {
                Some(Ok(duration)) => duration,
                Some(Err(_)) => return Err(wrong("negative duration")),
                None => return Err(wrong("invalid duration")),
            };
            let seconds = duration.max(Duration::from_secs(1)).as_secs();
            let seconds = i64::try_from(seconds).map_err(|_| wrong("invalid duration"))?;
            return Ok(Rule::Every(TimeDelta::seconds(seconds)));
        }
    };
    Ok(Rule::Line(Box::new(Line::parse(line)?)))
}

fn next_of_line(line: &Line, after: DateTime<Utc>, clock: &dyn WallClock) -> Option<DateTime<Utc>> {
    let mut shown = clock.shows(after);
    let first = loop {
        shown = line.next(shown)?;
        let instant = first_instant(clock, shown)?;
        if instant > after {
            break instant;
        }
        // A minute that is just over, or the second pass of a doubled time.
        shown = shown.checked_add_signed(TimeDelta::minutes(1))?;
    };
    Some(next_in_second_pass(line, after, first, clock).unwrap_or(first))
}

/// What a line for every hour has to do while the clock shows for the second time what it has shown before.
fn next_in_second_pass(
    line: &Line,
    after: DateTime<Utc>,
    first: DateTime<Utc>,
    clock: &dyn WallClock,
) -> Option<DateTime<Utc>> {
    let offset = |instant: DateTime<Utc>| clock.shows(instant) - instant.naive_utc();
    let now = offset(after);
    if !line.every_hour() || (offset(after - DOUBLED) == now && offset(after + DOUBLED) == now) {
        return None;
    }
    let minute = TimeDelta::minutes(1);
    let end = first.min(after + DOUBLED);
    let start = after.duration_trunc(minute).ok()? + minute;
    std::iter::successors(Some(start), |instant| Some(*instant + minute))
        .take_while(|instant| *instant < end)
        .find(|instant| line.matches(clock.shows(*instant)))
}

fn next_of_interval(
    interval: TimeDelta,
    after: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let last = last_of_interval(interval, after, since);
    let next = last
        .unwrap_or(whole_second(since)?)
        .checked_add_signed(interval)?;
    YEARS.contains(&next.year()).then_some(next)
}

/// The beginning itself is no due time.
fn last_of_interval(
    interval: TimeDelta,
    until: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let start = whole_second(since)?;
    let passed = (until - start).num_seconds();
    let seconds = interval.num_seconds();
    let count = passed.div_euclid(seconds);
    if count < 1 {
        return None;
    }
    start.checked_add_signed(TimeDelta::try_seconds(count.checked_mul(seconds)?)?)
}

fn whole_second(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(instant.timestamp(), 0)
}

#[cfg(test)]
mod tests;
