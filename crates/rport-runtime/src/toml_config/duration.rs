//! Durations as Go writes and reads them.

use std::time::Duration;

/// Reads a duration such as `1h30m`, `1.5s`, `-200ms` or `0`, in nanoseconds.
///
/// Units are `ns us µs ms s m h`; every number needs one, except a lone `0`. Source: Go `time.ParseDuration`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    let total = i128::try_from(total).ok()?;
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Reads one number with its unit and returns what follows.
fn parse_part(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // 15 digits of an hour are below a nanosecond; the rest cannot change the result.
    let digits = &fraction[..fraction.len().min(15)];
    let fraction = match digits {
        "" => 0,
        digits => digits.parse::<u128>().ok()?.checked_mul(unit)? / 10u128.pow(digits.len() as u32),
    };
    Some((whole.checked_mul(unit)?.checked_add(fraction)?, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Writes a duration the way Go prints it: `168h0m0s`, `1m30s`, `1.5s`, `200ms`, `0s`.
///
/// Source: Go `time.Duration.String`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |unit: u128, name: &str| {
        let text = format!(
            "{}.{:0width$}",
            nanos / unit,
            nanos % unit,
            width = unit.ilog10() as usize
        );
        let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        text + name
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => fraction(1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(1_000_000, "ms"),
        _ => {
            let (secs, sub) = (duration.as_secs(), u64::from(duration.subsec_nanos()));
            let last = format_seconds(secs % 60, sub);
            match (secs / 3600, secs / 60 % 60) {
                (0, 0) => last,
                (0, minutes) => format!("{minutes}m{last}"),
                (hours, minutes) => format!("{hours}h{minutes}m{last}"),
            }
        }
    }
}

fn format_seconds(secs: u64, nanos: u64) -> String {
    let text = format!("{secs}.{nanos:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned() + "s"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let second = 1_000_000_000;
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5 * second),
            ("+5s", 5 * second),
            ("1h30m", 5400 * second),
            ("1.5h", 5400 * second),
            (".5s", second / 2),
            ("1.s", second),
            ("100ms", second / 10),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("7ns", 7),
            ("-1m", -60 * second),
            ("0.000000000000000000000000001h", 0),
            ("9223372036854775807ns", i64::MAX),
        ] {
            assert_eq!(parse_duration(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "2",
            "1d",
            "s",
            ".s",
            "-",
            "+",
            "1h 30m",
            "1 h",
            "1hh",
            "10",
            "1.5",
            "9223372036854775808ns",
            "1é",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (200_000_000, "200ms"),
            (3_300_000_000, "3.3s"),
            (60_000_000_000, "1m0s"),
            (90_500_000_000, "1m30.5s"),
            (604_800_000_000_000, "168h0m0s"),
            (245_000_000_001, "4m5.000000001s"),
        ] {
            assert_eq!(format_duration(Duration::from_nanos(nanos)), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in ".*") {
            parse_duration(&text);
        }

        #[test]
        fn written_durations_read_back(nanos in 0..i64::MAX) {
            let text = format_duration(Duration::from_nanos(nanos.unsigned_abs()));
            prop_assert_eq!(parse_duration(&text), Some(nanos));
        }
    }
}
