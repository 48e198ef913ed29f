//! The time zone, as `CET (UTC+01:00)`.
//!
//! The offset comes from the clock. The name is the one thing the clock's library does not tell, so it is looked up
//! in the rule that ends every compiled zone file (RFC 8536, section 3.3): `CET-1CEST,M3.5.0,M10.5.0/3`.

use chrono::{DateTime, FixedOffset};

use super::files::SystemFiles;

pub(super) fn describe(files: &SystemFiles, now: &DateTime<FixedOffset>) -> String {
    let offset = now.offset().local_minus_utc();
    let rule = rule(files, std::env::var("TZ").ok().as_deref());
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    let numeric = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    let name = rule
        .and_then(|rule| abbreviation(&rule, offset))
        .or_else(|| (offset == 0).then(|| "UTC".to_owned()))
        .unwrap_or_else(|| numeric.replace(':', ""));
    format!("{name} (UTC{numeric})")
}

/// Returns the POSIX rule of the zone named by `tz`, or of the system's zone.
fn rule(files: &SystemFiles, tz: Option<&str>) -> Option<String> {
    let bytes = match tz.map(|tz| tz.trim_start_matches(':')) {
        // A path that climbs or starts at the root is not a zone name; the offset alone is then shown.
        Some(tz) if tz.starts_with('/') || tz.contains("..") => return None,
        Some(tz) if !tz.is_empty() => files.read_bytes(&format!("usr/share/zoneinfo/{tz}"))?,
        _ => files.read_bytes("etc/localtime")?,
    };
    footer(&bytes)
}

/// Cuts the last line out of a zone file; version 1 files have none.
fn footer(bytes: &[u8]) -> Option<String> {
    let body = bytes.strip_prefix(b"TZif")?.strip_suffix(b"\n")?;
    let start = body.iter().rposition(|byte| *byte == b'\n')? + 1;
    let line = std::str::from_utf8(&body[start..]).ok()?;
    (!line.is_empty()).then(|| line.to_owned())
}

/// Picks the standard or the summer name of a rule, whichever fits the offset in seconds east of Greenwich.
pub(super) fn abbreviation(rule: &str, offset: i32) -> Option<String> {
    let (standard, rest) = name(rule)?;
    let (seconds_west, rest) = hours(rest)?;
    if seconds_west.checked_neg()? == offset {
        return Some(standard.to_owned());
    }
    let (summer, _) = name(rest)?;
    Some(summer.to_owned())
}

fn name(rule: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = rule.strip_prefix('<') {
        return quoted.split_once('>').filter(|(name, _)| !name.is_empty());
    }
    let end = rule
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rule.len());
    (end >= 3).then(|| rule.split_at(end))
}

/// Reads `[+-]h[h][:mm[:ss]]` as seconds.
fn hours(text: &str) -> Option<(i32, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '+' || c == '-'))
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let mut total = 0_i32;
    let mut unit = 3600;
    for part in digits.split(':').take(3) {
        let value: i32 = part.parse().ok().filter(|value| (0..=167).contains(value))?;
        total += value * unit;
        unit /= 60;
    }
    Some((sign * total, rest))
}
