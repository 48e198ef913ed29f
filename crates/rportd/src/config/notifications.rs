//! `[notifications]`.

use std::{path::PathBuf, time::Duration};

use rport_runtime::toml_config::Document;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationsSection {
    /// Working folder of notification scripts.
    pub notification_script_dir: PathBuf,
    /// How long the log of notifications is kept.
    pub log_storage_duration: Duration,
    /// How often it is cleaned.
    pub cleanup_interval: Duration,
}

const DAY: u64 = 24 * 3600;

impl NotificationsSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("notifications");
        let days = |days: u64| Duration::from_secs(days * DAY);
        Self {
            notification_script_dir: section
                .string(
                    "notification_script_dir",
                    "/usr/local/lib/rport/notification_scripts",
                )
                .into(),
            log_storage_duration: section.parsed("log_storage_duration", days(7), parse),
            cleanup_interval: section.parsed("cleanup_interval", days(1), parse),
        }
    }
}

/// Reads a sum of whole numbers with the units `w d h m s ms us ns`, such as `1w2d`. Source: reference `config.md` 1.1.
fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "invalid duration {text:?}: expected numbers with units (w d h m s ms us ns), like \"7d\" or \"1d12h\""
        )
    };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let seconds = |seconds: u64| number.checked_mul(seconds).map(Duration::from_secs);
        let part = match unit {
            "w" => seconds(7 * DAY),
            "d" => seconds(DAY),
            "h" => seconds(3600),
            "m" => seconds(60),
            "s" => seconds(1),
            "ms" => Some(Duration::from_millis(number)),
            "us" | "µs" => Some(Duration::from_micros(number)),
            "ns" => Some(Duration::from_nanos(number)),
            _ => None,
        };
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_units() {
        for (text, seconds) in [
            ("7d", 7 * DAY),
            ("1w2d", 9 * DAY),
            ("1d12h", DAY + 12 * 3600),
            ("90s", 90),
            ("5m", 300),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("5ms3us"), Ok(Duration::from_micros(5003)));
        for text in [
            "",
            "7",
            "d",
            "7x",
            "1d ",
            "1d 2h",
            "-1d",
            "99999999999999999999d",
            "9999999999999999999w",
            "é",
        ] {
            assert_eq!(parse(text).is_ok(), text == "1d ", "{text}");
        }
    }
}
