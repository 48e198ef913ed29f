//! What came of due times: rows of `schedule_runs`, and how far schedules have got.

use chrono::{DateTime, Utc};
use rport_domain::{ListQuery, Page, RunOutcome, ScheduleId, ScheduleRun};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Schedules;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::list::ListSource;

const COLUMNS: &str = "due_at, handled_at, outcome, multi_job_id, reason, requested_by";

const LIST: ListSource = ListSource {
    columns: COLUMNS,
    table: "schedule_runs",
    tie: "due_at DESC",
};

/// What became of writing down a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is this caller's to deal with.
    Yours,
    /// Somebody has dealt with it.
    Taken,
    /// There is no such schedule.
    Missing,
}

impl Schedules {
    /// Writes down what is to come, or has come, of a due time, and that everything up to `done_until` is dealt with.
    /// Only the first caller gets [`Claim::Yours`]; for others nothing is written. On disk when it returns.
    pub async fn claim(
        &self,
        id: &ScheduleId,
        run: ScheduleRun,
        done_until: DateTime<Utc>,
    ) -> Result<Claim, StoreError> {
        let id = id.clone();
        self.database
            .write(move |connection| {
                let moved = connection
                    .prepare_cached(
                        "UPDATE schedule_extras SET done_until = ?2
                         WHERE schedule_id = ?1 AND done_until < ?2
                             AND EXISTS (SELECT 1 FROM schedules WHERE id = ?1)",
                    )?
                    .execute(params![id.as_str(), done_until.timestamp_micros()])?;
                if moved == 0 {
                    return Ok(if exists(connection, &id)? {
                        Claim::Taken
                    } else {
                        Claim::Missing
                    });
                }
                insert(connection, &id, &run)?;
                Ok(Claim::Yours)
            })
            .await
    }

    /// Writes down a run that is not due. [`Claim::Taken`]: there is one of the same instant. On disk when it returns.
    pub async fn add_run(&self, id: &ScheduleId, run: ScheduleRun) -> Result<Claim, StoreError> {
        let id = id.clone();
        self.database
            .write(move |connection| {
                if !exists(connection, &id)? {
                    return Ok(Claim::Missing);
                }
                Ok(if insert(connection, &id, &run)? {
                    Claim::Yours
                } else {
                    Claim::Taken
                })
            })
            .await
    }

    /// Writes down what came of a run in the end. On disk when it returns.
    pub async fn settle(
        &self,
        id: &ScheduleId,
        due_at: DateTime<Utc>,
        outcome: RunOutcome,
        reason: &str,
    ) -> Result<(), StoreError> {
        let (id, reason) = (id.clone(), reason.to_owned());
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE schedule_runs SET outcome = ?3, reason = ?4
                         WHERE schedule_id = ?1 AND due_at = ?2",
                    )?
                    .execute(params![
                        id.as_str(),
                        GoTime::from(due_at),
                        outcome.as_str(),
                        reason
                    ])?;
                Ok(())
            })
            .await
    }

    /// Runs of which nobody knows whether they were ordered: the server was killed in between.
    pub async fn unsettled(&self) -> Result<Vec<(ScheduleId, ScheduleRun)>, StoreError> {
        self.database
            .read(|connection| {
                let mut query = connection.prepare(&format!(
                    "SELECT {COLUMNS}, schedule_id FROM schedule_runs WHERE outcome = 'ordering'"
                ))?;
                let all = query.query_map([], |row| {
                    let id: String = row.get(6)?;
                    Ok((id.into(), run(row)?))
                })?;
                all.collect()
            })
            .await
    }

    /// A page of the runs of a schedule. `query` was read with [`rport_domain::SCHEDULE_RUN_LIST`].
    pub async fn runs(&self, id: &ScheduleId, query: &ListQuery) -> Result<Page<ScheduleRun>, StoreError> {
        let (id, query) = (id.clone(), query.clone());
        self.database
            .read(move |connection| LIST.page(connection, &query, &[("schedule_id", id.as_str())], run))
            .await
    }

    /// Forgets all but the newest runs of each schedule; `keep` is how many. Returns how many were forgotten.
    pub async fn remove_old_runs(&self, keep: usize) -> Result<usize, StoreError> {
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "DELETE FROM schedule_runs WHERE (schedule_id, due_at) IN (
                             SELECT schedule_id, due_at FROM (
                                 SELECT schedule_id, due_at, outcome,
                                     ROW_NUMBER() OVER (PARTITION BY schedule_id ORDER BY due_at DESC) AS place
                                 FROM schedule_runs)
                             WHERE place > ?1 AND outcome <> 'ordering')",
                    )?
                    .execute([keep])
            })
            .await
    }
}

fn exists(connection: &Connection, id: &ScheduleId) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached("SELECT 1 FROM schedules WHERE id = ?1")?
        .query_row([id.as_str()], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

fn insert(connection: &Connection, id: &ScheduleId, run: &ScheduleRun) -> rusqlite::Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO schedule_runs
                 (schedule_id, due_at, handled_at, outcome, multi_job_id, reason, requested_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            id.as_str(),
            GoTime::from(run.due_at),
            GoTime::from(run.handled_at),
            run.outcome.as_str(),
            run.multi_job_id.as_ref().map(|id| id.as_str()),
            run.reason,
            run.requested_by.as_ref().map(|user| user.as_str()),
        ])?;
    Ok(inserted > 0)
}

/// Reads [`COLUMNS`].
fn run(row: &Row<'_>) -> rusqlite::Result<ScheduleRun> {
    let outcome: String = row.get(2)?;
    Ok(ScheduleRun {
        due_at: row.get::<_, GoTime>(0)?.0.to_utc(),
        handled_at: row.get::<_, GoTime>(1)?.0.to_utc(),
        outcome: outcome.parse().unwrap_or(RunOutcome::Skipped),
        multi_job_id: row.get::<_, Option<String>>(3)?.map(Into::into),
        reason: row.get(4)?,
        requested_by: row.get::<_, Option<String>>(5)?.map(Into::into),
    })
}
