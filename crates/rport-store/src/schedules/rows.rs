//! Rows of `schedules` and `schedule_extras`. Source: storage.md 4.1 and 5.3.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rport_domain::list::Value;
use rport_domain::{
    JobOrder, JobTargets, Schedule, ScheduleDefinition, ScheduleExtras, ScheduleParameter, TagOperator,
    TagTargets,
};
use rport_protocol::json;
use rusqlite::{Connection, Row, named_params, params};
use serde::{Deserialize, Serialize};

use super::ScheduleProgress;
use crate::go_time::GoTime;

/// Schedules with what the Go server does not know of them.
pub(super) const SCHEDULES: &str = "(
    SELECT s.rowid AS place, s.id, s.created_at, s.created_by, s.name, s.schedule, s.type, s.details,
        e.schedule AS known_schedule, e.since, e.done_until, e.jitter_sec, e.missed, e.paused, e.queue_if_offline,
        e.expires, e.parameters, e.max_concurrent
    FROM schedules AS s LEFT JOIN schedule_extras AS e ON e.schedule_id = s.id)";

/// What [`schedule`] reads.
pub(super) const COLUMNS: &str = "id, created_at, created_by, name, schedule, type, details, known_schedule, since, \
     done_until, jitter_sec, missed, paused, queue_if_offline, expires, parameters, max_concurrent";

/// `schedules.details`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    client_ids: Option<Vec<String>>,
    group_ids: Option<Vec<String>>,
    tags: Option<Tags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    interpreter: String,
    cwd: String,
    is_sudo: bool,
    timeout_sec: i64,
    execute_concurrently: bool,
    abort_on_error: Option<bool>,
    overlaps: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Tags {
    tags: Option<Vec<String>>,
    operator: String,
}

/// A value of `schedule_extras.parameters`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Parameter {
    Text(String),
    Vault { vault: String },
}

/// Reads [`COLUMNS`]. What cannot be read is empty: one odd row must not hide the others.
pub(super) fn schedule(row: &Row<'_>) -> rusqlite::Result<(Schedule, Option<ScheduleProgress>)> {
    let text = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(at)?.unwrap_or_default());
    let id = text(0)?;
    let details: Details = json::decode_str(&text(6)?).unwrap_or_else(|error| {
        tracing::warn!(schedule.id = id, %error, "jobs.db: the details of a schedule cannot be read");
        Details::default()
    });
    let is_script = text(5)? == "script";
    let schedule = Schedule {
        created_at: row.get::<_, Option<GoTime>>(1)?.unwrap_or_else(GoTime::zero).0,
        created_by: text(2)?.into(),
        definition: ScheduleDefinition {
            name: text(3)?,
            schedule: text(4)?,
            targets: JobTargets {
                client_ids: ids(details.client_ids),
                group_ids: ids(details.group_ids),
                tags: details.tags.map(|tags| TagTargets {
                    tags: tags.tags.unwrap_or_default(),
                    operator: if tags.operator.eq_ignore_ascii_case("and") {
                        TagOperator::And
                    } else {
                        TagOperator::Or
                    },
                }),
            },
            order: JobOrder {
                command: if is_script {
                    ScheduleDefinition::stored_script(&details.script.unwrap_or_default())
                } else {
                    details.command.unwrap_or_default()
                },
                interpreter: details.interpreter,
                cwd: details.cwd,
                is_sudo: details.is_sudo,
                is_script,
                timeout_sec: details.timeout_sec,
            },
            execute_concurrently: details.execute_concurrently,
            abort_on_error: details.abort_on_error,
            overlaps: details.overlaps,
            extras: extras(row)?,
        },
        id: id.into(),
    };
    let known: Option<String> = row.get(7)?;
    let progress = match (row.get::<_, Option<i64>>(8)?, row.get::<_, Option<i64>>(9)?) {
        (Some(since), Some(done_until)) if known.as_ref() == Some(&schedule.definition.schedule) => {
            Some(ScheduleProgress {
                since: instant(since),
                done_until: instant(done_until),
            })
        }
        _ => None,
    };
    Ok((schedule, progress))
}

fn extras(row: &Row<'_>) -> rusqlite::Result<ScheduleExtras> {
    let Some(jitter_sec) = row.get::<_, Option<i64>>(10)? else {
        return Ok(ScheduleExtras::default());
    };
    let missed: String = row.get(11)?;
    let expires: Option<i64> = row.get(14)?;
    let parameters: Option<String> = row.get(15)?;
    let parameters = parameters.and_then(|text| json::decode_str::<BTreeMap<String, Parameter>>(&text).ok());
    let max_concurrent: Option<i64> = row.get(16)?;
    Ok(ScheduleExtras {
        jitter_sec: u64::try_from(jitter_sec).unwrap_or_default(),
        missed: missed.parse().unwrap_or_default(),
        paused: row.get(12)?,
        queue_if_offline: row.get(13)?,
        expires: expires
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map(Duration::from_nanos),
        parameters: parameters.map(|values| {
            let value = |value| match value {
                Parameter::Text(text) => ScheduleParameter::Text(text),
                Parameter::Vault { vault } => ScheduleParameter::Vault(vault),
            };
            values
                .into_iter()
                .map(|(name, given)| (name, value(given)))
                .collect()
        }),
        max_concurrent: max_concurrent.and_then(|limit| u64::try_from(limit).ok()),
    })
}

/// Adds the Go server's row.
pub(super) fn insert(connection: &Connection, schedule: &Schedule) -> rusqlite::Result<()> {
    let definition = &schedule.definition;
    connection
        .prepare_cached(
            "INSERT INTO schedules (id, created_at, created_by, name, schedule, type, details)
             VALUES (:id, :created_at, :created_by, :name, :schedule, :type, :details)",
        )?
        .execute(named_params! {
            ":id": schedule.id.as_str(),
            ":created_at": GoTime(schedule.created_at),
            ":created_by": schedule.created_by.as_str(),
            ":name": definition.name,
            ":schedule": definition.schedule,
            ":type": definition.order.kind().as_str(),
            ":details": details(definition),
        })?;
    Ok(())
}

/// Changes the Go server's row; `false` if there is none.
pub(super) fn update(connection: &Connection, schedule: &Schedule) -> rusqlite::Result<bool> {
    let definition = &schedule.definition;
    let changed = connection
        .prepare_cached(
            "UPDATE schedules SET name = :name, schedule = :schedule, type = :type, details = :details
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": schedule.id.as_str(),
            ":name": definition.name,
            ":schedule": definition.schedule,
            ":type": definition.order.kind().as_str(),
            ":details": details(definition),
        })?;
    Ok(changed > 0)
}

/// Writes our row.
pub(super) fn put_extras(
    connection: &Connection,
    schedule: &Schedule,
    progress: ScheduleProgress,
) -> rusqlite::Result<()> {
    let extras = &schedule.definition.extras;
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let parameters = extras.parameters.as_ref().map(|values| {
        let values: BTreeMap<_, _> = values
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    ScheduleParameter::Text(text) => Parameter::Text(text.clone()),
                    ScheduleParameter::Vault(key) => Parameter::Vault { vault: key.clone() },
                };
                (name, value)
            })
            .collect();
        json::encode_string(&values)
    });
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO schedule_extras (schedule_id, schedule, since, done_until, jitter_sec, missed,
                 paused, queue_if_offline, expires, parameters, max_concurrent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            schedule.id.as_str(),
            schedule.definition.schedule,
            progress.since.timestamp_micros(),
            progress.done_until.timestamp_micros(),
            number(extras.jitter_sec),
            extras.missed.as_str(),
            extras.paused,
            extras.queue_if_offline,
            extras.expires.map(nanos),
            parameters,
            extras.max_concurrent.map(number),
        ])?;
    Ok(())
}

fn details(definition: &ScheduleDefinition) -> String {
    let ScheduleDefinition { targets, order, .. } = definition;
    let texts = |ids: Vec<&str>| (!ids.is_empty()).then(|| ids.into_iter().map(str::to_owned).collect());
    json::encode_string(&Details {
        client_ids: texts(targets.client_ids.iter().map(|id| id.as_str()).collect()),
        group_ids: texts(targets.group_ids.iter().map(|id| id.as_str()).collect()),
        tags: targets.tags.as_ref().map(|tags| Tags {
            tags: Some(tags.tags.clone()),
            operator: match tags.operator {
                TagOperator::And => "AND".to_owned(),
                TagOperator::Or => "OR".to_owned(),
            },
        }),
        command: (!order.is_script).then(|| order.command.clone()),
        script: order.is_script.then(|| definition.script_base64()),
        interpreter: order.interpreter.clone(),
        cwd: order.cwd.clone(),
        is_sudo: order.is_sudo,
        timeout_sec: order.timeout_sec,
        execute_concurrently: definition.execute_concurrently,
        abort_on_error: definition.abort_on_error,
        overlaps: definition.overlaps,
    })
}

pub(super) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn ids<T: From<String>>(texts: Option<Vec<String>>) -> Vec<T> {
    texts.unwrap_or_default().into_iter().map(T::from).collect()
}

/// A schedule whose targets are compared.
pub(super) struct Filtered<'a> {
    schedule: &'a Schedule,
    client_ids: Vec<String>,
    group_ids: Vec<String>,
}

impl<'a> Filtered<'a> {
    pub(super) fn new(schedule: &'a Schedule) -> Self {
        let targets = &schedule.definition.targets;
        Self {
            schedule,
            client_ids: targets.client_ids.iter().map(ToString::to_string).collect(),
            group_ids: targets.group_ids.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn field<'b>(&'b self, name: &str) -> Value<'b> {
        match name {
            "client_ids" => Value::List(&self.client_ids),
            "group_ids" => Value::List(&self.group_ids),
            name => self.schedule.field(name),
        }
    }
}
