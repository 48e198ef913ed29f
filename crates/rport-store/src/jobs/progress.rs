//! The way of a job from its order to its result.

use chrono::{DateTime, FixedOffset};
use rport_domain::{ClientId, Job, JobId, JobStatus};
use rusqlite::{Connection, OptionalExtension, params};

use super::records::{Finish, FinishedJob, JobPhase, MultiJobPhase};
use super::{Jobs, rows};
use crate::error::StoreError;

impl Jobs {
    /// Notes that the client is about to be asked. `false`, and nothing is changed, if the job does not wait any more.
    pub async fn take(&self, id: &JobId) -> Result<bool, StoreError> {
        self.step(
            id,
            (JobStatus::Waiting, JobPhase::Waiting),
            (JobStatus::Running, JobPhase::Sending),
        )
        .await
    }

    /// Takes [`Self::take`] back: the client was not reached. `false`, and nothing is changed, if the job has got
    /// further, or is over.
    pub async fn put_back(&self, id: &JobId) -> Result<bool, StoreError> {
        self.step(
            id,
            (JobStatus::Running, JobPhase::Sending),
            (JobStatus::Waiting, JobPhase::Waiting),
        )
        .await
    }

    async fn step(
        &self,
        id: &JobId,
        from: (JobStatus, JobPhase),
        to: (JobStatus, JobPhase),
    ) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| {
                let moved = connection
                    .prepare_cached("UPDATE job_orders SET phase = ?3 WHERE jid = ?1 AND phase = ?2")?
                    .execute([&id, from.1.as_str(), to.1.as_str()])?;
                if moved == 0 {
                    return Ok(false);
                }
                connection
                    .prepare_cached("UPDATE jobs SET status = ?3 WHERE jid = ?1 AND status = ?2")?
                    .execute([&id, from.0.as_str(), to.0.as_str()])?;
                Ok(true)
            })
            .await
    }

    /// Notes that the client started the job. `false`, and nothing is changed, if the job is over: the result of a
    /// short one overtakes the answer.
    pub async fn started(
        &self,
        id: &JobId,
        pid: i64,
        started_at: DateTime<FixedOffset>,
    ) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| {
                let Some(mut job) = find(connection, &id)?.filter(|job| !job.status.is_final()) else {
                    return Ok(false);
                };
                job.status = JobStatus::Running;
                job.pid = Some(pid);
                job.started_at = started_at;
                rows::put_job(connection, &job)?;
                connection
                    .prepare_cached("UPDATE job_orders SET phase = ?2 WHERE jid = ?1")?
                    .execute([&id, JobPhase::Started.as_str()])?;
                Ok(true)
            })
            .await
    }

    /// Keeps what a client reports about the end of a job. What was ordered stays as it was.
    ///
    /// A job that was ended without the client ([`Self::end`]) takes a result that still comes; whoever called it has
    /// to know whether its error is worth keeping.
    pub async fn finish(&self, client: &ClientId, finished: FinishedJob) -> Result<Finish, StoreError> {
        let client = client.clone();
        self.database
            .write(move |connection| {
                let known = find(connection, finished.id.as_str())?;
                let Some(mut job) = known.filter(|job| job.client_id == client) else {
                    return Ok(Finish::Foreign);
                };
                if job.status.is_final() && (job.result.is_some() || finished.result.is_none()) {
                    return Ok(Finish::Repeated);
                }
                job.status = finished.status;
                job.pid = finished.pid.or(job.pid);
                job.started_at = finished.started_at.unwrap_or(job.started_at);
                job.finished_at = Some(finished.finished_at);
                job.error = finished.error;
                job.result = finished.result;
                end(connection, &job)?;
                Ok(Finish::Stored(job))
            })
            .await
    }

    /// Ends jobs without a result, those that are not over, and returns them as they are now.
    pub async fn end(
        &self,
        ids: &[JobId],
        status: JobStatus,
        error: &str,
        at: DateTime<FixedOffset>,
    ) -> Result<Vec<Job>, StoreError> {
        let (ids, error) = (ids.to_vec(), error.to_owned());
        self.database
            .write(move |connection| {
                let mut ended = Vec::new();
                for id in &ids {
                    let known = find(connection, id.as_str())?;
                    let Some(mut job) = known.filter(|job| !job.status.is_final()) else {
                        continue;
                    };
                    job.status = status;
                    job.finished_at = Some(at);
                    job.error.clone_from(&error);
                    self::end(connection, &job)?;
                    ended.push(job);
                }
                Ok(ended)
            })
            .await
    }

    /// Notes how far a multi-job is.
    pub async fn end_multi(&self, id: &JobId, phase: MultiJobPhase) -> Result<(), StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE multi_job_extras SET phase = ?2 WHERE jid = ?1")?
                    .execute(params![id, phase.as_str()])?;
                Ok(())
            })
            .await
    }
}

/// Writes a job that is over.
fn end(connection: &Connection, job: &Job) -> rusqlite::Result<()> {
    rows::put_job(connection, job)?;
    connection
        .prepare_cached("DELETE FROM job_orders WHERE jid = ?1")?
        .execute([job.id.as_str()])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Job>> {
    let (columns, table) = (rows::JOB_COLUMNS, rows::JOBS);
    connection
        .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE jid = ?1"))?
        .query_row([id], rows::job)
        .optional()
}
