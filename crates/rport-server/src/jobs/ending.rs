//! What the end of a job brings about, whoever says that it has ended.

use std::sync::Arc;

use chrono::TimeDelta;
use rport_domain::{Job, JobId, JobStatus};
use rport_store::MultiJobPhase;

use super::Inner;
use super::table::{Begun, Consequences, Facts, Open, Stage};
use crate::metrics_names::JOBS_FINISHED_TOTAL;

/// Pause before the end of a job is written again.
const RETRY: TimeDelta = TimeDelta::seconds(5);

impl Inner {
    /// Ends jobs that have not ended, for a reason that is not their result. Where the disk does not take it, it is
    /// tried again.
    pub(super) async fn end(self: &Arc<Self>, ids: &[JobId], status: JobStatus, error: &str) {
        self.end_and(ids, status, error, true).await;
    }

    /// The same; `stop` says whether a failure counts for those that wait behind.
    pub(super) async fn end_and(
        self: &Arc<Self>,
        ids: &[JobId],
        status: JobStatus,
        error: &str,
        stop: bool,
    ) -> bool {
        let now = self.clock.now_local();
        let ended = match self.store.end(ids, status, error, now).await {
            Ok(ended) => ended,
            Err(problem) => {
                tracing::error!(jobs = ids.len(), error, %problem, "the end of jobs was not stored, it will be tried again");
                self.try_again_later(ids);
                return false;
            }
        };
        for job in &ended {
            tracing::info!(job.id = %job.id, client.id = %job.client_id, job.status = %status, reason = error, "job ended");
            self.ended(job, stop);
        }
        // Whatever had ended before.
        for id in ids {
            self.forget(id);
        }
        true
    }

    fn try_again_later(&self, ids: &[JobId]) {
        let now = self.clock.now();
        let mut table = self.table.lock();
        for id in ids {
            match table.get(id).map(|open| open.stage) {
                Some(Stage::Starting { asked: true }) => table.uncertain(id, Some(now + RETRY), now),
                Some(Stage::Starting { asked: false } | Stage::Ending) => {
                    table.park(id, Some(now + RETRY), now);
                }
                _ => {}
            }
        }
    }

    /// Tells everybody that a job has ended. Its end is on disk.
    pub(super) fn ended(self: &Arc<Self>, job: &Job, stop: bool) {
        metrics::counter!(JOBS_FINISHED_TOTAL, "status" => job.status.as_str()).increment(1);
        let stop = stop && job.status == JobStatus::Failed;
        let removed = self.table.lock().remove(&job.id, stop, self.clock.now());
        self.watchers.finished(&job.id, job.multi_job_id.as_ref());
        self.tell_of(
            &job.id,
            &job.client_id,
            job.multi_job_id.as_ref(),
            job.order.kind(),
        );
        if let Some((open, consequences)) = removed {
            self.follow(open, consequences, job);
        }
    }

    /// Takes a job off the table that had ended already.
    pub(super) fn forget(self: &Arc<Self>, id: &JobId) {
        let removed = self.table.lock().remove(id, false, self.clock.now());
        if let Some((mut open, consequences)) = removed {
            open.answer(Begun::Yes);
            self.multi_ended(consequences.ended);
            self.pump();
        }
    }

    fn follow(self: &Arc<Self>, mut open: Open, consequences: Consequences, job: &Job) {
        open.answer(match job.result {
            None if job.status == JobStatus::Failed => Begun::No(job.error.clone()),
            _ => Begun::Yes,
        });
        let Consequences { stop, ended } = consequences;
        if !stop.is_empty() {
            let error = format!("not started because the job on client {} failed", job.client_id);
            let inner = self.clone();
            self.tasks.spawn("job_stop", async move {
                inner.end(&stop, JobStatus::Failed, &error).await;
            });
        }
        self.multi_ended(ended);
        self.pump();
    }

    fn multi_ended(self: &Arc<Self>, multi: Option<JobId>) {
        let Some(id) = multi else { return };
        tracing::info!(multi_job.id = %id, "multi-job ended");
        let inner = self.clone();
        self.tasks.spawn("multi_job_end", async move {
            if let Err(error) = inner.store.end_multi(&id, MultiJobPhase::Done).await {
                // The next start of the server finds no open job of it and ends it then.
                tracing::error!(multi_job.id = %id, %error, "the end of a multi-job was not stored");
            }
        });
    }

    /// Tells listeners of events that a job has changed.
    pub(super) fn tell(&self, facts: &Facts) {
        self.tell_of(&facts.id, &facts.client, facts.multi.as_ref(), facts.order.kind());
    }
}
