//! What the last life of the server left behind.

use std::sync::Arc;

use rport_domain::{Error, MissedRuns, RunOutcome, ScheduleId, ScheduleRun};
use rport_runtime::Tasks;
use rport_store::{ScheduleProgress, StoreError};

use super::LATE;
use super::service::Inner;

impl Inner {
    /// Puts all schedules on the board. Those of a Go server begin now: what they missed is not known.
    pub(super) async fn load(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut adopted = Vec::new();
        for (schedule, progress) in self.store.load().await? {
            let progress = progress.unwrap_or_else(|| {
                let fresh = ScheduleProgress {
                    since: now,
                    done_until: now,
                };
                adopted.push((schedule.clone(), fresh));
                fresh
            });
            self.board.put(schedule, progress);
        }
        if !adopted.is_empty() {
            tracing::info!(schedules = adopted.len(), "schedules of a Go server taken over");
            self.store.adopt(adopted).await?;
        }
        Ok(())
    }

    /// Finds out what became of runs during which the server was killed. Their multi-job is stored, or it is not: then
    /// it is ordered now under the id that was chosen for it, unless that is too late.
    pub(super) async fn recover(self: Arc<Self>, tasks: Tasks) {
        let unsettled = match self.store.unsettled().await {
            Ok(unsettled) => unsettled,
            Err(error) => {
                tracing::error!(%error, "unfinished runs of schedules cannot be read");
                return;
            }
        };
        for (id, run) in unsettled {
            if tasks.soft().is_cancelled() {
                return;
            }
            if let Err(error) = self.recover_one(&id, &run).await {
                tracing::warn!(schedule.id = %id, due = %run.due_at, %error, "a run was not ordered after a kill");
            }
        }
    }

    async fn recover_one(&self, id: &ScheduleId, run: &ScheduleRun) -> Result<(), Error> {
        let Some((schedule, _, turn)) = self.board.find(id) else {
            return Ok(());
        };
        let _turn = turn.lock_owned().await;
        let settle = async |outcome, reason: &str| self.store.settle(id, run.due_at, outcome, reason).await;
        let known = match &run.multi_job_id {
            Some(multi) => self.jobs_store.find_multi(multi).await?,
            None => None,
        };
        if known.is_some() {
            return Ok(settle(RunOutcome::Ordered, &run.reason).await?);
        }
        let late = self.clock.now() - run.handled_at > LATE;
        if late && schedule.definition.extras.missed == MissedRuns::Skip {
            let reason = "the server was killed before it was ordered, and came back too late";
            return Ok(settle(RunOutcome::Skipped, reason).await?);
        }
        match self.creator(&schedule).await {
            Ok(creator) => self.order(&schedule, run, &creator).await,
            Err(error) => {
                settle(RunOutcome::Skipped, &error.to_string()).await?;
                Err(error)
            }
        }
    }
}
