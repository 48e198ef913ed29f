//! Orders: what is checked becomes rows, and rows become jobs whose turn comes.

use std::sync::Arc;

use rport_domain::{ClientId, Error, Job, JobId, JobStatus, MultiJob};
use rport_store::{MultiJobExtras, MultiJobPhase, NewJobs, StartRule};
use tokio::sync::oneshot;

use super::check::{self, Checked};
use super::request::{NewJob, NewMultiJob};
use super::table::{Begun, Facts, Stage};
use super::watch::JobWatch;
use super::{Inner, Jobs, not_active, targets};
use crate::actor::Actor;
use crate::clients::Client;

/// Most bytes of text that the rows of one order may have together.
const MAX_TOTAL: usize = 256 << 20;

impl Jobs {
    /// Orders a job for one client and returns its id: when the client has started it or, with `queue_if_offline`, when
    /// it is not connected and the job waits.
    ///
    /// The order is on disk before the client is asked. A caller that goes away takes nothing back.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`; `NotFound` for a client that is unknown or, without `queue_if_offline`, not connected;
    /// `ClientRefused` with the agent's words: the job is then kept as failed.
    pub async fn run(&self, actor: &Actor, client: &ClientId, new: NewJob) -> Result<JobId, Error> {
        let inner = &self.inner;
        check::permitted(actor, &new.order)?;
        let client = inner.visible(actor, client)?;
        check::content(&new.order)?;
        let checked = check::complete(new, inner.options.default_timeout, inner.clock.now())?;
        inner
            .texts
            .check(actor, &checked.order.command, std::slice::from_ref(&client.id))
            .await?;
        if client.link().is_none() && !checked.queue {
            return Err(not_active(&client.id));
        }
        let job = new_job(inner, actor, &client, &checked, None);
        let (id, client_id) = (job.id.clone(), client.id.clone());
        let (begun, has_begun) = oneshot::channel();
        inner.place(actor, None, vec![job], &checked, Some(begun)).await?;
        // Nobody answers when the server stops meanwhile; the order stands.
        match has_begun.await.unwrap_or(Begun::Yes) {
            Begun::Yes => Ok(id),
            Begun::Offline => Err(not_active(&client_id)),
            Begun::Refused(words) => Err(Error::client_refused(format!("client error: {words}"))),
            Begun::No(reason) => Err(Error::conflict("The job was not started.").detail(reason)),
        }
    }

    /// Orders a job for many clients and returns the id of the multi-job. Does not wait for any of them.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`, `NotFound`.
    pub async fn run_multi(&self, actor: &Actor, new: NewMultiJob) -> Result<JobId, Error> {
        let id = new_id();
        self.run_multi_as(actor, &id, new).await?;
        Ok(id)
    }

    /// Like [`Self::run_multi`], with somebody who hears everything from the start. Output is streamed whatever the
    /// order says.
    ///
    /// # Errors
    /// As [`Self::run_multi`].
    pub async fn run_watched(&self, actor: &Actor, mut new: NewMultiJob) -> Result<(JobId, JobWatch), Error> {
        new.job.stream = true;
        let id = new_id();
        let mut watch = JobWatch::new(self.inner.clone(), id.clone());
        self.order_multi(actor, new, &id, Some(&mut watch)).await?;
        Ok((id, watch))
    }

    /// The same under an id that was chosen before. Schedules write it down first, so that after a kill they can look
    /// whether the order was made; all of it is stored, or nothing.
    ///
    /// # Errors
    /// As [`Self::run_multi`].
    pub(crate) async fn run_multi_as(
        &self,
        actor: &Actor,
        id: &JobId,
        new: NewMultiJob,
    ) -> Result<(), Error> {
        self.order_multi(actor, new, id, None).await
    }

    /// Judges an order for many clients as [`Self::run_multi`] does, and returns the clients it is for.
    ///
    /// # Errors
    /// As [`Self::run_multi`].
    pub(crate) async fn check_multi(
        &self,
        actor: &Actor,
        new: NewMultiJob,
    ) -> Result<Vec<Arc<Client>>, Error> {
        let (clients, _) = self.judge_multi(actor, new).await?;
        Ok(clients)
    }

    async fn judge_multi(
        &self,
        actor: &Actor,
        new: NewMultiJob,
    ) -> Result<(Vec<Arc<Client>>, Checked), Error> {
        let inner = &self.inner;
        let NewMultiJob {
            job,
            targets,
            tags_given,
            pace,
            ..
        } = new;
        check::permitted(actor, &job.order)?;
        if !job.order.is_script {
            check::content(&job.order)?;
        }
        let clients = targets::resolve(&inner.registry, actor, &targets, tags_given)?;
        check::content(&job.order)?;
        if pace.at_once == Some(0) {
            return Err(Error::invalid("\"max_concurrent\" must be at least 1."));
        }
        let checked = check::complete(job, inner.options.default_timeout, inner.clock.now())?;
        let (size, count) = (checked.order.command.len(), clients.len());
        if size.saturating_mul(count) > MAX_TOTAL {
            return Err(Error::invalid("The order is too large.").detail(format!(
                "{size} bytes for each of {count} clients; choose fewer clients"
            )));
        }
        let ids: Vec<ClientId> = clients.iter().map(|client| client.id.clone()).collect();
        inner.texts.check(actor, &checked.order.command, &ids).await?;
        Ok((clients, checked))
    }

    async fn order_multi(
        &self,
        actor: &Actor,
        new: NewMultiJob,
        id: &JobId,
        watch: Option<&mut JobWatch>,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let (targets, pace) = (new.targets.clone(), new.pace);
        let schedule_id = new.schedule_id.clone();
        let (clients, checked) = self.judge_multi(actor, new).await?;
        let multi = MultiJob {
            id: id.clone(),
            started_at: inner.clock.now_local(),
            created_by: actor.user.clone(),
            schedule_id,
            targets,
            order: checked.order.clone(),
            pace,
        };
        let jobs: Vec<Job> = clients
            .iter()
            .map(|client| new_job(inner, actor, client, &checked, Some(&multi)))
            .collect();
        if let Some(watch) = watch {
            for job in &jobs {
                watch.expect(job.id.clone(), false);
            }
        }
        inner.place(actor, Some(multi), jobs, &checked, None).await
    }
}

impl Inner {
    /// Writes an order and gives its jobs their turn.
    async fn place(
        self: &Arc<Self>,
        actor: &Actor,
        multi: Option<MultiJob>,
        jobs: Vec<Job>,
        checked: &Checked,
        waiter: Option<oneshot::Sender<Begun>>,
    ) -> Result<(), Error> {
        let rule = StartRule {
            not_after: checked.not_after,
            queue: checked.queue,
            stream: checked.stream,
        };
        // In a task: whether the caller stays or not, what is written has to get its turn.
        let (inner, actor) = (self.clone(), actor.clone());
        let placing = self.tasks.spawn("job_order", async move {
            let extras = MultiJobExtras {
                phase: MultiJobPhase::Running,
                start: Some(rule),
            };
            let written = NewJobs {
                multi: multi.clone().map(|multi| (multi, extras)),
                jobs: jobs.clone(),
                start: rule,
            };
            inner.store.order(written).await?;
            if let Some(multi) = &multi {
                tracing::info!(multi_job.id = %multi.id, user.name = %actor.user, jobs = jobs.len(), "multi-job ordered");
            }
            inner.admit(multi.as_ref(), &jobs, rule, waiter);
            inner.note_start(&actor, &jobs).await;
            Ok::<_, rport_store::StoreError>(())
        });
        match placing.await {
            Ok(placed) => Ok(placed?),
            Err(error) => Err(Error::unavailable("the server is stopping").source(error)),
        }
    }

    /// Gives written jobs their turn.
    fn admit(
        self: &Arc<Self>,
        multi: Option<&MultiJob>,
        jobs: &[Job],
        rule: StartRule,
        mut waiter: Option<oneshot::Sender<Begun>>,
    ) {
        let order = jobs.first().map(|job| Arc::new(job.order.clone()));
        let mut table = self.table.lock();
        if let Some(multi) = multi {
            table.add_multi(&multi.id, multi.pace);
        }
        for job in jobs {
            let order = order.clone().unwrap_or_default();
            let facts = Facts::new(job, order, rule, false);
            table.add(Arc::new(facts), Stage::Waiting, waiter.take());
        }
        if let Some(multi) = multi {
            table.fill(&multi.id, self.clock.now());
        }
        drop(table);
        for job in jobs {
            self.tell_of(
                &job.id,
                &job.client_id,
                job.multi_job_id.as_ref(),
                job.order.kind(),
            );
        }
        self.pump();
    }
}

impl Facts {
    /// What is to be known of a job; `order` is its order, shared with others.
    pub(super) fn new(job: &Job, order: Arc<rport_domain::JobOrder>, rule: StartRule, resumed: bool) -> Self {
        Self {
            id: job.id.clone(),
            client: job.client_id.clone(),
            client_name: job.client_name.clone(),
            multi: job.multi_job_id.clone(),
            schedule: job.schedule_id.clone(),
            created_by: job.created_by.clone(),
            order,
            rule,
            resumed,
        }
    }
}

fn new_id() -> JobId {
    JobId::new(uuid::Uuid::new_v4().to_string())
}

fn new_job(
    inner: &Inner,
    actor: &Actor,
    client: &Client,
    checked: &Checked,
    multi: Option<&MultiJob>,
) -> Job {
    let name = client.record().map(|record| record.details.name.clone());
    Job {
        id: new_id(),
        status: JobStatus::Waiting,
        started_at: inner.clock.now_local(),
        finished_at: None,
        created_by: actor.user.clone(),
        client_id: client.id.clone(),
        client_name: name.unwrap_or_default(),
        multi_job_id: multi.map(|multi| multi.id.clone()),
        schedule_id: multi.and_then(|multi| multi.schedule_id.clone()),
        order: checked.order.clone(),
        pid: None,
        error: String::new(),
        result: None,
    }
}
