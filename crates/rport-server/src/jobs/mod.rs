//! Jobs: commands and scripts that clients run. Source: rest-api.md 13, wire-protocol.md 13.
//!
//! `request.rs` is what callers order, `check.rs`, `targets.rs` and `text.rs` what is made of it, `news.rs` what they
//! hear while it runs.

#[expect(dead_code, reason = "the dispatcher reads the rest")]
mod check;
mod news;
mod options;
mod request;
mod targets;
#[expect(dead_code, reason = "the dispatcher prepares texts")]
mod text;
mod watch;

use std::sync::Arc;

use rport_domain::access::client_not_found;
use rport_domain::{ClientId, Error, Job, JobCounts, JobId, ListQuery, MultiJob, Page, Permission};
use rport_runtime::Clock;

pub use news::{JobNews, OutputStream};
pub use options::JobsOptions;
pub use request::{Expiry, NewJob, NewMultiJob, ParameterValue};
pub use watch::JobWatch;

use crate::actor::Actor;
use crate::clients::{Client, Registry};

/// The job service. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<Registry>,
    options: JobsOptions,
    clock: Clock,
}

/// A multi-job as callers see it.
#[derive(Debug, Clone)]
pub struct MultiJobView {
    /// The order.
    pub multi: MultiJob,
    /// How far it is. Counts all of its jobs.
    pub counts: JobCounts,
    /// Its newest jobs, at most 100, as far as the caller may access their clients.
    pub jobs: Vec<Job>,
}

impl Jobs {
    pub(crate) fn new(registry: Arc<Registry>, options: JobsOptions, clock: Clock) -> Self {
        let inner = Inner {
            registry,
            options,
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Orders a job for one client and returns its id: when the client has started it or, with `queue_if_offline`, when
    /// it is not connected and the job waits.
    ///
    /// The order is on disk before the client is asked. A caller that goes away takes nothing back.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`; `NotFound` for a client that is unknown or, without `queue_if_offline`, not connected;
    /// `ClientRefused` with the agent's words: the job is then kept as failed.
    pub async fn run(&self, actor: &Actor, client: &ClientId, new: NewJob) -> Result<JobId, Error> {
        check::permitted(actor, &new.order)?;
        let client = self.inner.visible(actor, client)?;
        check::content(&new.order)?;
        let timeout = self.inner.options.default_timeout;
        let checked = check::complete(new, timeout, self.inner.clock.now())?;
        text::check(actor, &checked.order.command, std::slice::from_ref(&client.id)).await?;
        if client.link().is_none() && !checked.queue {
            return Err(not_active(&client.id));
        }
        Err(unfinished())
    }

    /// Orders a job for many clients and returns the id of the multi-job. Does not wait for any of them.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`, `NotFound`.
    pub async fn run_multi(&self, actor: &Actor, new: NewMultiJob) -> Result<JobId, Error> {
        let id = JobId::from(uuid::Uuid::new_v4().to_string());
        self.run_multi_as(actor, &id, new).await?;
        Ok(id)
    }

    /// The same under an id that was chosen before. Schedules write it down first, so that after a kill they can look
    /// whether the order was made; all of it is stored, or nothing.
    ///
    /// # Errors
    /// As [`Self::run_multi`].
    pub(crate) async fn run_multi_as(
        &self,
        actor: &Actor,
        _id: &JobId,
        new: NewMultiJob,
    ) -> Result<(), Error> {
        let (_clients, _checked) = self.judge_multi(actor, new).await?;
        Err(unfinished())
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
    ) -> Result<(Vec<Arc<Client>>, check::Checked), Error> {
        let NewMultiJob {
            job,
            targets,
            tags_given,
            ..
        } = new;
        check::permitted(actor, &job.order)?;
        if !job.order.is_script {
            check::content(&job.order)?;
        }
        let clients = targets::resolve(&self.inner.registry, actor, &targets, tags_given)?;
        check::content(&job.order)?;
        let timeout = self.inner.options.default_timeout;
        let checked = check::complete(job, timeout, self.inner.clock.now())?;
        let ids: Vec<ClientId> = clients.iter().map(|client| client.id.clone()).collect();
        text::check(actor, &checked.order.command, &ids).await?;
        Ok((clients, checked))
    }

    /// Like [`Self::run_multi`], with somebody who hears everything from the start. Output is streamed whatever the
    /// order says.
    ///
    /// # Errors
    /// As [`Self::run_multi`].
    pub async fn run_watched(&self, actor: &Actor, mut new: NewMultiJob) -> Result<(JobId, JobWatch), Error> {
        new.job.stream = true;
        let id = self.run_multi(actor, new).await?;
        let watch = self.watch(actor, &id).await?;
        Ok((id, watch))
    }

    /// Watches a job or a multi-job. What has ended already comes first.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn watch(&self, actor: &Actor, _id: &JobId) -> Result<JobWatch, Error> {
        kinds(actor)?;
        Err(unfinished())
    }

    /// Ends a job: one that waits is not started any more, one that runs is ended by its agent.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` when it has ended, or when its agent cannot end it.
    pub async fn cancel(&self, actor: &Actor, client: &ClientId, _id: &JobId) -> Result<(), Error> {
        kinds(actor)?;
        self.inner.visible(actor, client)?;
        Err(unfinished())
    }

    /// Ends a multi-job: no further job of it is started, and those that run are ended where that is possible. Returns
    /// how far it is.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn cancel_multi(&self, actor: &Actor, _id: &JobId) -> Result<JobCounts, Error> {
        kinds(actor)?;
        Err(unfinished())
    }

    /// The jobs of a client, of the kinds the actor may run.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn list(
        &self,
        actor: &Actor,
        client: &ClientId,
        _query: &ListQuery,
    ) -> Result<Page<Job>, Error> {
        kinds(actor)?;
        self.inner.visible(actor, client)?;
        Err(unfinished())
    }

    /// One job of a client.
    ///
    /// # Errors
    /// `NotFound`, also for a job of another client; `Forbidden`.
    pub async fn get(&self, actor: &Actor, client: &ClientId, _id: &JobId) -> Result<Job, Error> {
        kinds(actor)?;
        self.inner.visible(actor, client)?;
        Err(unfinished())
    }

    /// The actor's multi-jobs, of the kinds it may run; everybody's for administrators. Their `jobs` are left empty.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list_multi(&self, actor: &Actor, _query: &ListQuery) -> Result<Page<MultiJobView>, Error> {
        kinds(actor)?;
        Err(unfinished())
    }

    /// One multi-job with its newest jobs.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for others than its creator and administrators.
    pub async fn get_multi(&self, actor: &Actor, _id: &JobId) -> Result<MultiJobView, Error> {
        kinds(actor)?;
        Err(unfinished())
    }

    /// The jobs of a multi-job, as far as the actor may access their clients.
    ///
    /// # Errors
    /// As [`Self::get_multi`].
    pub async fn list_jobs_of(
        &self,
        actor: &Actor,
        _id: &JobId,
        _query: &ListQuery,
    ) -> Result<Page<Job>, Error> {
        kinds(actor)?;
        Err(unfinished())
    }
}

impl Inner {
    /// A client the actor may access.
    fn visible(&self, actor: &Actor, id: &ClientId) -> Result<Arc<Client>, Error> {
        let known = self.registry.find(id).filter(|client| client.record().is_some());
        let client = known.ok_or_else(|| client_not_found(id))?;
        actor.require_access(&client)?;
        Ok(client)
    }
}

/// The kinds of jobs an actor may see.
fn kinds(actor: &Actor) -> Result<Vec<rport_domain::LibraryKind>, Error> {
    use rport_domain::LibraryKind;
    let kinds = [LibraryKind::Command, LibraryKind::Script];
    let kinds: Vec<_> = kinds
        .into_iter()
        .filter(|kind| actor.permissions.contains(kind.permission()))
        .collect();
    if kinds.is_empty() {
        actor.require(Permission::Commands)?;
    }
    Ok(kinds)
}

fn not_active(client: &ClientId) -> Error {
    Error::not_found(format!("Active client with id=\"{client}\" not found."))
}

fn unfinished() -> Error {
    Error::unavailable("jobs are not served by this build")
}
