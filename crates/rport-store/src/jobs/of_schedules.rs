//! What schedules ask about their runs.

use chrono::{DateTime, TimeDelta, Utc};
use rport_domain::{JobCounts, ListQuery, MultiJob, Page, ScheduleId};
use rusqlite::{Connection, OptionalExtension};

use super::records::{MultiJobExtras, ScheduleRun};
use super::{Jobs, queries, rows};
use crate::error::StoreError;

/// The multi-jobs of a schedule.
const OF_SCHEDULE: &str = "(SELECT jid FROM multi_jobs WHERE schedule_id = ?1)";

impl Jobs {
    /// The newest run of a schedule.
    pub async fn last_of_schedule(&self, schedule: &ScheduleId) -> Result<Option<ScheduleRun>, StoreError> {
        let schedule = schedule.to_string();
        self.database
            .read(move |connection| last(connection, &schedule))
            .await
    }

    /// A page of the runs of a schedule, with how far they are. `query` was read with
    /// [`rport_domain::MULTI_JOB_LIST`].
    pub async fn runs_of_schedule(
        &self,
        schedule: &ScheduleId,
        query: &ListQuery,
    ) -> Result<Page<(MultiJob, MultiJobExtras, JobCounts)>, StoreError> {
        let (schedule, query) = (schedule.to_string(), query.clone());
        self.database
            .read(move |connection| queries::list_multi(connection, &query, &[("schedule_id", &schedule)]))
            .await
    }

    /// Whether a run of a schedule is not over. Jobs that a Go server left unfinished count until their time limit has
    /// passed, as they did there: nobody watches over them.
    pub async fn has_unfinished(
        &self,
        schedule: &ScheduleId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let schedule = schedule.to_string();
        self.database
            .read(move |connection| {
                let ours = connection
                    .prepare_cached(&format!(
                        "SELECT 1 FROM multi_job_extras WHERE phase = 'running' AND jid IN {OF_SCHEDULE}
                         UNION ALL
                         SELECT 1 FROM jobs AS j JOIN job_orders AS o ON o.jid = j.jid
                         WHERE j.status IN ('waiting', 'running') AND j.multi_job_id IN {OF_SCHEDULE}"
                    ))?
                    .exists([&schedule])?;
                if ours {
                    return Ok(true);
                }
                let (columns, table) = (rows::JOB_COLUMNS, rows::JOBS);
                let mut query = connection.prepare_cached(&format!(
                    "SELECT {columns} FROM {table}
                     WHERE status IN ('waiting', 'running') AND multi_job_id IN {OF_SCHEDULE}"
                ))?;
                let mut rows = query.query([&schedule])?;
                while let Some(row) = rows.next()? {
                    let job = rows::job(row)?;
                    let limit = TimeDelta::try_seconds(job.order.timeout_sec).unwrap_or(TimeDelta::MAX);
                    let until = job.started_at.to_utc().checked_add_signed(limit);
                    if until.is_none_or(|until| until > now) {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await
    }

    /// Deletes all runs of a schedule and returns how many there were, jobs that are not over among them.
    pub async fn delete_of_schedule(&self, schedule: &ScheduleId) -> Result<usize, StoreError> {
        let schedule = schedule.to_string();
        self.database
            .write(move |connection| delete_of_schedule(connection, &schedule))
            .await
    }
}

/// Deletes all runs of a schedule, as a part of what is done in the same transaction.
pub(crate) fn delete_of_schedule(connection: &Connection, schedule: &str) -> rusqlite::Result<usize> {
    for sql in [
        format!(
            "DELETE FROM job_orders WHERE jid IN
                 (SELECT jid FROM jobs WHERE multi_job_id IN {OF_SCHEDULE})"
        ),
        format!("DELETE FROM jobs WHERE multi_job_id IN {OF_SCHEDULE}"),
        format!("DELETE FROM multi_job_extras WHERE jid IN {OF_SCHEDULE}"),
    ] {
        connection.prepare_cached(&sql)?.execute([schedule])?;
    }
    connection
        .prepare_cached("DELETE FROM multi_jobs WHERE schedule_id = ?1")?
        .execute([schedule])
}

fn last(connection: &Connection, schedule: &str) -> rusqlite::Result<Option<ScheduleRun>> {
    let (columns, table) = (rows::MULTI_JOB_COLUMNS, rows::MULTI_JOBS);
    let newest = connection
        .prepare_cached(&format!(
            "SELECT {columns} FROM {table} WHERE schedule_id = ?1 ORDER BY started_at DESC, jid LIMIT 1"
        ))?
        .query_row([schedule], rows::multi_job)
        .optional()?;
    let Some((multi, _)) = newest else { return Ok(None) };
    let counts = queries::counts(connection, multi.id.as_str())?;
    let mut single = None;
    if counts.total == 1 {
        let (columns, table) = (rows::JOB_COLUMNS, rows::JOBS);
        single = connection
            .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE multi_job_id = ?1"))?
            .query_row([multi.id.as_str()], rows::job)
            .optional()?;
        if let Some(result) = single.as_mut().and_then(|job| job.result.as_mut()) {
            (result.stdout, result.stderr) = (String::new(), String::new());
        }
    }
    Ok(Some(ScheduleRun {
        multi,
        counts,
        single,
    }))
}
