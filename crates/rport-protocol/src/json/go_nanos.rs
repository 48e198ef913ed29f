//! `Duration` as Go writes it: integer nanoseconds. For `#[serde(with = "go_nanos")]`.
//!
//! Go durations are signed; every setting on the wire treats a negative one like zero, so that is what a negative
//! number becomes here.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes nanoseconds; more than 292 years are cut to the largest value Go can hold.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::try_from(value.as_nanos()).unwrap_or(i64::MAX))
}

/// Reads nanoseconds; `null` and negative numbers become zero.
///
/// # Errors
/// Anything but an integer of 64 bits.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let nanos = Option::<i64>::deserialize(deserializer)?.unwrap_or_default();
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default()))
}
