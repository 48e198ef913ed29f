//! What users do with schedules.
//!
//! Differs from RPort, where everybody with the permission sees, changes and deletes every schedule: here its creator
//! and administrators do. Whoever stores one must be allowed to run what it says on each of its clients.

use std::sync::Arc;

use futures_util::future::join_all;
use rport_domain::{
    Error, JobCounts, JobId, LastExecution, ListQuery, MAX_SCHEDULES, NewSchedule, Page, Permission,
    RunOutcome, Schedule, ScheduleDefinition, ScheduleId, ScheduleRun, UserName, schedule_not_found,
};
use rport_runtime::{Clock, Tasks};
use rport_store::{Claim, ScheduleProgress, StoreError};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use super::board::Board;
use super::fire::new_multi_job;
use super::{AT_ONCE, ScheduleView, server_clock};
use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};
use crate::clients::Client;
use crate::jobs::Jobs;
use crate::login::{Login, UserEvent};

/// How much of a command or script stands in the audit log, in characters.
const AUDITED_TEXT: usize = 4096;

/// The service of schedules. Cheap to clone.
///
/// Every method takes the permission `scheduler`.
#[derive(Clone)]
pub struct Schedules {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: rport_store::Schedules,
    pub(super) jobs_store: rport_store::Jobs,
    pub(super) jobs: Jobs,
    /// Knows whose rights count; `None` when the API is off.
    pub(super) login: Option<Login>,
    pub(super) clock: Clock,
    pub(super) board: Board,
    /// Wakes whoever waits for due times.
    pub(super) changed: Notify,
    pub(super) at_once: Semaphore,
    audit: Audit,
}

/// What schedules need of the server.
pub(crate) struct Needs<'a> {
    pub(crate) store: &'a rport_store::Store,
    pub(crate) jobs: Jobs,
    pub(crate) login: Option<Login>,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    pub(crate) tasks: &'a Tasks,
}

impl Schedules {
    /// Reads what there is and begins to wait for due times.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn start(needs: Needs<'_>) -> Result<Self, StoreError> {
        let Needs {
            store,
            jobs,
            login,
            audit,
            clock,
            tasks,
        } = needs;
        let inner = Arc::new(Inner {
            store: store.schedules().clone(),
            jobs_store: store.jobs().clone(),
            jobs,
            login,
            board: Board::new(server_clock(&clock), clock.now()),
            clock,
            changed: Notify::new(),
            at_once: Semaphore::new(AT_ONCE),
            audit,
        });
        inner.load().await?;
        tasks.spawn("schedule_recovery", inner.clone().recover(tasks.clone()));
        tasks.spawn("schedules", inner.clone().run(tasks.clone()));
        Ok(Self { inner })
    }

    /// The schedules the actor may see, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::SCHEDULE_LIST`].
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ScheduleView>, Error> {
        actor.require(Permission::Scheduler)?;
        let owner = (!actor.is_admin()).then_some(&actor.user);
        let page = self.inner.store.list(owner, query).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (schedule, progress) in page.items {
            items.push(self.inner.view(schedule, progress).await?);
        }
        Ok(Page {
            items,
            total: page.total,
        })
    }

    /// One schedule.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn get(&self, actor: &Actor, id: &ScheduleId) -> Result<ScheduleView, Error> {
        let (schedule, progress) = self.inner.visible(actor, id).await?;
        self.inner.view(schedule, progress).await
    }

    /// Adds a schedule.
    ///
    /// # Errors
    /// `Forbidden`, also for what it starts and for its clients; `Invalid`, `NotFound` for its clients; `Conflict` when
    /// there are too many.
    pub async fn add(&self, actor: &Actor, new: NewSchedule) -> Result<ScheduleView, Error> {
        actor.require(Permission::Scheduler)?;
        let inner = &self.inner;
        let schedule = Schedule {
            id: ScheduleId::from(uuid::Uuid::new_v4().to_string()),
            created_at: inner.clock.now_local(),
            created_by: actor.user.clone(),
            definition: new.checked()?,
        };
        let clients = inner.jobs.check_multi(actor, new_multi_job(&schedule)).await?;
        let progress = inner.fresh();
        if !inner.store.insert(schedule.clone(), progress).await? {
            return Err(Error::conflict(format!(
                "there are {MAX_SCHEDULES} schedules already, delete some first"
            )));
        }
        inner.board.put(schedule.clone(), progress);
        inner.changed.notify_one();
        tracing::info!(schedule.id = %schedule.id, user.name = %actor.user, "schedule added");
        inner.record(actor, Action::Create, &schedule, &clients).await;
        inner.view(schedule, Some(progress)).await
    }

    /// Replaces what a schedule says. Its creator stays, and so does the time of its creation.
    ///
    /// # Errors
    /// As for [`Self::add`], and `NotFound`.
    pub async fn replace(
        &self,
        actor: &Actor,
        id: &ScheduleId,
        new: NewSchedule,
    ) -> Result<ScheduleView, Error> {
        let inner = &self.inner;
        inner.visible(actor, id).await?;
        let definition = new.checked()?;
        let (_, _, turn) = inner.board.find(id).ok_or_else(|| schedule_not_found(id))?;
        let _turn = turn.lock_owned().await;
        // Read again now that nobody else deals with it.
        let (old, progress, _) = inner.board.find(id).ok_or_else(|| schedule_not_found(id))?;
        let progress = inner.progress_after(&old.definition, &definition, progress);
        let schedule = Schedule {
            definition,
            ..(*old).clone()
        };
        let clients = inner.jobs.check_multi(actor, new_multi_job(&schedule)).await?;
        if !inner.store.replace(schedule.clone(), progress).await? {
            return Err(schedule_not_found(id));
        }
        inner.board.put(schedule.clone(), progress);
        inner.changed.notify_one();
        tracing::info!(schedule.id = %id, user.name = %actor.user, "schedule changed");
        inner.record(actor, Action::Update, &schedule, &clients).await;
        inner.view(schedule, Some(progress)).await
    }

    /// Deletes a schedule and all that came of it, its jobs included.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete(&self, actor: &Actor, id: &ScheduleId) -> Result<(), Error> {
        let inner = &self.inner;
        inner.visible(actor, id).await?;
        let (_, _, turn) = inner.board.find(id).ok_or_else(|| schedule_not_found(id))?;
        let _turn = turn.lock_owned().await;
        let deleted = inner.store.delete(id).await?;
        inner.board.remove(id);
        if !deleted {
            return Err(schedule_not_found(id));
        }
        tracing::info!(schedule.id = %id, user.name = %actor.user, "schedule deleted");
        inner
            .audit
            .record(actor, Application::Schedule, Action::Delete, id.as_str(), None)
            .await;
        Ok(())
    }

    /// What came of its due times, with the counts of the jobs that were ordered. `query` was read with
    /// [`rport_domain::SCHEDULE_RUN_LIST`].
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn executions(
        &self,
        actor: &Actor,
        id: &ScheduleId,
        query: &ListQuery,
    ) -> Result<Page<(ScheduleRun, Option<JobCounts>)>, Error> {
        let inner = &self.inner;
        inner.visible(actor, id).await?;
        let page = inner.store.runs(id, query).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for run in page.items {
            let counts = match (&run.multi_job_id, run.outcome) {
                (Some(multi), RunOutcome::Ordered) => Some(inner.jobs_store.counts(multi).await?),
                _ => None,
            };
            items.push((run, counts));
        }
        Ok(Page {
            items,
            total: page.total,
        })
    }

    /// Runs a schedule now, whether it rests or not, and returns the id of the multi-job. It runs as its creator.
    ///
    /// # Errors
    /// `Forbidden`, also when its creator may not run it any more; `NotFound`; `Invalid` when its clients are gone;
    /// `Conflict` while its last run is unfinished, unless runs may overlap.
    pub async fn run_now(&self, actor: &Actor, id: &ScheduleId) -> Result<JobId, Error> {
        let inner = &self.inner;
        let (schedule, _) = inner.visible(actor, id).await?;
        actor.require(schedule.definition.order.kind().permission())?;
        let (_, _, turn) = inner.board.find(id).ok_or_else(|| schedule_not_found(id))?;
        let _turn = turn.lock_owned().await;
        let (schedule, _, _) = inner.board.find(id).ok_or_else(|| schedule_not_found(id))?;
        let now = inner.clock.now();
        if !schedule.definition.overlaps && inner.has_unfinished(&schedule, now).await? {
            return Err(Error::conflict("A job of the last run is unfinished."));
        }
        let creator = inner.creator(&schedule).await?;
        let multi = JobId::from(uuid::Uuid::new_v4().to_string());
        let run = ScheduleRun {
            due_at: now,
            handled_at: now,
            outcome: RunOutcome::Ordering,
            multi_job_id: Some(multi.clone()),
            reason: String::new(),
            requested_by: Some(actor.user.clone()),
        };
        match inner.store.add_run(id, run.clone()).await? {
            Claim::Yours => {}
            Claim::Taken => return Err(Error::conflict("There is a run of this very moment.")),
            Claim::Missing => return Err(schedule_not_found(id)),
        }
        let request = json!({ "multi_job_id": multi });
        let action = (Application::Schedule, Action::ExecuteStart);
        inner
            .audit
            .record(actor, action.0, action.1, id.as_str(), Some(request))
            .await;
        inner.order(&schedule, &run, &creator).await?;
        Ok(multi)
    }
}

impl Schedules {
    /// Schedules go with a user who has another name now. Those of one who is gone rest: a later user of the same name
    /// does not inherit what runs.
    ///
    /// # Errors
    /// Trouble with the store.
    pub(crate) async fn user_changed(&self, user: &UserName, event: &UserEvent) -> Result<(), Error> {
        let inner = &self.inner;
        match event {
            UserEvent::Renamed(new) => inner.store.rename_user(user, new).await?,
            UserEvent::Deleted => inner.store.rest_of_user(user).await?,
            UserEvent::PasswordChanged | UserEvent::Expired | UserEvent::GroupsChanged => return Ok(()),
        }
        for id in inner.board.of_user(user) {
            let Some((_, _, turn)) = inner.board.find(&id) else {
                continue;
            };
            let _turn = turn.lock_owned().await;
            let Some((schedule, progress, _)) = inner.board.find(&id) else {
                continue;
            };
            let mut schedule = (*schedule).clone();
            if let UserEvent::Renamed(new) = event {
                schedule.created_by = new.clone();
            } else {
                schedule.definition.extras.paused = true;
            }
            inner.board.put(schedule, progress);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Schedules {
    /// Makes whoever waits for due times look, and tells whether there was nothing left to do.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = &self.inner;
        inner.changed.notify_one();
        inner.board.is_idle(inner.clock.now())
    }

    /// A second one who waits for due times.
    pub(crate) fn wait_twice(&self, tasks: &Tasks) {
        tasks.spawn("schedules", self.inner.clone().run(tasks.clone()));
    }
}

impl Inner {
    /// A schedule the actor may see.
    async fn visible(
        &self,
        actor: &Actor,
        id: &ScheduleId,
    ) -> Result<(Schedule, Option<ScheduleProgress>), Error> {
        actor.require(Permission::Scheduler)?;
        let found = self.store.find(id).await?;
        let (schedule, progress) = found.ok_or_else(|| schedule_not_found(id))?;
        if !actor.is_admin() && schedule.created_by != actor.user {
            return Err(Error::forbidden("forbidden"));
        }
        Ok((schedule, progress))
    }

    async fn view(
        &self,
        schedule: Schedule,
        progress: Option<ScheduleProgress>,
    ) -> Result<ScheduleView, Error> {
        let progress = progress.unwrap_or_else(|| self.fresh());
        let (time_zone, next_runs) = self.board.coming(&schedule, progress, self.clock.now());
        let last = self.jobs_store.last_of_schedule(&schedule.id).await?;
        let last_execution = last.map(|last| LastExecution {
            started_at: last.multi.started_at,
            client_count: last.counts.total,
            success_count: last.counts.successful,
            status: last.single.as_ref().map(|job| job.status.to_string()),
            summary: last
                .single
                .and_then(|job| job.result)
                .map(|result| result.summary),
        });
        Ok(ScheduleView {
            schedule,
            time_zone,
            last_execution,
            next_runs,
        })
    }

    /// The progress of a schedule that begins now.
    fn fresh(&self) -> ScheduleProgress {
        let now = self.clock.now();
        ScheduleProgress {
            since: now,
            done_until: now,
        }
    }

    /// What a change means for the progress: another timetable begins now, and what passed during a rest is over.
    fn progress_after(
        &self,
        old: &ScheduleDefinition,
        new: &ScheduleDefinition,
        progress: ScheduleProgress,
    ) -> ScheduleProgress {
        let now = self.fresh();
        // Never backwards, should the clock have been set back: what was done is not done again.
        let done_until = now.done_until.max(progress.done_until);
        if old.schedule != new.schedule {
            ScheduleProgress { done_until, ..now }
        } else if old.extras.paused {
            ScheduleProgress {
                done_until,
                ..progress
            }
        } else {
            progress
        }
    }

    /// One entry of the audit log for each client. They are written together.
    async fn record(&self, actor: &Actor, action: Action, schedule: &Schedule, clients: &[Arc<Client>]) {
        let request = request(&schedule.definition);
        let records: Vec<_> = clients.iter().filter_map(|client| client.record()).collect();
        let events = records.iter().map(|record| Event {
            client: Some(record),
            request: Some(request.clone()),
            ..Event::new(Application::Schedule, action, schedule.id.as_str())
        });
        join_all(events.map(|event| self.audit.note(actor, event))).await;
    }
}

/// What a schedule says, in the shape of the API.
fn request(definition: &ScheduleDefinition) -> Value {
    let ScheduleDefinition {
        name,
        schedule,
        targets,
        order,
        execute_concurrently,
        abort_on_error,
        overlaps,
        extras,
    } = definition;
    // The same words stand in the entries of all clients, so a long text is cut.
    let text = if order.is_script {
        definition.script_base64()
    } else {
        order.command.clone()
    };
    let text: String = text.chars().take(AUDITED_TEXT).collect();
    let mut request = json!({
        "name": name, "schedule": schedule, "type": order.kind().as_str(), "client_ids": targets.client_ids,
        "group_ids": targets.group_ids, "tags": targets.tags.as_ref().map(|tags| &tags.tags),
        "interpreter": order.interpreter, "cwd": order.cwd, "is_sudo": order.is_sudo,
        "timeout_sec": order.timeout_sec, "execute_concurrently": execute_concurrently,
        "abort_on_error": abort_on_error, "overlaps": overlaps, "jitter_sec": extras.jitter_sec,
        "missed": extras.missed.as_str(), "paused": extras.paused, "queue_if_offline": extras.queue_if_offline,
        "max_concurrent": extras.max_concurrent,
        "parameters": extras.parameters.as_ref().map(|values| values.keys().collect::<Vec<_>>()),
    });
    request[order.kind().as_str()] = json!(text);
    request
}
