//! Durations as people write them for Go programs: `90m`, `1h30m`, `1.5h`.

use std::time::Duration;

/// Parses a Go duration. A sign is allowed, so that callers can tell "negative" from "not a duration".
///
/// `None` means that the text is no duration or does not fit; `Some(Err(_))` holds the amount of a negative one.
pub fn parse(text: &str) -> Option<Result<Duration, Duration>> {
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let nanos = if text == "0" { 0 } else { parse_terms(text)? };
    let amount = Duration::from_nanos(nanos);
    Some(if negative && nanos > 0 {
        Err(amount)
    } else {
        Ok(amount)
    })
}

fn parse_terms(mut text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !text.is_empty() {
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
        let unit = unit_nanos(&rest[..end])?;
        let whole = if whole.is_empty() {
            0
        } else {
            whole.parse::<u64>().ok()?
        };
        total = total
            .checked_add(whole.checked_mul(unit)?)?
            .checked_add(fraction_of(fraction, unit))?;
        text = &rest[end..];
    }
    i64::try_from(total).is_ok().then_some(total)
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    })
}

/// Cuts what is below a nanosecond, like Go.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut scale = u128::from(unit);
    let mut value: u128 = 0;
    let mut divisor: u128 = 1;
    // Digits beyond these are below a nanosecond even for hours.
    for digit in digits.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        divisor *= 10;
    }
    scale *= value;
    u64::try_from(scale / divisor).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let check =
            |text: &str, nanos: u64| assert_eq!(parse(text), Some(Ok(Duration::from_nanos(nanos))), "{text}");
        check("0", 0);
        check("-0", 0);
        check("90m", 5_400_000_000_000);
        check("1h30m", 5_400_000_000_000);
        check("1.5h", 5_400_000_000_000);
        check(".5s", 500_000_000);
        check("1.s", 1_000_000_000);
        check("+2us3ns", 2_003);
        check("1µs", 1_000);
        check("0.3333333333333333333h", 1_199_999_999_999);
        assert_eq!(parse("-1s"), Some(Err(Duration::from_secs(1))));
    }

    #[test]
    fn refuses_the_rest() {
        for bad in [
            "",
            "1",
            "h",
            ".",
            ".s",
            "1x",
            "1 h",
            "1h ",
            "--1s",
            "9223372036855s",
            "1d",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}|[-+0-9.hmsuµn]{0,24}") {
            let _ = parse(&text);
        }
    }
}
