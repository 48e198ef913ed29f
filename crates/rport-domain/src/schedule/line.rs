//! The five fields of a schedule: minute, hour, day of month, month, day of week.
//!
//! Source: the standard parser of robfig/cron v3, whose rules and words are kept since they stand in stored schedules.
//! A list item is `*` or `?` (they are the same, in every field), a number, a name (`jan`, `MON`) or a range, each
//! with an optional step. `N/STEP` means from N to the end. Sunday is 0, and 7 is refused.
//!
//! Days: a field that has `*` or `?` without a step of two or more puts no limit on days, and both fields must fit.
//! Where neither has one, a day that fits either of them counts.

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::timetable::TimetableError;

/// How far ahead a day is looked for. The rarest day is 29 February, with eight years between 2096 and 2104.
const MAX_YEARS: u32 = 9;
/// Every hour of the day.
const ALL_HOURS: u64 = (1 << 24) - 1;

/// Which minutes of which days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    minutes: u64,
    hours: u64,
    days: Field,
    months: u64,
    weekdays: Field,
}

/// A field of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// One bit per value.
    bits: u64,
    /// Whether it puts no limit on days.
    star: bool,
}

/// What a field may hold.
struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
    /// The value of the first name.
    first_name: u64,
}

const MINUTES: Bounds = numbers(0, 59);
const HOURS: Bounds = numbers(0, 23);
const DAYS: Bounds = numbers(1, 31);
const MONTHS: Bounds = Bounds {
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
    first_name: 1,
    ..numbers(1, 12)
};
const WEEKDAYS: Bounds = Bounds {
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    first_name: 0,
    ..numbers(0, 6)
};

const fn numbers(min: u64, max: u64) -> Bounds {
    Bounds {
        min,
        max,
        names: &[],
        first_name: 0,
    }
}

impl Line {
    /// Reads the five fields.
    pub(super) fn parse(text: &str) -> Result<Self, TimetableError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            let (count, shown) = (fields.len(), fields.join(" "));
            let text = format!("expected exactly 5 fields, found {count}: [{shown}]");
            return Err(TimetableError::new(text));
        };
        let line = Self {
            minutes: field(minutes, &MINUTES)?.bits,
            hours: field(hours, &HOURS)?.bits,
            days: field(days, &DAYS)?,
            months: field(months, &MONTHS)?.bits,
            weekdays: field(weekdays, &WEEKDAYS)?,
        };
        if line.has_days() {
            Ok(line)
        } else {
            let text = format!("no month of \"{months}\" has a day of \"{days}\": it would never run");
            Err(TimetableError::new(text))
        }
    }

    /// Whether it names no hour of the day.
    pub(super) fn every_hour(&self) -> bool {
        self.hours == ALL_HOURS
    }

    /// Whether a minute is one of them.
    pub(super) fn matches(&self, local: NaiveDateTime) -> bool {
        has(self.minutes, local.minute())
            && has(self.hours, local.hour())
            && has(self.months, local.month())
            && self.day_matches(local.date())
    }

    /// The first of its minutes that is not before `from`.
    pub(super) fn next(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let (mut date, mut time) = (from.date(), (from.hour(), from.minute()));
        let end = date.checked_add_months(Months::new(12 * MAX_YEARS))?;
        while date <= end {
            if !has(self.months, date.month()) {
                date = date.with_day(1)?.checked_add_months(Months::new(1))?;
                time = (0, 0);
                continue;
            }
            if self.day_matches(date)
                && let Some(found) = self.time_from(time)
            {
                return Some(date.and_time(found));
            }
            date = date.succ_opt()?;
            time = (0, 0);
        }
        None
    }

    fn time_from(&self, (hour, minute): (u32, u32)) -> Option<NaiveTime> {
        (hour..24).filter(|at| has(self.hours, *at)).find_map(|at| {
            let from = if at == hour { minute } else { 0 };
            let left = self.minutes >> from;
            (left != 0)
                .then(|| NaiveTime::from_hms_opt(at, from + left.trailing_zeros(), 0))
                .flatten()
        })
    }

    fn day_matches(&self, date: NaiveDate) -> bool {
        let day = has(self.days.bits, date.day());
        let weekday = has(self.weekdays.bits, date.weekday().num_days_from_sunday());
        if self.days.star || self.weekdays.star {
            day && weekday
        } else {
            day || weekday
        }
    }

    /// Whether there is such a day in any year. Only days of the month can be impossible: `0 0 31 2 *`.
    fn has_days(&self) -> bool {
        let exists = (1..=12).any(|month| {
            has(self.months, month)
                && (1..=31).any(|day| {
                    has(self.days.bits, day) && NaiveDate::from_ymd_opt(2024, month, day).is_some()
                })
        });
        exists || !(self.days.star || self.weekdays.star)
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits & (1 << value) != 0
}

fn field(text: &str, bounds: &Bounds) -> Result<Field, TimetableError> {
    let mut field = Field { bits: 0, star: false };
    for item in text.split(',').filter(|item| !item.is_empty()) {
        let item = list_item(item, bounds)?;
        field.bits |= item.bits;
        field.star |= item.star;
    }
    if field.bits == 0 {
        return Err(TimetableError::new(format!("a field has no value: {text}")));
    }
    Ok(field)
}

fn list_item(text: &str, bounds: &Bounds) -> Result<Field, TimetableError> {
    let wrong = |what: String| TimetableError::new(format!("{what}: {text}"));
    let (range, step) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [range] => (*range, None),
        [range, step] => (*range, Some(*step)),
        _ => return Err(wrong("too many slashes".to_owned())),
    };
    let ends: Vec<&str> = range.split('-').collect();
    let open = matches!(ends[0], "*" | "?");
    let (start, mut end) = match ends.as_slice() {
        // What follows the star is not looked at, as in the original.
        _ if open => (bounds.min, bounds.max),
        [one] => {
            let one = bounds.value(one)?;
            (one, one)
        }
        [start, end] => (bounds.value(start)?, bounds.value(end)?),
        _ => return Err(wrong("too many hyphens".to_owned())),
    };
    let mut width = 1;
    if let Some(step) = step {
        width = number(step)?;
        if ends.len() == 1 {
            end = bounds.max;
        }
    }
    let Bounds { min, max, .. } = bounds;
    if start < *min {
        return Err(wrong(format!(
            "beginning of range ({start}) below minimum ({min})"
        )));
    }
    if end > *max {
        return Err(wrong(format!("end of range ({end}) above maximum ({max})")));
    }
    if start > end {
        return Err(wrong(format!(
            "beginning of range ({start}) beyond end of range ({end})"
        )));
    }
    let stride = usize::try_from(width).unwrap_or(usize::MAX);
    if stride == 0 {
        return Err(wrong("step of range should be a positive number".to_owned()));
    }
    Ok(Field {
        bits: (start..=end)
            .step_by(stride)
            .fold(0, |bits, value| bits | 1 << value),
        star: open && width == 1,
    })
}

impl Bounds {
    fn value(&self, text: &str) -> Result<u64, TimetableError> {
        let named = self.names.iter().zip(self.first_name..);
        match named
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
        {
            Some((_, value)) => Ok(value),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Result<u64, TimetableError> {
    let number: i64 = text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        TimetableError::new(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": {why}"
        ))
    })?;
    u64::try_from(number)
        .map_err(|_| TimetableError::new(format!("negative number ({number}) not allowed: {text}")))
}
