//! What is deleted when there is too much.
//!
//! Source: storage.md 11. Differs from RPort: what is not over is kept, a multi-job goes only when all of its jobs are
//! among the old ones, and ages are compared as instants.

use rusqlite::{Connection, OptionalExtension};

use super::Jobs;
use crate::error::StoreError;

impl Jobs {
    /// Keeps the `keep_newest` jobs that were started last and deletes older ones that are over, with the multi-jobs
    /// that have no other. Returns how many jobs were deleted.
    /// Of those that were started at the same moment as the oldest one kept, all are kept.
    pub async fn remove_old(&self, keep_newest: usize) -> Result<usize, StoreError> {
        let keep = i64::try_from(keep_newest).unwrap_or(i64::MAX);
        self.database
            .write(move |connection| remove_old(connection, keep))
            .await
    }
}

fn remove_old(connection: &Connection, keep: i64) -> rusqlite::Result<usize> {
    // The oldest job that is kept. Unreadable times are the oldest of all.
    let oldest: Option<f64> = if keep == 0 {
        Some(f64::MAX)
    } else {
        connection
            .query_row(
                "SELECT COALESCE(julianday(started_at), 0) AS age FROM jobs ORDER BY age DESC LIMIT 1 OFFSET ?1",
                [keep - 1],
                |row| row.get(0),
            )
            .optional()?
    };
    let Some(oldest) = oldest else { return Ok(0) };
    let old = "COALESCE(julianday(started_at), 0) < ?1";
    connection.execute(
        &format!(
            "CREATE TEMP TABLE old_multi_jobs AS
             SELECT m.jid FROM multi_jobs AS m LEFT JOIN multi_job_extras AS e ON e.jid = m.jid
             WHERE {} AND COALESCE(e.phase, '') != 'running' AND NOT EXISTS (
                 SELECT 1 FROM jobs AS j WHERE j.multi_job_id = m.jid
                     AND (j.status IN ('waiting', 'running') OR NOT {}))",
            old.replace("started_at", "m.started_at"),
            old.replace("started_at", "j.started_at"),
        ),
        [oldest],
    )?;
    let of_multi_jobs = connection.execute(
        "DELETE FROM jobs WHERE multi_job_id IN (SELECT jid FROM temp.old_multi_jobs)",
        [],
    )?;
    for table in ["multi_jobs", "multi_job_extras"] {
        connection.execute(
            &format!("DELETE FROM {table} WHERE jid IN (SELECT jid FROM temp.old_multi_jobs)"),
            [],
        )?;
    }
    connection.execute("DROP TABLE temp.old_multi_jobs", [])?;
    let single = connection.execute(
        &format!(
            "DELETE FROM jobs WHERE {old} AND status NOT IN ('waiting', 'running')
                 AND (multi_job_id IS NULL OR multi_job_id NOT IN (SELECT jid FROM multi_jobs))"
        ),
        [oldest],
    )?;
    Ok(of_multi_jobs + single)
}
