//! The text form in which the Go server keeps instants in SQLite.
//!
//! Source: storage.md 2.1. Written as `YYYY-MM-DD HH:MM:SS[.fraction]±HH:MM` in the zone the value carries; read in
//! all the forms the Go driver reads. Both programs compare some of these texts inside SQL, so the written form has
//! to be the same to the last zero.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// An instant as a column value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoTime(pub(crate) DateTime<FixedOffset>);

impl GoTime {
    /// What the Go driver makes of text it cannot read: the zero time, no error.
    pub(crate) fn zero() -> Self {
        let midnight = NaiveDate::from_ymd_opt(1, 1, 1)
            .expect("a valid date")
            .and_time(NaiveTime::MIN);
        Self(midnight.and_utc().fixed_offset())
    }

    /// Reads any of the known forms.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z').unwrap_or(text);
        for form in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%:z"] {
            if let Ok(time) = DateTime::parse_from_str(text, form) {
                return Some(Self(time));
            }
        }
        for form in [
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M",
        ] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
                return Some(Self(time.and_utc().fixed_offset()));
            }
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(Self(date.and_time(NaiveTime::MIN).and_utc().fixed_offset()))
    }

    /// Writes the form of the Go driver.
    pub(crate) fn to_text(self) -> String {
        let mut text = self.0.format("%Y-%m-%d %H:%M:%S").to_string();
        let nanos = self.0.timestamp_subsec_nanos() % 1_000_000_000;
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        text.push_str(&self.0.format("%:z").to_string());
        text
    }
}

impl From<DateTime<Utc>> for GoTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.fixed_offset())
    }
}

impl From<DateTime<FixedOffset>> for GoTime {
    fn from(time: DateTime<FixedOffset>) -> Self {
        Self(time)
    }
}

impl ToSql for GoTime {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_text()))
    }
}

impl FromSql for GoTime {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Text(text) => Ok(std::str::from_utf8(text)
                .ok()
                .and_then(Self::parse)
                .unwrap_or_else(Self::zero)),
            // The Go driver also takes plain numbers: seconds, or milliseconds when they would be seconds far away.
            ValueRef::Integer(number) => {
                let time = if number.unsigned_abs() > 1_000_000_000_000 {
                    DateTime::from_timestamp_millis(number)
                } else {
                    DateTime::from_timestamp(number, 0)
                };
                Ok(time.map_or_else(Self::zero, |time| Self(time.fixed_offset())))
            }
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, rfc3339: &str) {
        let read = GoTime::parse(text).expect("a known form");
        assert_eq!(
            read.0,
            DateTime::parse_from_rfc3339(rfc3339).expect("test data"),
            "{text}"
        );
    }

    #[test]
    fn every_form_of_the_go_driver_is_read() {
        check("2024-05-01 12:00:00.123+02:00", "2024-05-01T12:00:00.123+02:00");
        check("2024-05-01T12:00:00.123+02:00", "2024-05-01T12:00:00.123+02:00");
        check("2024-05-01 12:00:00+00:00", "2024-05-01T12:00:00Z");
        check("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z");
        check("2024-05-01 12:00:00.5", "2024-05-01T12:00:00.5Z");
        check("2024-05-01T12:00:00.5", "2024-05-01T12:00:00.5Z");
        check("2024-05-01 12:00:00", "2024-05-01T12:00:00Z");
        check("2024-05-01T12:00:00", "2024-05-01T12:00:00Z");
        check("2024-05-01 12:34", "2024-05-01T12:34:00Z");
        check("2024-05-01T12:34", "2024-05-01T12:34:00Z");
        check("2024-05-01", "2024-05-01T00:00:00Z");
    }

    #[test]
    fn the_written_form_cuts_zeros_and_keeps_the_zone() {
        let zone = FixedOffset::east_opt(2 * 3600).expect("a valid offset");
        let time = zone
            .with_ymd_and_hms(2024, 5, 1, 12, 0, 0)
            .single()
            .expect("a valid time");
        assert_eq!(GoTime(time).to_text(), "2024-05-01 12:00:00+02:00");
        let time = time + chrono::Duration::milliseconds(120);
        assert_eq!(GoTime(time).to_text(), "2024-05-01 12:00:00.12+02:00");
        assert_eq!(
            GoTime::from(time.to_utc()).to_text(),
            "2024-05-01 10:00:00.12+00:00"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0i64..4_000_000_000, nanos in 0u32..1_000_000_000, minutes in -840i32..=840) {
            let zone = FixedOffset::east_opt(minutes * 60).expect("a valid offset");
            let time = DateTime::from_timestamp(seconds, nanos).expect("in range").with_timezone(&zone);
            prop_assert_eq!(GoTime::parse(&GoTime(time).to_text()), Some(GoTime(time)));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = GoTime::parse(&text);
        }
    }
}
