//! A point in time as Go's `time.Time` writes it in JSON.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, FixedOffset, TimeZone, Timelike};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time with its offset, in Go's JSON form: RFC 3339, up to nine fractional digits without trailing
/// zeros, `Z` for offset zero.
///
/// The default is Go's zero time, `0001-01-01T00:00:00Z`, which Go peers send for "not set".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoTime(pub DateTime<FixedOffset>);

impl GoTime {
    /// Returns Go's zero time.
    pub fn zero() -> Self {
        // Year 1 in seconds from the Unix epoch; well inside what chrono holds.
        Self(
            DateTime::from_timestamp(-62_135_596_800, 0)
                .unwrap_or_default()
                .fixed_offset(),
        )
    }

    /// Tells whether this is Go's zero time, whatever the offset.
    pub fn is_zero(&self) -> bool {
        *self == Self::zero()
    }

    /// Parses the JSON form.
    ///
    /// # Errors
    /// The text is no RFC 3339 time.
    pub fn parse(text: &str) -> Result<Self, chrono::ParseError> {
        DateTime::parse_from_rfc3339(text).map(Self)
    }

    /// Returns the time, or `None` for Go's zero time.
    pub fn non_zero(self) -> Option<DateTime<FixedOffset>> {
        (!self.is_zero()).then_some(self.0)
    }
}

impl Default for GoTime {
    fn default() -> Self {
        Self::zero()
    }
}

impl<Tz: TimeZone> From<DateTime<Tz>> for GoTime {
    fn from(time: DateTime<Tz>) -> Self {
        Self(time.fixed_offset())
    }
}

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S"))?;
        let nanos = self.0.nanosecond() % 1_000_000_000;
        if nanos != 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        // Go drops the seconds some historic zones have.
        let minutes = self.0.offset().local_minus_utc() / 60;
        if minutes == 0 {
            f.write_str("Z")
        } else {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.abs();
            write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

impl fmt::Debug for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        match Option::<Text<'de>>::deserialize(deserializer)? {
            None => Ok(Self::zero()),
            Some(Text(text)) => Self::parse(&text)
                .map_err(|error| de::Error::custom(format_args!("{text:?} is no RFC 3339 time: {error}"))),
        }
    }
}
