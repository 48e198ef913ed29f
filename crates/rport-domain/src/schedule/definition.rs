//! What a schedule says, and whether it makes sense.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::timetable::{self, Timetable};
use crate::{Error, JobOrder, JobPace, JobTargets, Result, go_duration};

/// Longest name, in bytes.
const MAX_NAME: usize = 500;
/// Ids and tags among the targets at most.
const MAX_TARGETS: usize = 10_000;
/// Longest delay by chance, in seconds: a day.
const MAX_JITTER_SEC: u64 = 24 * 3600;
/// Longest time a job may wait for its client: that of jobs.
const MAX_EXPIRES: Duration = Duration::from_secs(30 * 24 * 3600);
/// Values of parameters at most.
const MAX_PARAMETERS: usize = 100;
/// Most clients at a time that somebody can ask for.
const MAX_CONCURRENT: u64 = 100_000;

/// Reads base64 as Go does: padding is needed, and what the last digit has too much is not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What becomes of a due time that passed while the server did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedRuns {
    /// Nothing: the next one is due as if nothing had happened, as in RPort.
    #[default]
    Skip,
    /// However many there were, one run as soon as possible.
    Once,
}

impl MissedRuns {
    /// The word in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
        }
    }
}

/// A word that says nothing about missed runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missed must be 'skip' or 'once'")]
pub struct UnknownMissedRuns;

impl FromStr for MissedRuns {
    type Err = UnknownMissedRuns;

    fn from_str(word: &str) -> Result<Self, UnknownMissedRuns> {
        [Self::Skip, Self::Once]
            .into_iter()
            .find(|one| one.as_str() == word)
            .ok_or(UnknownMissedRuns)
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleParameter {
    /// The value itself.
    Text(String),
    /// The key of a value in the vault.
    Vault(String),
}

/// What a schedule says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleDefinition {
    /// What people call it.
    pub name: String,
    /// When it is due: a text that [`Timetable`] reads, unless a Go server stored another.
    pub schedule: String,
    /// For which clients.
    pub targets: JobTargets,
    /// What is run. A time-out of 0 or less stands for the server's.
    pub order: JobOrder,
    /// Whether all clients get their turn at the same time.
    pub execute_concurrently: bool,
    /// Whether a failed job keeps those after it from starting; unset means that it does.
    pub abort_on_error: Option<bool>,
    /// Whether it is run although jobs of its last run are unfinished.
    pub overlaps: bool,
    /// What the Go server does not know.
    pub extras: ScheduleExtras,
}

/// What the Go server does not know of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleExtras {
    /// How late a run may start by chance, in seconds, so that many do not start at once.
    pub jitter_sec: u64,
    /// What becomes of due times that passed while the server did not run.
    pub missed: MissedRuns,
    /// Whether it rests.
    pub paused: bool,
    /// Whether jobs wait for clients that are not connected.
    pub queue_if_offline: bool,
    /// How long they wait; the default of jobs without.
    pub expires: Option<Duration>,
    /// Values for the places of the text.
    pub parameters: Option<BTreeMap<String, ScheduleParameter>>,
    /// How many clients get their turn at the same time.
    pub max_concurrent: Option<u64>,
}

impl ScheduleDefinition {
    /// When the clients of a run get their turn.
    pub fn pace(&self) -> JobPace {
        let limit = self.extras.max_concurrent;
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        JobPace {
            at_once: if self.execute_concurrently || limit.is_some() {
                limit
            } else {
                Some(1)
            },
            abort_on_error: self.abort_on_error.unwrap_or(true),
        }
    }

    /// The script as it is stored and shown.
    pub fn script_base64(&self) -> String {
        BASE64.encode(&self.order.command)
    }

    /// Reads a script that was stored. One that is no text, which only a Go server takes, is read as far as possible.
    pub fn stored_script(base64: &str) -> String {
        decode(base64).map_or_else(
            |_| base64.to_owned(),
            |script| String::from_utf8_lossy(&script).into_owned(),
        )
    }
}

/// A schedule as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSchedule {
    /// What people call it.
    pub name: String,
    /// When it is due.
    pub schedule: String,
    /// The zone in which, unless the schedule says so itself; empty for that of the server.
    pub time_zone: String,
    /// `command` or `script`.
    pub kind: String,
    /// For which clients.
    pub targets: JobTargets,
    /// The command.
    pub command: String,
    /// The script in base64.
    pub script: String,
    /// What runs it.
    pub interpreter: String,
    /// Where.
    pub cwd: String,
    /// Whether as root.
    pub is_sudo: bool,
    /// How long it may run, in seconds.
    pub timeout_sec: i64,
    /// Whether all clients get their turn at the same time.
    pub execute_concurrently: bool,
    /// Whether a failed job keeps those after it from starting.
    pub abort_on_error: Option<bool>,
    /// Whether it is run although jobs of its last run are unfinished.
    pub overlaps: bool,
    /// How late a run may start by chance, in seconds.
    pub jitter_sec: i64,
    /// `skip` or `once`; empty for the first.
    pub missed: String,
    /// Whether it rests.
    pub paused: bool,
    /// Whether jobs wait for clients that are not connected.
    pub queue_if_offline: bool,
    /// How long they wait, as a Go duration; empty for the default.
    pub expires: String,
    /// Values for the places of the text.
    pub parameters: Option<BTreeMap<String, ScheduleParameter>>,
    /// How many clients get their turn at the same time.
    pub max_concurrent: Option<i64>,
}

impl NewSchedule {
    /// Checks everything that can be checked without knowing clients and users.
    ///
    /// # Errors
    /// `Invalid`, all mistakes joined, in the titles the Go server means to answer with.
    pub fn checked(self) -> Result<ScheduleDefinition> {
        let mut mistakes = Vec::new();
        let schedule = keep(self.full_schedule(), &mut mistakes).unwrap_or_default();
        if !schedule.is_empty()
            && let Err(error) = Timetable::parse(&schedule)
        {
            mistakes.push(invalid_schedule(error.to_string()));
        }
        let order = keep(self.order(), &mut mistakes).unwrap_or_default();
        let extras = self.extras(&mut mistakes);
        let size = self.name.len();
        if size > MAX_NAME {
            let text = format!("name has {size} bytes, {MAX_NAME} are allowed");
            mistakes.push(Error::invalid(text));
        }
        let JobTargets {
            client_ids,
            group_ids,
            tags,
        } = &self.targets;
        let tags = tags.as_ref().map_or(0, |tags| tags.tags.len());
        let targets = client_ids.len() + group_ids.len() + tags;
        if targets > MAX_TARGETS {
            let text = format!("{targets} targets are too many, {MAX_TARGETS} are allowed");
            mistakes.push(Error::invalid(text));
        }
        if let Some(error) = Error::join(mistakes) {
            return Err(error);
        }
        Ok(ScheduleDefinition {
            name: self.name,
            schedule,
            targets: self.targets,
            order,
            execute_concurrently: self.execute_concurrently,
            abort_on_error: self.abort_on_error,
            overlaps: self.overlaps,
            extras,
        })
    }

    /// The zone goes in front of the schedule, where a Go server reads it, too.
    fn full_schedule(&self) -> Result<String> {
        let (schedule, zone) = (&self.schedule, self.time_zone.trim());
        if zone.is_empty() {
            if schedule.is_empty() {
                return Err(invalid_schedule("empty spec string"));
            }
            return Ok(schedule.clone());
        }
        timetable::zone(zone)
            .map_err(|_| Error::invalid("Invalid time zone.").detail(format!("unknown time zone {zone}")))?;
        match timetable::split_zone(schedule) {
            None => Ok(format!("CRON_TZ={zone} {schedule}")),
            Some((same, _)) if same == zone => Ok(schedule.clone()),
            Some((other, _)) => Err(Error::invalid("Invalid time zone.").detail(format!(
                "time_zone is \"{zone}\", but the schedule says \"{other}\""
            ))),
        }
    }

    fn order(&self) -> Result<JobOrder> {
        let (command, is_script) = match self.kind.as_str() {
            "command" if self.command.is_empty() => {
                return Err(Error::invalid("Empty command.").detail("command cannot be empty"));
            }
            "command" => (self.command.clone(), false),
            "script" if self.script.is_empty() => {
                return Err(Error::invalid("Empty script.").detail("script cannot be empty"));
            }
            "script" => {
                let invalid = |why: String| Error::invalid("Invalid script.").detail(why);
                let script = decode(&self.script).map_err(|error| invalid(error.to_string()))?;
                let text = String::from_utf8(script);
                let text = text.map_err(|_| invalid("the script is not UTF-8".to_owned()))?;
                if text.is_empty() {
                    return Err(Error::invalid("Empty script.").detail("script cannot be empty"));
                }
                (text, true)
            }
            _ => return Err(Error::invalid("Invalid type.").detail("type must be 'command' or 'script'")),
        };
        Ok(JobOrder {
            command,
            interpreter: self.interpreter.clone(),
            cwd: self.cwd.clone(),
            is_sudo: self.is_sudo,
            is_script,
            timeout_sec: self.timeout_sec,
        })
    }

    fn extras(&self, mistakes: &mut Vec<Error>) -> ScheduleExtras {
        let number = |member: &str, value: i64, least: u64, most: u64| {
            let number = u64::try_from(value).ok();
            number
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| Error::invalid(format!("{member} must lie between {least} and {most}")))
        };
        let jitter_sec = number("jitter_sec", self.jitter_sec, 0, MAX_JITTER_SEC);
        let max_concurrent = self
            .max_concurrent
            .map(|limit| number("max_concurrent", limit, 1, MAX_CONCURRENT));
        let missed = match self.missed.as_str() {
            "" => Ok(MissedRuns::default()),
            word => word
                .parse()
                .map_err(|error: UnknownMissedRuns| Error::invalid(error.to_string())),
        };
        let parameters = self.parameters.as_ref();
        if parameters.is_some_and(|values| values.len() > MAX_PARAMETERS) {
            let text = format!("more than {MAX_PARAMETERS} parameters");
            mistakes.push(Error::invalid(text));
        }
        ScheduleExtras {
            jitter_sec: keep(jitter_sec, mistakes).unwrap_or_default(),
            missed: keep(missed, mistakes).unwrap_or_default(),
            paused: self.paused,
            queue_if_offline: self.queue_if_offline,
            expires: keep(self.expiry(), mistakes).flatten(),
            parameters: self.parameters.clone(),
            max_concurrent: max_concurrent.and_then(|limit| keep(limit, mistakes)),
        }
    }

    fn expiry(&self) -> Result<Option<Duration>> {
        if self.expires.is_empty() {
            return Ok(None);
        }
        if !self.queue_if_offline {
            return Err(Error::invalid("\"expires\" needs \"queue_if_offline\"."));
        }
        match go_duration::parse(&self.expires) {
            Some(Ok(duration)) if !duration.is_zero() && duration <= MAX_EXPIRES => Ok(Some(duration)),
            _ => Err(Error::invalid("Invalid \"expires\".").detail(
                "a schedule takes a duration of at most 720h, such as 90m or 12h, counted from each run",
            )),
        }
    }
}

/// Keeps what is right and puts aside what is wrong.
fn keep<T>(result: Result<T>, mistakes: &mut Vec<Error>) -> Option<T> {
    result.map_err(|error| mistakes.push(error)).ok()
}

fn invalid_schedule(why: impl Into<String>) -> Error {
    Error::invalid("Invalid schedule.").detail(why)
}

/// Line breaks are not looked at, as in Go.
fn decode(text: &str) -> Result<Vec<u8>, NoBase64> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    BASE64.decode(&digits).map_err(|error| {
        NoBase64(match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => digits.len(),
        })
    })
}

/// A text that is no base64, in Go's words.
#[derive(Debug, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
struct NoBase64(usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewSchedule {
        NewSchedule {
            schedule: "0 4 * * *".into(),
            kind: "command".into(),
            command: "id".into(),
            ..NewSchedule::default()
        }
    }

    fn mistakes(change: impl FnOnce(&mut NewSchedule)) -> Vec<String> {
        let mut new = new();
        change(&mut new);
        match new.checked() {
            Ok(_) => Vec::new(),
            Err(error) => error.items().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn mistakes_have_the_titles_the_original_means() {
        let check = |expected: &str, change: fn(&mut NewSchedule)| assert_eq!(mistakes(change), [expected]);
        check("Invalid type.: type must be 'command' or 'script'", |new| {
            new.kind = "job".into()
        });
        check("Empty command.: command cannot be empty", |new| {
            new.command.clear()
        });
        check("Empty script.: script cannot be empty", |new| {
            new.kind = "script".into()
        });
        check("Invalid script.: illegal base64 data at input byte 4", |new| {
            (new.kind, new.script) = ("script".into(), "aWQK!".into());
        });
        check(
            "Invalid schedule.: end of range (7) above maximum (6): 7",
            |new| {
                new.schedule = "0 0 * * 7".into();
            },
        );
        check("Invalid schedule.: empty spec string", |new| new.schedule.clear());
        check("Invalid time zone.: unknown time zone Mars/Base", |new| {
            new.time_zone = "Mars/Base".into()
        });
        check(
            "Invalid time zone.: time_zone is \"UTC\", but the schedule says \"Asia/Tokyo\"",
            |new| (new.time_zone, new.schedule) = ("UTC".into(), "TZ=Asia/Tokyo @daily".into()),
        );
        check("missed must be 'skip' or 'once'", |new| new.missed = "all".into());
        check("jitter_sec must lie between 0 and 86400", |new| {
            new.jitter_sec = -1
        });
        check("max_concurrent must lie between 1 and 100000", |new| {
            new.max_concurrent = Some(0)
        });
        check("\"expires\" needs \"queue_if_offline\".", |new| {
            new.expires = "1h".into()
        });
        check("name has 501 bytes, 500 are allowed", |new| {
            new.name = "x".repeat(501)
        });
        check("10001 targets are too many, 10000 are allowed", |new| {
            new.targets.client_ids = vec!["c".into(); 10_001];
        });
        for wrong in ["2031-01-01T00:00:00Z", "0s", "-1h", "721h"] {
            let found = mistakes(|new| (new.queue_if_offline, new.expires) = (true, wrong.into()));
            assert!(found[0].starts_with("Invalid \"expires\"."), "{found:?}");
        }
        let all = mistakes(|new| (new.kind, new.schedule, new.jitter_sec) = ("".into(), "x".into(), -1));
        assert_eq!(all.len(), 3, "{all:?}");
    }

    #[test]
    fn the_zone_is_kept_where_a_go_server_reads_it() {
        let kept = |zone: &str, schedule: &str| {
            let new = NewSchedule {
                time_zone: zone.into(),
                schedule: schedule.into(),
                ..new()
            };
            new.checked().expect("sound").schedule
        };
        assert_eq!(kept("Europe/Berlin", "@daily"), "CRON_TZ=Europe/Berlin @daily");
        assert_eq!(
            kept("Europe/Berlin", "TZ=Europe/Berlin @daily"),
            "TZ=Europe/Berlin @daily"
        );
        assert_eq!(kept("", "CRON_TZ=Asia/Tokyo @daily"), "CRON_TZ=Asia/Tokyo @daily");
    }

    #[test]
    fn scripts_are_kept_in_clear_and_written_in_base64() {
        let new = NewSchedule {
            kind: "script".into(),
            script: "ZWNobyDDpA\n==".into(),
            ..new()
        };
        let definition = new.checked().expect("sound");
        assert_eq!(definition.order.command, "echo ä");
        assert!(definition.order.is_script);
        assert_eq!(definition.script_base64(), "ZWNobyDDpA==");
        assert_eq!(ScheduleDefinition::stored_script("ZWNobyDDpA=="), "echo ä");
        assert_eq!(ScheduleDefinition::stored_script("no base64"), "no base64");
    }

    #[test]
    fn the_turn_of_clients() {
        let turn = |concurrently, limit| {
            let new = NewSchedule {
                execute_concurrently: concurrently,
                max_concurrent: limit,
                ..new()
            };
            new.checked().expect("sound").pace().at_once
        };
        assert_eq!(turn(false, None), Some(1));
        assert_eq!(turn(true, None), None);
        assert_eq!(turn(true, Some(20)), Some(20));
        assert_eq!(turn(false, Some(20)), Some(20));
    }
}
