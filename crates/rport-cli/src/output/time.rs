//! Times and durations: reading them from the command line, telling them to people.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rport_runtime::Clock;

/// The moment that relative times refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(DateTime<Utc>);

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(Clock::system().now())
    }

    /// A given moment.
    #[cfg(test)]
    pub(crate) fn at(text: &str) -> Self {
        Self(parse(text).expect("a time"))
    }

    /// Tells how far away an RFC 3339 time is; what is no time stays as it is. Go's zero time is no time at all.
    pub(crate) fn relative(self, text: &str) -> String {
        let Some(time) = parse(text) else {
            return text.to_owned();
        };
        if text.starts_with("0001-01-01T00:00:00") {
            return String::new();
        }
        let away = time.signed_duration_since(self.0);
        let seconds = away.num_seconds();
        match seconds {
            1.. => format!("in {}", rough(seconds.unsigned_abs())),
            0 => "now".to_owned(),
            _ => format!("{} ago", rough(seconds.unsigned_abs())),
        }
    }

    /// The time as far in the future as this.
    fn after(self, by: Duration) -> Option<String> {
        let time = self.0.checked_add_signed(chrono::Duration::from_std(by).ok()?)?;
        Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// The time as far in the past as this.
    fn before(self, by: Duration) -> Option<String> {
        let time = self.0.checked_sub_signed(chrono::Duration::from_std(by).ok()?)?;
        Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// The two largest units.
fn rough(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, 0) => format!("{hours}h"),
        (0, ..) => format!("{hours}h{minutes}m"),
        (1..10, 1.., _) => format!("{days}d{hours}h"),
        _ => format!("{days}d"),
    }
}

/// Tells a duration in nanoseconds, as the API gives it.
pub(crate) fn nanoseconds(count: u64) -> String {
    match count / 1_000_000_000 {
        0 => String::new(),
        seconds => rough(seconds),
    }
}

/// Reads a duration: a number of seconds, or numbers with units (`90s`, `5m`, `1h30m`, `7d`, `2w`).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration; write it like 90s, 5m, 1h30m or 7d");
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "s" => 1,
            // A bare number only when it is all there is.
            "" if rest == text.trim() && after.is_empty() => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(wrong()),
        };
        total = number
            .checked_mul(seconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after;
    }
    Ok(Duration::from_secs(total))
}

/// Reads when something ends: an RFC 3339 time, a day (`2030-01-31`), a duration from now, or `never`, which is empty.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_expiry(text: &str) -> Result<String, String> {
    if text == "never" {
        return Ok(String::new());
    }
    point(text, |by| Moment::now().after(by))
}

/// Reads since when something is wanted: an RFC 3339 time, a day, or how long ago.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_age(text: &str) -> Result<String, String> {
    point(text, |by| Moment::now().before(by))
}

fn point(text: &str, relative: impl Fn(Duration) -> Option<String>) -> Result<String, String> {
    if let Some(time) = parse(text).or_else(|| parse(&format!("{text}T00:00:00Z"))) {
        return Ok(time.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    parse_duration(text).ok().and_then(relative).ok_or_else(|| {
        format!("'{text}' is neither a time (2030-01-31, 2030-01-31T12:00:00Z) nor a duration (90d, 12h)")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn relative_times() {
        let now = Moment::at("2026-01-10T12:00:00Z");
        for (time, said) in [
            ("2026-01-10T12:00:00.5Z", "now"),
            ("2026-01-10T11:59:18Z", "42s ago"),
            ("2026-01-10T13:00:00+02:00", "1h ago"),
            ("2026-01-10T10:30:00Z", "1h30m ago"),
            ("2026-01-08T10:00:00Z", "2d2h ago"),
            ("2025-01-10T12:00:00Z", "365d ago"),
            ("2026-01-10T12:05:10Z", "in 5m"),
            ("0001-01-01T00:00:00Z", ""),
            ("soon", "soon"),
        ] {
            assert_eq!(now.relative(time), said, "{time}");
        }
        assert_eq!(nanoseconds(5_400_000_000_000), "1h30m");
    }

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("30", 30),
            ("90s", 90),
            ("1h30m", 5400),
            ("7d", 604_800),
            ("1w", 604_800),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "5x", "1h30", "-5m", "99999999999999999999d", "1 h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ends() {
        assert_eq!(parse_expiry("never").as_deref(), Ok(""));
        assert_eq!(parse_expiry("2030-01-31").as_deref(), Ok("2030-01-31T00:00:00Z"));
        assert_eq!(
            parse_expiry("2030-01-31T01:00:00+01:00").as_deref(),
            Ok("2030-01-31T00:00:00Z")
        );
        let soon = parse_expiry("2d").expect("a duration");
        assert_eq!(Moment::now().relative(&soon).get(..2), Some("in"));
        assert!(parse_age("2d").expect("a duration") < soon);
        assert!(parse_expiry("tomorrow").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_expiry(&text), parse_age(&text));
            let _ = Moment::at("2026-01-10T12:00:00Z").relative(&text);
        }
    }
}
