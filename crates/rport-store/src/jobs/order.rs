//! What is written before any client is asked.

use rusqlite::{Connection, ErrorCode, params};

use super::records::{JobPhase, NewJobs, StartRule};
use super::{Jobs, rows};
use crate::error::StoreError;

impl Jobs {
    /// Keeps an order: all of its jobs and its multi-job, or nothing.
    ///
    /// # Errors
    /// Also when one of the ids is taken.
    pub async fn order(&self, new: NewJobs) -> Result<(), StoreError> {
        self.database
            .write(move |connection| insert(connection, &new))
            .await
    }
}

fn insert(connection: &Connection, new: &NewJobs) -> rusqlite::Result<()> {
    let NewJobs { multi, jobs, start } = new;
    if let Some((multi, extras)) = multi {
        let start = extras.start.as_ref().unwrap_or(start);
        rows::insert_multi_job(connection, multi, extras, start)?;
    }
    for (position, job) in (0..).zip(jobs) {
        if exists(connection, job.id.as_str())? {
            let taken = rusqlite::ffi::Error {
                code: ErrorCode::ConstraintViolation,
                extended_code: rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
            };
            let text = format!("the job id {} is taken", job.id);
            return Err(rusqlite::Error::SqliteFailure(taken, Some(text)));
        }
        rows::put_job(connection, job)?;
        if !job.status.is_final() {
            insert_order(connection, job.id.as_str(), position, start)?;
        }
    }
    Ok(())
}

fn exists(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM jobs WHERE jid = ?1")?
        .exists([id])
}

fn insert_order(connection: &Connection, id: &str, position: i64, start: &StartRule) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO job_orders (jid, position, phase, not_after, queue, stream)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id,
            position,
            JobPhase::Waiting.as_str(),
            start.not_after.timestamp_micros(),
            start.queue,
            start.stream,
        ])?;
    Ok(())
}
