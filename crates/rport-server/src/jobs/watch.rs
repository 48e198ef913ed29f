//! Somebody who watches jobs.

use std::collections::HashSet;
use std::sync::Arc;

use rport_domain::{Job, JobId};

use super::Inner;
use super::news::JobNews;
use super::watchers::{Queue, Queued};
use crate::actor::Actor;

/// Hears of jobs until all of them have ended. A slow one loses output and is told how much; nobody waits for it.
pub struct JobWatch {
    jobs: Arc<Inner>,
    /// The job or multi-job.
    id: JobId,
    /// Taken when it is dropped.
    queue: Option<Arc<Queue>>,
    /// Jobs whose end was not told yet.
    pending: HashSet<JobId>,
    /// The job whose end is being read.
    reading: Option<JobId>,
}

impl std::fmt::Debug for JobWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobWatch")
            .field("id", &self.id)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        self.queue = None;
        self.jobs.watchers.leave(&self.id);
    }
}

impl JobWatch {
    /// Begins to listen. Jobs are expected with [`Self::expect`].
    pub(super) fn new(jobs: Arc<Inner>, id: JobId) -> Self {
        Self {
            queue: Some(jobs.watchers.join(&id)),
            jobs,
            id,
            pending: HashSet::new(),
            reading: None,
        }
    }

    /// Waits for the end of a job, which may have come already.
    pub(super) fn expect(&mut self, id: JobId, has_ended: bool) {
        if has_ended && let Some(queue) = &self.queue {
            queue.finished(&id);
        }
        self.pending.insert(id);
    }

    /// The next news that `actor` may hear; `None` when all has ended. Cancel-safe.
    ///
    /// Of a client that the actor may not access any more nothing is told.
    pub async fn next(&mut self, actor: &Actor) -> Option<JobNews> {
        loop {
            if let Some(id) = self.reading.clone() {
                let job = self.read(&id).await;
                self.reading = None;
                if let Some(job) = job.filter(|job| self.jobs.may_see(actor, &job.client_id)) {
                    return Some(JobNews::Finished(Arc::new(job)));
                }
            }
            if self.pending.is_empty() {
                return None;
            }
            let queued = self.queue.as_ref()?.next().await;
            match queued {
                Queued::Finished(id) => {
                    if self.pending.remove(&id) {
                        self.reading = Some(id);
                    }
                }
                Queued::Chunk { facts, stream, text } => {
                    if self.pending.contains(&facts.id) && self.jobs.may_see(actor, &facts.client) {
                        return Some(JobNews::Chunk {
                            job: facts.id.clone(),
                            client: facts.client.clone(),
                            client_name: facts.client_name.clone(),
                            stream,
                            text: text.to_string(),
                        });
                    }
                }
                Queued::Skipped { facts, bytes } => {
                    if self.pending.contains(&facts.id) && self.jobs.may_see(actor, &facts.client) {
                        return Some(JobNews::Skipped {
                            job: facts.id.clone(),
                            client: facts.client.clone(),
                            client_name: facts.client_name.clone(),
                            bytes,
                        });
                    }
                }
            }
        }
    }

    async fn read(&self, id: &JobId) -> Option<Job> {
        match self.jobs.store.find(id).await {
            Ok(job) => job,
            Err(error) => {
                tracing::error!(job.id = %id, %error, "the end of a job cannot be shown to who watches it");
                None
            }
        }
    }
}
