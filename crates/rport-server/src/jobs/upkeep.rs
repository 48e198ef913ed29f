//! What happens by itself: jobs expire, are overdue, are deleted, and go on after a restart of the server.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use metrics::gauge;
use rport_domain::{JobId, JobOrder, JobStatus, MultiJob};
use rport_protocol::GoTime;
use rport_protocol::to_client::{AbortCmd, AbortState};
use rport_store::{JobPhase, MultiJobExtras, MultiJobPhase, OpenJob, StartRule, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::Inner;
use super::cancel::ABORT_LIMIT;
use super::dispatch::{GRACE, look_at, not_connected};
use super::table::{Due, Facts, Overdue, Stage};
use crate::metrics_names::{JOBS_RUNNING, JOBS_WAITING};

/// Most agents that are asked for overdue jobs at the same time.
const AT_ONCE: usize = 32;
/// How often an agent may say that it has ended a job whose result does not come.
const PATIENCE: u32 = 3;
/// After this long nobody waits for the result of a client that does not come back. Our agents keep results as long.
const GIVE_UP: TimeDelta = TimeDelta::days(31);

impl Inner {
    /// Takes up what was not finished when the server ended.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        let multis = self.store.open_multis().await?;
        let jobs = self.store.open_jobs().await?;
        let now = self.clock.now();
        if !jobs.is_empty() {
            tracing::info!(
                jobs = jobs.len(),
                multi_jobs = multis.len(),
                "unfinished jobs go on"
            );
        }
        let over = self.load(&multis, jobs, now);
        for id in over {
            self.store.end_multi(&id, MultiJobPhase::Done).await?;
        }
        self.pump();
        Ok(())
    }

    /// Fills the table; returns multi-jobs that have no unfinished jobs any more.
    fn load(
        &self,
        multis: &[(MultiJob, MultiJobExtras)],
        jobs: Vec<OpenJob>,
        now: DateTime<Utc>,
    ) -> Vec<JobId> {
        let mut orders: HashMap<JobId, Arc<JobOrder>> = HashMap::new();
        let mut table = self.table.lock();
        for (multi, _) in multis {
            table.add_multi(&multi.id, multi.pace);
            orders.insert(multi.id.clone(), Arc::new(multi.order.clone()));
        }
        for open in jobs {
            let (facts, phase) = facts(open, &orders, now);
            let stage = match phase {
                JobPhase::Waiting => Stage::Waiting,
                JobPhase::Sending => Stage::Uncertain,
                JobPhase::Started => running(&facts, now),
            };
            let (id, turn_until) = (facts.id.clone(), look_at(&facts, now));
            table.add(Arc::new(facts), stage, None);
            if stage == Stage::Uncertain {
                table.uncertain(&id, None, turn_until);
            }
        }
        let mut over = Vec::new();
        for (multi, _) in multis {
            table.fill(&multi.id, now);
            if table.jobs_of(&multi.id).is_empty() {
                table.forget_multi(&multi.id);
                over.push(multi.id.clone());
            }
        }
        over
    }

    /// Looks after jobs until the server stops.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let stop = self.tasks.soft();
        let retention = self.options.retention;
        let mut sweep = interval(self.options.sweep);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clean = interval_at(Instant::now() + retention, retention);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = sweep.tick() => self.sweep().await,
                _ = clean.tick() => self.clean().await,
            }
        }
    }

    async fn clean(&self) {
        match self.store.remove_old(self.options.max_results).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old jobs deleted"),
            Err(error) => tracing::error!(%error, "old jobs were not deleted"),
        }
    }

    async fn sweep(self: &Arc<Self>) {
        let now = self.clock.now();
        let (due, waiting, running) = {
            let mut table = self.table.lock();
            let due = table.due(now, now + GRACE);
            let (waiting, running) = table.counts();
            (due, waiting, running)
        };
        gauge!(JOBS_WAITING).set(waiting as f64);
        gauge!(JOBS_RUNNING).set(running as f64);
        let Due {
            expired,
            stopped,
            lost,
            overdue,
        } = due;
        if !stopped.is_empty() {
            let error = "not started because its order was ended";
            self.end_and(&stopped, JobStatus::Failed, error, false).await;
        }
        for (error, ids) in self.by_reason(expired) {
            self.end_and(&ids, JobStatus::Failed, &error, false).await;
        }
        if !lost.is_empty() {
            let ids: Vec<JobId> = lost.iter().map(|facts| facts.id.clone()).collect();
            let error = "the client was asked to start it and did not answer; it may have run";
            self.end(&ids, JobStatus::Unknown, error).await;
        }
        if !overdue.is_empty() {
            let inner = self.clone();
            self.tasks.spawn("jobs_overdue", async move {
                let inner = &inner;
                stream::iter(overdue)
                    .for_each_concurrent(AT_ONCE, |overdue| inner.look_after(overdue))
                    .await;
            });
        }
        self.pump();
    }

    /// Why jobs were not started in time, and which ones.
    fn by_reason(&self, expired: Vec<Arc<Facts>>) -> HashMap<String, Vec<JobId>> {
        let mut reasons: HashMap<_, Vec<_>> = HashMap::new();
        for facts in expired {
            let reason = if facts.rule.queue || self.link(&facts).is_some() {
                format!("not started before {}", GoTime::from(facts.rule.not_after))
            } else {
                not_connected(&facts.client)
            };
            reasons.entry(reason).or_default().push(facts.id.clone());
        }
        reasons
    }

    /// Finds out what became of a job that should have ended.
    async fn look_after(self: &Arc<Self>, overdue: Overdue) {
        let Overdue { facts, since, looks } = &overdue;
        let id = &facts.id;
        let lost = |error: String| async move {
            tracing::warn!(job.id = %id, client.id = %facts.client, reason = error, "a job has not ended in time");
            self.end(std::slice::from_ref(id), JobStatus::Unknown, &error)
                .await;
        };
        let Some(link) = self.link(facts) else {
            let client = self.registry.find(&facts.client);
            if client.is_none_or(|client| client.record().is_none()) {
                lost("the client was deleted before its result came".to_owned()).await;
            } else if self.clock.now() > *since + GIVE_UP {
                lost("the client did not come back with a result".to_owned()).await;
            }
            return;
        };
        let no_result = || {
            let seconds = facts.order.timeout_sec;
            format!("the client reported no result within {seconds} seconds and a minute; it may still run")
        };
        if !link.connection.peer_is_ours() {
            return lost(no_result()).await;
        }
        let abort = AbortCmd { jid: id.to_string() };
        match link.ask(&abort, ABORT_LIMIT).await {
            Ok(reply) if reply.state == AbortState::Unknown => {
                lost("the client does not know the job".to_owned()).await;
            }
            Ok(_) if looks + 1 >= PATIENCE => {
                lost("the client has ended it, and its result does not come".to_owned()).await;
            }
            Ok(_) => self.table.lock().looked(id),
            Err(error) if error.is_unknown_request() => lost(no_result()).await,
            Err(error) => tracing::debug!(job.id = %id, %error, "an overdue job is not known about"),
        }
    }
}

fn running(facts: &Facts, now: DateTime<Utc>) -> Stage {
    let look_at = look_at(facts, now);
    Stage::Running {
        look_at,
        since: look_at,
        looks: 0,
    }
}

/// What an earlier run left of a job.
fn facts(open: OpenJob, orders: &HashMap<JobId, Arc<JobOrder>>, now: DateTime<Utc>) -> (Facts, JobPhase) {
    let OpenJob {
        mut job,
        phase,
        start,
        ..
    } = open;
    let of_multi = job.multi_job_id.as_ref().and_then(|id| orders.get(id));
    let order = match of_multi {
        Some(order) if **order == job.order => order.clone(),
        _ => Arc::new(std::mem::take(&mut job.order)),
    };
    // A Go server's jobs run, so nobody starts them.
    let rule = start.unwrap_or(StartRule {
        not_after: now,
        queue: false,
        stream: false,
    });
    (Facts::new(&job, order, rule, true), phase)
}
