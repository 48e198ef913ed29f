//! Rows of `jobs.db`, read and written. Source: storage.md 4.1 and 5.3.
//!
//! One odd row must not hide the others: what cannot be read is empty, an unknown status reads as `unknown`.
//!
//! Differs from RPort: times are written in UTC, whatever zone a client is in, since lists compare them as texts.

use chrono::{DateTime, FixedOffset, Utc};
use rport_domain::{
    Job, JobOrder, JobPace, JobStatus, JobTargets, LibraryKind, MultiJob, TagOperator, TagTargets,
};
use rport_protocol::{JobResult, json};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::records::{MultiJobExtras, MultiJobPhase, StartRule};
use crate::go_time::GoTime;

/// Jobs with the schedule of their multi-job. A subquery, so that names of columns are unambiguous outside. Quotes
/// inside a JSON text are escaped, so the sought member is found nowhere else.
pub(super) const JOBS: &str = r#"(
    SELECT j.jid, j.status, j.started_at, j.finished_at, j.created_by, j.client_id, j.multi_job_id, j.details,
        m.schedule_id, CASE WHEN instr(j.details, '"is_script":true') > 0 THEN 'script' ELSE 'command' END AS kind
    FROM jobs AS j LEFT JOIN multi_jobs AS m ON m.jid = j.multi_job_id)"#;

/// What [`job`] reads.
pub(super) const JOB_COLUMNS: &str =
    "jid, status, started_at, finished_at, created_by, client_id, multi_job_id, details, schedule_id";

/// Multi-jobs with what we know beyond the Go server's table. Those of a Go server are scripts if one of their jobs is.
pub(super) const MULTI_JOBS: &str = r#"(
    SELECT m.jid, m.started_at, m.created_by, m.schedule_id, m.details,
        e.at_once, e.phase, e.not_after, e.queue, e.stream,
        COALESCE(e.kind, (
            SELECT CASE WHEN instr(j.details, '"is_script":true') > 0 THEN 'script' ELSE 'command' END
            FROM jobs AS j WHERE j.multi_job_id = m.jid LIMIT 1), 'command') AS kind
    FROM multi_jobs AS m LEFT JOIN multi_job_extras AS e ON e.jid = m.jid)"#;

/// What [`multi_job`] reads.
pub(super) const MULTI_JOB_COLUMNS: &str =
    "jid, started_at, created_by, schedule_id, details, kind, at_once, phase, not_after, queue, stream";

/// `jobs.details`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    command: String,
    cwd: String,
    is_sudo: bool,
    is_script: bool,
    interpreter: String,
    pid: Option<i64>,
    timeout_sec: i64,
    error: String,
    result: Option<JobResult>,
    client_name: String,
}

/// `multi_jobs.details`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MultiDetails {
    client_ids: Option<Vec<String>>,
    group_ids: Option<Vec<String>>,
    tags: Option<Tags>,
    command: String,
    interpreter: String,
    cwd: String,
    is_sudo: bool,
    timeout_sec: i64,
    concurrent: bool,
    abort_on_err: bool,
}

/// Clients by tags, as the API takes them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Tags {
    tags: Option<Vec<String>>,
    operator: String,
}

/// Reads [`JOB_COLUMNS`].
pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    job_of(row, details(row, 7)?)
}

/// The same without a look at the details, whose members are empty then.
pub(super) fn job_without_details(row: &Row<'_>) -> rusqlite::Result<Job> {
    job_of(row, Details::default())
}

fn job_of(row: &Row<'_>, details: Details) -> rusqlite::Result<Job> {
    Ok(Job {
        id: text(row, 0)?.into(),
        status: text(row, 1)?.parse().unwrap_or(JobStatus::Unknown),
        started_at: time(row, 2)?.unwrap_or_else(|| GoTime::zero().0),
        finished_at: time(row, 3)?,
        created_by: text(row, 4)?.into(),
        client_id: text(row, 5)?.into(),
        client_name: details.client_name,
        multi_job_id: some_text(row, 6)?.map(Into::into),
        schedule_id: some_text(row, 8)?.map(Into::into),
        order: JobOrder {
            command: details.command,
            interpreter: details.interpreter,
            cwd: details.cwd,
            is_sudo: details.is_sudo,
            is_script: details.is_script,
            timeout_sec: details.timeout_sec,
        },
        pid: details.pid,
        error: details.error,
        result: details.result,
    })
}

/// Writes a job over what there is of it.
pub(super) fn put_job(connection: &Connection, job: &Job) -> rusqlite::Result<()> {
    let details = Details {
        command: job.order.command.clone(),
        cwd: job.order.cwd.clone(),
        is_sudo: job.order.is_sudo,
        is_script: job.order.is_script,
        interpreter: job.order.interpreter.clone(),
        pid: job.pid,
        timeout_sec: job.order.timeout_sec,
        error: job.error.clone(),
        result: job.result.clone(),
        client_name: job.client_name.clone(),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO jobs
                 (jid, status, started_at, finished_at, created_by, client_id, multi_job_id, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            job.id.as_str(),
            job.status.as_str(),
            in_utc(job.started_at),
            job.finished_at.map(in_utc),
            job.created_by.as_str(),
            job.client_id.as_str(),
            job.multi_job_id.as_ref().map(|id| id.as_str()),
            json::encode_string(&details),
        ])?;
    Ok(())
}

/// Reads [`MULTI_JOB_COLUMNS`].
pub(super) fn multi_job(row: &Row<'_>) -> rusqlite::Result<(MultiJob, MultiJobExtras)> {
    let details: MultiDetails = details(row, 4)?;
    let at_once: Option<i64> = row.get(6)?;
    let at_once = at_once.and_then(|number| usize::try_from(number).ok());
    let multi = MultiJob {
        id: text(row, 0)?.into(),
        started_at: time(row, 1)?.unwrap_or_else(|| GoTime::zero().0),
        created_by: text(row, 2)?.into(),
        schedule_id: some_text(row, 3)?.map(Into::into),
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
            command: details.command,
            interpreter: details.interpreter,
            cwd: details.cwd,
            is_sudo: details.is_sudo,
            is_script: text(row, 5)? == LibraryKind::Script.as_str(),
            timeout_sec: details.timeout_sec,
        },
        pace: JobPace {
            at_once: if details.concurrent { at_once } else { Some(1) },
            abort_on_error: details.abort_on_err,
        },
    };
    let extras = match some_text(row, 7)? {
        Some(phase) => MultiJobExtras {
            phase: MultiJobPhase::of(&phase),
            start: Some(start_rule(row, 8)?),
        },
        None => MultiJobExtras {
            phase: MultiJobPhase::Done,
            start: None,
        },
    };
    Ok((multi, extras))
}

/// Adds a multi-job.
pub(super) fn insert_multi_job(
    connection: &Connection,
    multi: &MultiJob,
    extras: &MultiJobExtras,
    start: &StartRule,
) -> rusqlite::Result<()> {
    let texts = |ids: Vec<&str>| (!ids.is_empty()).then(|| ids.into_iter().map(str::to_owned).collect());
    let targets = &multi.targets;
    let details = MultiDetails {
        client_ids: texts(targets.client_ids.iter().map(|id| id.as_str()).collect()),
        group_ids: texts(targets.group_ids.iter().map(|id| id.as_str()).collect()),
        tags: targets.tags.as_ref().map(|tags| Tags {
            tags: Some(tags.tags.clone()),
            operator: match tags.operator {
                TagOperator::And => "AND".to_owned(),
                TagOperator::Or => "OR".to_owned(),
            },
        }),
        command: multi.order.command.clone(),
        interpreter: multi.order.interpreter.clone(),
        cwd: multi.order.cwd.clone(),
        is_sudo: multi.order.is_sudo,
        timeout_sec: multi.order.timeout_sec,
        concurrent: multi.pace.at_once != Some(1),
        abort_on_err: multi.pace.abort_on_error,
    };
    connection
        .prepare_cached(
            "INSERT INTO multi_jobs (jid, started_at, created_by, details, schedule_id)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            multi.id.as_str(),
            in_utc(multi.started_at),
            multi.created_by.as_str(),
            json::encode_string(&details),
            multi.schedule_id.as_ref().map(|id| id.as_str()),
        ])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO multi_job_extras (jid, kind, at_once, phase, not_after, queue, stream)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            multi.id.as_str(),
            multi.order.kind().as_str(),
            multi
                .pace
                .at_once
                .map(|number| i64::try_from(number).unwrap_or(i64::MAX)),
            extras.phase.as_str(),
            start.not_after.timestamp_micros(),
            start.queue,
            start.stream,
        ])?;
    Ok(())
}

/// Reads `not_after, queue, stream`, the first of them in column `at`.
pub(super) fn start_rule(row: &Row<'_>, at: usize) -> rusqlite::Result<StartRule> {
    Ok(StartRule {
        not_after: DateTime::from_timestamp_micros(row.get(at)?).unwrap_or(DateTime::<Utc>::MIN_UTC),
        queue: row.get(at + 1)?,
        stream: row.get(at + 2)?,
    })
}

/// A text; what is none, or not there, reads as empty.
pub(super) fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(at)? {
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(_) | ValueRef::Null => String::new(),
    })
}

fn some_text(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(Some(text(row, at)?).filter(|text| !text.is_empty()))
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<DateTime<FixedOffset>>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => None,
        _ => Some(row.get::<_, GoTime>(at).unwrap_or_else(|_| GoTime::zero()).0),
    })
}

fn details<T: serde::de::DeserializeOwned + Default>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text = text(row, at)?;
    Ok(json::decode_str(&text).unwrap_or_else(|error| {
        let id = row.get::<_, String>(0).unwrap_or_default();
        tracing::warn!(%id, %error, "jobs.db: the details of a row cannot be read");
        T::default()
    }))
}

fn ids<T: From<String>>(texts: Option<Vec<String>>) -> Vec<T> {
    texts.unwrap_or_default().into_iter().map(T::from).collect()
}

fn in_utc(time: DateTime<FixedOffset>) -> GoTime {
    GoTime::from(time.to_utc())
}
