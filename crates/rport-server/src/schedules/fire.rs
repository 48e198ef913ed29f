//! One due time of one schedule.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};
use rport_domain::{
    Error, JobId, Kind, MissedRuns, Permission, RunOutcome, Schedule, ScheduleParameter, ScheduleRun,
};
use rport_store::Claim;

use super::board::Ready;
use super::service::Inner;
use crate::actor::Actor;
use crate::jobs::{Expiry, NewJob, NewMultiJob, ParameterValue};

/// Where runs come from, for the audit log: this machine.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Inner {
    /// Deals with a due time: orders its multi-job, or writes down why not. Done at most once for each, whoever tries.
    pub(super) async fn fire(&self, ready: Ready) {
        let Ready {
            schedule,
            due_at,
            missed,
            earlier,
        } = ready;
        let id = &schedule.id;
        let Some((_, _, turn)) = self.board.find(id) else {
            return;
        };
        let _turn = turn.lock_owned().await;
        // Only so many at a time, so that thousands that are due at once do not starve everything else.
        let Ok(_permit) = self.at_once.acquire().await else {
            return;
        };
        if !self.board.is_current(&schedule) {
            return self.board.again(id);
        }
        let now = self.clock.now();
        let mut run = ScheduleRun {
            due_at,
            handled_at: now,
            outcome: RunOutcome::Skipped,
            multi_job_id: None,
            reason: earlier.words(),
            requested_by: None,
        };
        let creator = match self.judge(&schedule, now, missed).await {
            Ok(creator) => {
                run.outcome = RunOutcome::Ordering;
                run.multi_job_id = Some(JobId::from(uuid::Uuid::new_v4().to_string()));
                Some(creator)
            }
            Err(trouble) if is_passing(&trouble) && !missed => {
                tracing::warn!(schedule.id = %id, due = %due_at, error = %trouble, "a run has to wait");
                return self.board.failed(id, now);
            }
            Err(reason) => {
                tracing::info!(schedule.id = %id, due = %due_at, %reason, "a run was left out");
                run.reason = together(&reason.to_string(), &run.reason);
                None
            }
        };
        match self.store.claim(id, run.clone(), due_at).await {
            Ok(Claim::Yours) => {}
            Ok(Claim::Taken) => return self.board.done(id, due_at),
            Ok(Claim::Missing) => return self.board.remove(id),
            Err(error) => {
                tracing::error!(schedule.id = %id, %error, "a due time cannot be written down, trying again");
                return self.board.failed(id, now);
            }
        }
        if let Some(creator) = creator {
            // The reason is in the log and in the run's row.
            let _ = self.order(&schedule, &run, &creator).await;
        }
        self.board.done(id, due_at);
        self.changed.notify_one();
    }

    /// Whether a run takes place, and as whom.
    ///
    /// # Errors
    /// Why not; `Unavailable` and `Internal` when that is not known at present.
    async fn judge(&self, schedule: &Schedule, now: DateTime<Utc>, missed: bool) -> Result<Actor, Error> {
        let definition = &schedule.definition;
        if missed && definition.extras.missed == MissedRuns::Skip {
            return Err(Error::conflict("missed: the server did not run, or was too busy"));
        }
        if !definition.overlaps && self.has_unfinished(schedule, now).await? {
            return Err(Error::conflict("a job of the last run is unfinished"));
        }
        self.creator(schedule).await
    }

    pub(super) async fn has_unfinished(
        &self,
        schedule: &Schedule,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        Ok(self.jobs_store.has_unfinished(&schedule.id, now).await?)
    }

    /// Who made a schedule, with the rights of this moment.
    ///
    /// # Errors
    /// `Forbidden` when there is no such user any more, or when the user may not use schedules.
    pub(super) async fn creator(&self, schedule: &Schedule) -> Result<Actor, Error> {
        let name = &schedule.created_by;
        let Some(login) = &self.login else {
            return Err(Error::forbidden(
                "without the API there are no users whose rights count",
            ));
        };
        let actor = login.on_behalf_of(name, HERE).await?;
        let actor = actor.ok_or_else(|| Error::forbidden(format!("there is no user \"{name}\" any more")))?;
        actor.require(Permission::Scheduler)?;
        Ok(actor)
    }

    /// Orders the multi-job of a run that was written down, and writes down what came of that.
    ///
    /// # Errors
    /// Why it was not ordered.
    pub(super) async fn order(
        &self,
        schedule: &Schedule,
        run: &ScheduleRun,
        creator: &Actor,
    ) -> Result<(), Error> {
        let Some(multi) = &run.multi_job_id else {
            return Ok(());
        };
        let ordered = self
            .jobs
            .run_multi_as(creator, multi, new_multi_job(schedule))
            .await;
        let (id, due) = (&schedule.id, run.due_at);
        let (outcome, reason) = match &ordered {
            Ok(()) => {
                tracing::info!(schedule.id = %id, %due, job.id = %multi, "schedule run ordered");
                (RunOutcome::Ordered, run.reason.clone())
            }
            Err(error) => {
                tracing::warn!(schedule.id = %id, %due, %error, "a run was not ordered");
                (RunOutcome::Skipped, together(&error.to_string(), &run.reason))
            }
        };
        if let Err(error) = self.store.settle(id, due, outcome, &reason).await {
            // It is found out at the next start.
            tracing::error!(schedule.id = %id, %due, %error, "what came of a run was not written down");
        }
        ordered
    }
}

/// The order a schedule makes.
pub(super) fn new_multi_job(schedule: &Schedule) -> NewMultiJob {
    let definition = &schedule.definition;
    let extras = &definition.extras;
    let parameters = extras.parameters.as_ref().map(|values| {
        let value = |value: &ScheduleParameter| match value {
            ScheduleParameter::Text(text) => ParameterValue::Text(text.clone()),
            ScheduleParameter::Vault(key) => ParameterValue::Vault(key.clone()),
        };
        values
            .iter()
            .map(|(name, given)| (name.clone(), value(given)))
            .collect()
    });
    NewMultiJob {
        job: NewJob {
            order: definition.order.clone(),
            parameters,
            queue_if_offline: extras.queue_if_offline,
            expires: extras.expires.map(Expiry::After),
            stream: false,
        },
        tags_given: definition.targets.tags.is_some(),
        targets: definition.targets.clone(),
        pace: definition.pace(),
        schedule_id: Some(schedule.id.clone()),
    }
}

/// Whether it is worth trying again in a moment.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable | Kind::Internal)
}

/// One reason behind another.
fn together(first: &str, second: &str) -> String {
    if second.is_empty() {
        first.to_owned()
    } else {
        format!("{first}; {second}")
    }
}
