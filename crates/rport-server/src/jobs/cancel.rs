//! Ends jobs because a user wants it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rport_domain::{ClientId, Error, Job, JobCounts, JobId, JobStatus};
use rport_protocol::to_client::{AbortCmd, AbortState};
use rport_store::MultiJobPhase;

use super::results::cancelled_by;
use super::table::{Facts, Stage};
use super::{Inner, Jobs, job_not_found, kinds};
use crate::actor::Actor;
use crate::clients::AskError;

/// How long an agent may take to say what it knows of a job.
pub(super) const ABORT_LIMIT: Duration = Duration::from_secs(10);
/// Most agents that are asked at the same time.
const AT_ONCE: usize = 64;

/// What can be done about a job.
enum Way {
    /// It does not run, and nobody starts it any more.
    End,
    /// Its agent has to end it.
    Ask(Arc<Facts>),
    /// It has ended.
    Over,
    /// It is about to be started, or its end is being written.
    Busy,
}

impl Jobs {
    /// Ends a job: one that waits is not started any more, one that runs is ended by its agent.
    ///
    /// Returns when the job will not be started, or when its agent is about to end it; its result follows.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` when it has ended, or when its agent cannot end it.
    pub async fn cancel(&self, actor: &Actor, client: &ClientId, id: &JobId) -> Result<(), Error> {
        let job = self.get(actor, client, id).await?;
        if job.status.is_final() {
            return Err(over());
        }
        self.inner.cancel(actor, id).await?;
        self.inner.note_cancel(actor, &job).await;
        Ok(())
    }

    /// Ends a multi-job: no further job of it is started, and those that run are ended where that is possible. Returns
    /// how far it is.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn cancel_multi(&self, actor: &Actor, id: &JobId) -> Result<JobCounts, Error> {
        kinds(actor)?;
        let inner = &self.inner;
        let (multi, _) = inner.own_multi(actor, id).await?;
        actor.require(multi.order.kind().permission())?;
        let (waiting, open) = {
            let mut table = inner.table.lock();
            (table.stop(id), table.jobs_of(id))
        };
        let was_open = !open.is_empty();
        if was_open {
            inner.store.end_multi(id, MultiJobPhase::Cancelled).await?;
            tracing::info!(multi_job.id = %id, user.name = %actor.user, "multi-job cancelled");
        }
        let error = cancelled_by(actor.user.as_str());
        let ended = inner.end_and(&waiting, JobStatus::Failed, &error, false).await;
        if !ended {
            return Err(Error::unavailable(
                "the end of the jobs could not be saved, try again later",
            ));
        }
        stream::iter(open)
            .for_each_concurrent(AT_ONCE, |job| async move {
                if let Err(error) = inner.cancel(actor, &job).await {
                    tracing::debug!(job.id = %job, %error, "a job of a cancelled multi-job runs on");
                }
            })
            .await;
        if was_open {
            inner.note_cancel_multi(actor, &multi).await;
        }
        Ok(inner.store.counts(id).await?)
    }
}

impl Inner {
    async fn cancel(self: &Arc<Self>, actor: &Actor, id: &JobId) -> Result<(), Error> {
        match self.way(id) {
            Way::Over => Err(over()),
            Way::Busy => Err(Error::conflict("The job is being started or ended, try again.")),
            Way::End => {
                let error = cancelled_by(actor.user.as_str());
                let ids = std::slice::from_ref(id);
                if self.end_and(ids, JobStatus::Failed, &error, false).await {
                    Ok(())
                } else {
                    Err(Error::unavailable(
                        "the end of the job could not be saved, try again later",
                    ))
                }
            }
            Way::Ask(facts) => self.abort(actor, &facts).await,
        }
    }

    fn way(&self, id: &JobId) -> Way {
        let mut table = self.table.lock();
        if table.begin_ending(id) {
            return Way::End;
        }
        let Some(open) = table.get(id) else {
            return Way::Over;
        };
        match open.stage {
            Stage::Running { .. } | Stage::Uncertain | Stage::Starting { asked: true } => {
                Way::Ask(open.facts.clone())
            }
            Stage::Waiting | Stage::Starting { asked: false } | Stage::Ending => Way::Busy,
        }
    }

    async fn abort(self: &Arc<Self>, actor: &Actor, facts: &Arc<Facts>) -> Result<(), Error> {
        let id = &facts.id;
        let Some(link) = self.link(facts) else {
            let uncertain = self
                .table
                .lock()
                .get(id)
                .is_some_and(|open| open.stage == Stage::Uncertain);
            if uncertain {
                // Never asked for again. If it runs all the same, its result will say so.
                let error = format!(
                    "{}; the client is not connected and may have started it",
                    cancelled_by(actor.user.as_str())
                );
                self.end_and(std::slice::from_ref(id), JobStatus::Failed, &error, false)
                    .await;
                return Ok(());
            }
            return Err(Error::conflict(
                "The client is not connected, so the job cannot be ended now.",
            ));
        };
        let cannot = || Error::conflict("The agent of this client cannot end a job that runs.");
        if !link.connection.peer_is_ours() {
            return Err(cannot());
        }
        // Before the agent is asked: the result may come before its answer.
        let previous = {
            let mut table = self.table.lock();
            let Some(open) = table.get_mut(id) else {
                return Err(over());
            };
            open.cancelled_by.replace(actor.user.clone())
        };
        let abort = AbortCmd { jid: id.to_string() };
        let answer = link.ask(&abort, ABORT_LIMIT).await;
        if matches!(&answer, Ok(reply) if reply.state == AbortState::Aborting) {
            tracing::info!(job.id = %id, client.id = %facts.client, user.name = %actor.user, "job is being ended by user");
            return Ok(());
        }
        let stage = {
            let mut table = self.table.lock();
            let open = table.get_mut(id);
            open.map(|open| {
                open.cancelled_by = previous;
                open.stage
            })
        };
        match (answer, stage) {
            (Ok(reply), Some(Stage::Running { .. } | Stage::Uncertain))
                if reply.state == AbortState::Unknown =>
            {
                let user = cancelled_by(actor.user.as_str());
                let error = format!("{user}; the client does not know the job");
                self.end_and(std::slice::from_ref(id), JobStatus::Failed, &error, false)
                    .await;
                Ok(())
            }
            (Ok(_), Some(Stage::Starting { .. })) => {
                Err(Error::conflict("The job is being started or ended, try again."))
            }
            (Ok(_), _) => Err(over()),
            (Err(error @ AskError::Refused(_)), _) if error.is_unknown_request() => Err(cannot()),
            (Err(error), _) => Err(error.for_client(&facts.client)),
        }
    }
}

fn over() -> Error {
    Error::conflict("The job has ended already.")
}

/// The answer for a job that cannot be found where it is looked for.
pub(super) fn belongs_to(job: Option<Job>, client: &ClientId, id: &JobId) -> Result<Job, Error> {
    job.filter(|job| job.client_id == *client)
        .ok_or_else(|| job_not_found(id))
}
