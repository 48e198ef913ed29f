//! `[monitoring]`: measurements of agents.

use std::time::Duration;

use rport_runtime::toml_config::Document;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoringSection {
    /// Whether measurements are wanted.
    pub enabled: bool,
    /// How long they are kept.
    pub data_storage_duration: Duration,
}

const HOUR: u64 = 3600;
const UNITS: &str = "'data_storage_duration' must include units of either d (=days) or h (=hours)";

impl MonitoringSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("monitoring");
        let week = Duration::from_secs(7 * 24 * HOUR);
        let enabled = section.boolean("enabled", true);
        let duration = section.parsed("data_storage_duration", week, parse);
        let days = section.integer("data_storage_days", 0);
        let data_storage_duration = match u64::try_from(days) {
            Ok(days @ 1..) => {
                let text = "monitoring setting 'data_storage_days' is deprecated and wins over \
                            'data_storage_duration'. Use that instead.";
                section.warn("data_storage_days", text);
                Duration::from_secs(days.saturating_mul(24 * HOUR))
            }
            _ => duration,
        };
        Self {
            enabled,
            data_storage_duration,
        }
    }
}

/// Reads an integer with `h` or `d`, in either case, nothing else. Source: reference `config.md` 1.1 and 3.6.
fn parse(text: &str) -> Result<Duration, String> {
    let lower = text.trim().to_lowercase();
    let (number, unit) = match (lower.strip_suffix('d'), lower.strip_suffix('h')) {
        (Some(number), _) => (number, 24 * HOUR),
        (_, Some(number)) => (number, HOUR),
        _ => return Err(UNITS.to_owned()),
    };
    let number: i64 = number
        .parse()
        .map_err(|_| format!("{UNITS} behind a whole number, got {text:?}"))?;
    match u64::try_from(number) {
        Ok(number @ 1..) => Ok(Duration::from_secs(number.saturating_mul(unit))),
        _ => Err("monitoring results must be stored for at least 1 hour".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days() {
        for (text, hours) in [("7d", 168), ("1h", 1), ("2D", 48), ("3H", 3)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(hours * HOUR)), "{text}");
        }
        for text in ["", "7", "7m", "d", "1.5d", "1d2h", "7 d"] {
            assert!(parse(text).is_err_and(|error| error.starts_with(UNITS)), "{text}");
        }
        for text in ["0d", "0h", "-1d"] {
            assert_eq!(
                parse(text),
                Err("monitoring results must be stored for at least 1 hour".to_owned())
            );
        }
    }
}
