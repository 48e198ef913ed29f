//! How jobs ended, told in a table and by an exit code.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::output::Column;

/// Some clients did it, others did not.
const PARTLY: u8 = 10;
/// No client did it, and at least one tried.
const FAILED: u8 = 11;
/// No client was reached.
const NOT_REACHED: u8 = 12;

/// For help texts.
pub(crate) const EXPLAINED: &str = "Exit codes: 0 it went well on every client; 10 on some clients and not on others; 11 on no client, and at least one \
    tried; 12 no client was reached; 130 cancelled or interrupted; others as everywhere.";

/// What the table at the end has.
pub(crate) const COLUMNS: [Column; 6] = [
    Column::text("CLIENT", "client_name"),
    Column::text("STATUS", "status"),
    Column::text("TIME", "duration"),
    Column::text("ERROR", "error"),
    Column::text("CLIENT ID", "client_id").wide(),
    Column::text("JOB", "jid").wide(),
];

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Well,
    Badly,
    NotReached,
}

impl Outcome {
    /// Of a job that has ended.
    pub(crate) fn of(job: &Value) -> Self {
        match job["status"].as_str() {
            Some("successful") => Self::Well,
            // Whoever started something has a process to show for it, or a result.
            Some("failed") if job["pid"].is_null() && job["result"].is_null() => Self::NotReached,
            _ => Self::Badly,
        }
    }
}

/// The number for the shell.
pub(crate) fn exit_code(outcomes: &[Outcome]) -> u8 {
    let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    match (
        count(Outcome::Well),
        count(Outcome::Badly),
        count(Outcome::NotReached),
    ) {
        (_, 0, 0) => 0,
        (0, 0, _) => NOT_REACHED,
        (0, ..) => FAILED,
        _ => PARTLY,
    }
}

/// The same in words.
pub(super) fn sentence(outcomes: &[Outcome]) -> String {
    let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let mut text = format!("{} of {} well", count(Outcome::Well), outcomes.len());
    for (outcome, word) in [(Outcome::Badly, "failed"), (Outcome::NotReached, "not reached")] {
        match count(outcome) {
            0 => {}
            count => text.push_str(&format!(", {count} {word}")),
        }
    }
    text
}

/// A job as a row of the table.
pub(crate) fn told(job: &Value) -> Value {
    let mut row = job.clone();
    if row["client_name"].as_str().is_none_or(str::is_empty) {
        row["client_name"] = row["client_id"].clone();
    }
    if Outcome::of(job) == Outcome::NotReached {
        row["status"] = json!("not reached");
    }
    row["duration"] = json!(duration(job).unwrap_or_default());
    if let Some(members) = row.as_object_mut() {
        members.remove("result");
    }
    row
}

fn duration(job: &Value) -> Option<String> {
    if job["pid"].is_null() && job["result"].is_null() {
        return None;
    }
    let time = |key: &str| DateTime::parse_from_rfc3339(job[key].as_str()?).ok();
    let took = time("finished_at")?.signed_duration_since(time("started_at")?);
    let millis = took.num_milliseconds().max(0);
    Some(match millis {
        0..60_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        _ => format!("{}m{}s", millis / 60_000, millis / 1000 % 60),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_partial_failure() {
        use Outcome::{Badly, NotReached, Well};
        for (outcomes, code) in [
            (&[][..], 0),
            (&[Well, Well], 0),
            (&[Well, Badly], 10),
            (&[Well, NotReached], 10),
            (&[Badly, Badly], 11),
            (&[Badly, NotReached], 11),
            (&[NotReached], 12),
        ] {
            assert_eq!(exit_code(outcomes), code, "{outcomes:?}");
        }
        assert_eq!(
            sentence(&[Well, Badly, NotReached]),
            "1 of 3 well, 1 failed, 1 not reached"
        );
    }

    #[test]
    fn rows_tell_names_times_and_who_was_not_reached() {
        let job = json!({
            "client_id": "c", "client_name": "", "status": "failed", "pid": null, "result": null,
            "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01.25Z",
        });
        let row = told(&job);
        assert_eq!(
            (&row["client_name"], &row["status"], &row["duration"]),
            (&json!("c"), &json!("not reached"), &json!(""))
        );
        let mut ran = job;
        ran["pid"] = json!(7);
        assert_eq!(told(&ran)["duration"], "1.2s");
        assert_eq!(Outcome::of(&ran), Outcome::Badly);
        ran["finished_at"] = json!("2026-01-01T00:02:03Z");
        assert_eq!(told(&ran)["duration"], "2m3s");
    }
}
