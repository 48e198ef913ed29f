//! Orders that are made again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use rport_domain::{
    ClientGroupId, ClientId, JobTargets, ScheduleDefinition, ScheduleExtras, ScheduleParameter,
};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::job::{JobParameter, JobVaultKey};
use crate::multi_job::{JobCounts, JobTags};

/// A schedule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Schedule {
    /// A UUID.
    pub id: String,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: GoTime,
    /// Who stored it. Its runs act as this user, with the rights of the moment.
    pub created_by: String,
    /// What people call it.
    pub name: String,
    /// When it is due.
    #[schema(example = "CRON_TZ=Europe/Berlin 30 4 * * *")]
    pub schedule: String,
    /// What it runs: `command` or `script`.
    #[serde(rename = "type")]
    #[schema(example = "command")]
    pub kind: String,
    /// Clients by id; null when there are none.
    #[schema(required)]
    pub client_ids: Option<Vec<String>>,
    /// Clients by group; null when there are none.
    #[schema(required)]
    pub group_ids: Option<Vec<String>>,
    /// Clients by tags; null when they are not chosen so.
    #[schema(required)]
    pub tags: Option<JobTags>,
    /// The command, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The script in base64, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// What runs it; empty for the client's default.
    pub interpreter: String,
    /// Where it runs; empty for the client's default.
    pub cwd: String,
    /// Whether it runs as root.
    pub is_sudo: bool,
    /// How many seconds it may run; the server's default if not above 0.
    pub timeout_sec: i64,
    /// Whether all clients get their turn at the same time.
    pub execute_concurrently: bool,
    /// Whether a failed job keeps those after it from starting; null means that it does.
    #[schema(required)]
    pub abort_on_error: Option<bool>,
    /// Whether it runs although a job of its last run is unfinished.
    pub overlaps: bool,
    /// What its latest run came to; null when there was none.
    #[schema(required)]
    pub last_execution: Option<LastExecution>,
    /// The IANA name of the time zone in `schedule`; null for that of the server.
    #[schema(required)]
    pub time_zone: Option<String>,
    /// By how many seconds a run may start late, by chance.
    pub jitter_sec: u64,
    /// What becomes of due times that passed while the server did not run: `skip` or `once`.
    #[schema(example = "skip")]
    pub missed: String,
    /// Whether it rests.
    pub paused: bool,
    /// Whether jobs wait for clients that are not connected.
    pub queue_if_offline: bool,
    /// How long they wait, as a Go duration; null for a day.
    #[schema(required, example = "1h30m0s")]
    pub expires: Option<String>,
    /// Values for the places of the text; null when nothing is put in.
    #[schema(required)]
    pub parameters: Option<BTreeMap<String, JobParameter>>,
    /// How many clients get their turn at the same time; null when that is not limited.
    #[schema(required)]
    pub max_concurrent: Option<u64>,
    /// The next due times, in its time zone; empty while it rests.
    #[schema(value_type = Vec<String>)]
    pub next_runs: Vec<String>,
}

/// What the latest run of a schedule came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastExecution {
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: GoTime,
    /// For how many clients.
    pub client_count: u64,
    /// How many of them ended well.
    pub success_count: u64,
    /// Where the job stands, if there is only one.
    #[schema(required)]
    pub status: Option<String>,
    /// The summary of its result, if there is only one.
    #[schema(required)]
    pub summary: Option<String>,
}

fn shown(value: ScheduleParameter) -> JobParameter {
    match value {
        ScheduleParameter::Text(text) => JobParameter::Text(text),
        ScheduleParameter::Vault(vault) => JobParameter::Vault(JobVaultKey { vault }),
    }
}

fn given(value: JobParameter) -> ScheduleParameter {
    match value {
        JobParameter::Text(text) => ScheduleParameter::Text(text),
        JobParameter::Vault(JobVaultKey { vault }) => ScheduleParameter::Vault(vault),
    }
}

impl Schedule {
    /// Shows a schedule with what else is known about it.
    pub fn new(
        schedule: rport_domain::Schedule,
        time_zone: Option<&str>,
        last_execution: Option<rport_domain::LastExecution>,
        next_runs: &[DateTime<FixedOffset>],
    ) -> Self {
        let script = schedule.definition.script_base64();
        let ScheduleDefinition {
            name,
            schedule: text,
            targets,
            order,
            execute_concurrently,
            abort_on_error,
            overlaps,
            extras,
        } = schedule.definition;
        let ScheduleExtras {
            jitter_sec,
            missed,
            paused,
            queue_if_offline,
            expires,
            parameters,
            max_concurrent,
        } = extras;
        let kind = order.kind().as_str().to_owned();
        Self {
            id: schedule.id.to_string(),
            created_at: GoTime(schedule.created_at),
            created_by: schedule.created_by.to_string(),
            name,
            schedule: text,
            kind,
            client_ids: some(&targets.client_ids, ClientId::to_string),
            group_ids: some(&targets.group_ids, ClientGroupId::to_string),
            tags: targets.tags.map(Into::into),
            script: order.is_script.then_some(script),
            command: (!order.is_script).then_some(order.command),
            interpreter: order.interpreter,
            cwd: order.cwd,
            is_sudo: order.is_sudo,
            timeout_sec: order.timeout_sec,
            execute_concurrently,
            abort_on_error,
            overlaps,
            last_execution: last_execution.map(|last| LastExecution {
                started_at: GoTime(last.started_at),
                client_count: last.client_count,
                success_count: last.success_count,
                status: last.status,
                summary: last.summary,
            }),
            time_zone: time_zone.map(str::to_owned),
            jitter_sec,
            missed: missed.as_str().to_owned(),
            paused,
            queue_if_offline,
            expires: expires.map(go_duration),
            parameters: parameters.map(|values| {
                let values = values.into_iter();
                values.map(|(name, value)| (name, shown(value))).collect()
            }),
            max_concurrent,
            next_runs: next_runs
                .iter()
                .map(|run| run.to_rfc3339_opts(SecondsFormat::AutoSi, true))
                .collect(),
        }
    }
}

fn some<T>(items: &[T], text: impl Fn(&T) -> String) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.iter().map(text).collect())
}

/// A duration as Go prints it: `1h30m0s`, `0.5s`.
fn go_duration(duration: Duration) -> String {
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = format!("{}.{:09}", duration.as_secs() % 60, duration.subsec_nanos());
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// A schedule to store. What is missing is reset. Members that only answers have are accepted and ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewSchedule {
    /// What people call it.
    #[schema(example = "nightly clean-up")]
    pub name: String,
    /// When it is due: minute, hour, day of month, month, day of week (0 is Sunday); or `@hourly`, `@daily`,
    /// `@weekly`, `@monthly`, `@yearly`, `@every 90m`. `CRON_TZ=Zone ` in front of it names a time zone, without it
    /// that of the server counts. A time that clocks jump over is due at the jump, one that they show twice is due the
    /// first time. Required.
    #[schema(example = "30 4 * * *")]
    pub schedule: String,
    /// The IANA name of a time zone; put in front of `schedule`.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// `command` or `script`. Required.
    #[serde(rename = "type")]
    #[schema(example = "command")]
    pub kind: String,
    /// Clients by id. Ids and groups, or tags, are required.
    pub client_ids: Option<Vec<String>>,
    /// Clients by group, whoever belongs to it when a run is due.
    pub group_ids: Option<Vec<String>>,
    /// Clients by tags, whoever has them when a run is due.
    pub tags: Option<JobTags>,
    /// The command; required for commands.
    #[schema(example = "uptime")]
    pub command: String,
    /// The script in base64; required for scripts.
    #[schema(example = "dXB0aW1lCg==")]
    pub script: String,
    /// What runs it; the client's default if missing.
    pub interpreter: String,
    /// Where it runs; the client's default if missing.
    pub cwd: String,
    /// Whether it runs as root.
    pub is_sudo: bool,
    /// How many seconds it may run; the server's default if not above 0.
    pub timeout_sec: i64,
    /// Whether all clients get their turn at the same time.
    pub execute_concurrently: bool,
    /// Whether a failed job keeps those after it from starting; true if missing.
    pub abort_on_error: Option<bool>,
    /// Whether it runs although a job of its last run is unfinished.
    pub overlaps: bool,
    /// By how many seconds a run may start late, by chance, so that many do not start at once. At most a day, and never
    /// as late as the next one.
    pub jitter_sec: i64,
    /// What becomes of due times that passed while the server did not run: `skip` (the default) or `once`, which makes
    /// one run of them all.
    #[schema(example = "skip")]
    pub missed: String,
    /// Whether it rests. What comes due meanwhile is not made up for.
    pub paused: bool,
    /// Whether jobs wait for clients that are not connected.
    pub queue_if_offline: bool,
    /// How long they wait, as a Go duration from each run; a day if missing, 30 days at most.
    #[schema(example = "12h")]
    pub expires: String,
    /// Values for the places of the text. Without them the text is not looked at.
    pub parameters: Option<BTreeMap<String, JobParameter>>,
    /// How many clients get their turn at the same time.
    pub max_concurrent: Option<i64>,
    /// Ignored.
    #[schema(read_only, value_type = Option<String>)]
    pub id: Option<Value>,
    /// Ignored.
    #[schema(read_only, value_type = Option<String>)]
    pub created_at: Option<Value>,
    /// Ignored.
    #[schema(read_only, value_type = Option<String>)]
    pub created_by: Option<Value>,
    /// Ignored.
    #[schema(read_only, value_type = Option<Value>)]
    pub last_execution: Option<Value>,
    /// Ignored.
    #[schema(read_only, value_type = Option<Vec<String>>)]
    pub next_runs: Option<Value>,
}

impl From<NewSchedule> for rport_domain::NewSchedule {
    fn from(new: NewSchedule) -> Self {
        let ids = |ids: Option<Vec<String>>| ids.unwrap_or_default();
        Self {
            name: new.name,
            schedule: new.schedule,
            time_zone: new.time_zone,
            kind: new.kind,
            targets: JobTargets {
                client_ids: ids(new.client_ids).into_iter().map(Into::into).collect(),
                group_ids: ids(new.group_ids).into_iter().map(Into::into).collect(),
                tags: new.tags.map(Into::into),
            },
            command: new.command,
            script: new.script,
            interpreter: new.interpreter,
            cwd: new.cwd,
            is_sudo: new.is_sudo,
            timeout_sec: new.timeout_sec,
            execute_concurrently: new.execute_concurrently,
            abort_on_error: new.abort_on_error,
            overlaps: new.overlaps,
            jitter_sec: new.jitter_sec,
            missed: new.missed,
            paused: new.paused,
            queue_if_offline: new.queue_if_offline,
            expires: new.expires,
            parameters: new.parameters.map(|values| {
                let values = values.into_iter();
                values.map(|(name, value)| (name, given(value))).collect()
            }),
            max_concurrent: new.max_concurrent,
        }
    }
}

/// One due time of a schedule, and what came of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScheduleExecution {
    /// When it was due, or asked for.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: GoTime,
    /// When it was dealt with.
    #[schema(value_type = String, format = DateTime)]
    pub handled_at: GoTime,
    /// `ordered`, `skipped`, or for a moment `ordering`.
    #[schema(example = "ordered")]
    pub outcome: String,
    /// The multi-job of the run; null when it was left out before one was chosen.
    #[schema(required)]
    pub multi_job_id: Option<String>,
    /// Why it was left out, or how many due times before it were missed; often empty.
    pub reason: String,
    /// Who asked for it; null when it was due.
    #[schema(required)]
    pub requested_by: Option<String>,
    /// How far its jobs are; null when it was not ordered.
    #[schema(required)]
    pub counts: Option<JobCounts>,
}

impl ScheduleExecution {
    /// Shows a run.
    pub fn new(run: rport_domain::ScheduleRun, counts: Option<rport_domain::JobCounts>) -> Self {
        Self {
            due_at: GoTime(run.due_at.fixed_offset()),
            handled_at: GoTime(run.handled_at.fixed_offset()),
            outcome: run.outcome.as_str().to_owned(),
            multi_job_id: run.multi_job_id.map(|id| id.to_string()),
            reason: run.reason,
            requested_by: run.requested_by.map(|user| user.to_string()),
            counts: counts.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members of the Go server in its order; ours come last.
    #[test]
    fn members_come_in_the_go_servers_order() {
        let at = DateTime::parse_from_rfc3339("2026-11-23T16:29:04.2364Z").expect("a time");
        let mut schedule = rport_domain::Schedule {
            id: "1-2".into(),
            created_at: at,
            created_by: "admin".into(),
            definition: ScheduleDefinition {
                name: "n".into(),
                schedule: "@daily".into(),
                targets: JobTargets {
                    client_ids: vec!["c1".into()],
                    ..JobTargets::default()
                },
                ..ScheduleDefinition::default()
            },
        };
        schedule.definition.order.command = "id".into();
        let last = rport_domain::LastExecution {
            started_at: at,
            client_count: 2,
            success_count: 1,
            status: None,
            summary: None,
        };
        let shown = Schedule::new(schedule.clone(), None, Some(last), &[at]);
        let expected = concat!(
            r#"{"id":"1-2","created_at":"2026-11-23T16:29:04.2364Z","created_by":"admin","name":"n","#,
            r#""schedule":"@daily","type":"command","client_ids":["c1"],"group_ids":null,"tags":null,"#,
            r#""command":"id","interpreter":"","cwd":"","is_sudo":false,"timeout_sec":0,"#,
            r#""execute_concurrently":false,"abort_on_error":null,"overlaps":false,"#,
            r#""last_execution":{"started_at":"2026-11-23T16:29:04.2364Z","client_count":2,"success_count":1,"#,
            r#""status":null,"summary":null},"#,
            r#""time_zone":null,"jitter_sec":0,"missed":"skip","paused":false,"queue_if_offline":false,"#,
            r#""expires":null,"parameters":null,"max_concurrent":null,"next_runs":["2026-11-23T16:29:04.236400Z"]}"#,
        );
        assert_eq!(serde_json::to_string(&shown).expect("JSON"), expected);
        schedule.definition.order.is_script = true;
        let shown = serde_json::to_value(Schedule::new(schedule, None, None, &[])).expect("JSON");
        assert_eq!(
            (&shown["script"], shown.get("command")),
            (&Value::from("aWQ="), None)
        );
    }

    #[test]
    fn durations_look_like_go() {
        for (millis, text) in [
            (500, "0.5s"),
            (60_000, "1m0s"),
            (5_400_000, "1h30m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
