//! What users see of jobs. Source: rest-api.md 13.3.
//!
//! Differs from RPort: jobs are shown to who may run such a job and access its client, multi-jobs to who ordered them
//! and to administrators.

use rport_domain::list::SortSpec;
use rport_domain::{ClientId, Error, Fields, JOB_FIELDS, JOB_LIST, Job, JobId, ListQuery, MultiJob, Page};
use rport_store::{JobScope, MultiJobExtras, StoreErrorKind};

use super::cancel::belongs_to;
use super::watch::JobWatch;
use super::{Inner, Jobs, MultiJobView, job_not_found, kinds};
use crate::actor::Actor;

/// Jobs that are shown together with their multi-job.
const NEWEST: usize = 100;

impl Jobs {
    /// The jobs of a client, of the kinds the actor may run, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::JOB_LIST`].
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn list(
        &self,
        actor: &Actor,
        client: &ClientId,
        query: &ListQuery,
    ) -> Result<Page<Job>, Error> {
        let kinds = kinds(actor)?;
        self.inner.visible(actor, client)?;
        let scope = JobScope::Client(client.clone());
        Ok(self.inner.store.list(scope, &kinds, query).await?)
    }

    /// One job of a client.
    ///
    /// # Errors
    /// `NotFound`, also for a job of another client; `Forbidden`.
    pub async fn get(&self, actor: &Actor, client: &ClientId, id: &JobId) -> Result<Job, Error> {
        kinds(actor)?;
        self.inner.visible(actor, client)?;
        let job = belongs_to(self.inner.store.find(id).await?, client, id)?;
        actor.require(job.order.kind().permission())?;
        Ok(job)
    }

    /// The actor's multi-jobs, of the kinds it may run; everybody's for administrators. Their `jobs` are left empty.
    /// `query` was read with [`rport_domain::MULTI_JOB_LIST`].
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list_multi(&self, actor: &Actor, query: &ListQuery) -> Result<Page<MultiJobView>, Error> {
        let kinds = kinds(actor)?;
        let owner = (!actor.is_admin()).then_some(&actor.user);
        let page = self.inner.store.list_multi(owner, &kinds, query).await?;
        let views = page
            .items
            .into_iter()
            .map(|(multi, extras, counts)| MultiJobView {
                multi,
                extras,
                counts,
                jobs: Vec::new(),
            });
        Ok(Page {
            items: views.collect(),
            total: page.total,
        })
    }

    /// One multi-job with its newest jobs. Where these are too large altogether, commands and output are left out of
    /// them.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for others than its creator and administrators.
    pub async fn get_multi(&self, actor: &Actor, id: &JobId) -> Result<MultiJobView, Error> {
        let kinds = kinds(actor)?;
        let inner = &self.inner;
        let (multi, extras) = inner.own_multi(actor, id).await?;
        actor.require(multi.order.kind().permission())?;
        let newest = ListQuery {
            sorts: ["started_at", "finished_at"].map(newest_first).into(),
            fields: Fields::all(&JOB_FIELDS),
            limit: NEWEST,
            ..everything()
        };
        let scope = inner.scope_of(actor, id);
        let jobs = match inner.store.list(scope.clone(), &kinds, &newest).await {
            Err(error) if *error.kind() == StoreErrorKind::TooLarge => {
                let newest = ListQuery {
                    fields: without_output(),
                    ..newest
                };
                inner.store.list(scope, &kinds, &newest).await?
            }
            page => page?,
        };
        let counts = inner.store.counts(id).await?;
        Ok(MultiJobView {
            multi,
            extras,
            counts,
            jobs: jobs.items,
        })
    }

    /// The jobs of a multi-job, as far as the actor may access their clients. `query` was read with
    /// [`rport_domain::JOB_LIST`].
    ///
    /// # Errors
    /// As [`Self::get_multi`].
    pub async fn list_jobs_of(
        &self,
        actor: &Actor,
        id: &JobId,
        query: &ListQuery,
    ) -> Result<Page<Job>, Error> {
        let kinds = kinds(actor)?;
        let (multi, _) = self.inner.own_multi(actor, id).await?;
        actor.require(multi.order.kind().permission())?;
        let scope = self.inner.scope_of(actor, id);
        Ok(self.inner.store.list(scope, &kinds, query).await?)
    }

    /// Watches a job or a multi-job. What has ended already comes first.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn watch(&self, actor: &Actor, id: &JobId) -> Result<JobWatch, Error> {
        let kinds = kinds(actor)?;
        let inner = &self.inner;
        // Before anything is read, so that nothing is missed.
        let mut watch = JobWatch::new(inner.clone(), id.clone());
        if let Some(job) = inner.store.find(id).await? {
            inner.visible(actor, &job.client_id)?;
            actor.require(job.order.kind().permission())?;
            watch.expect(job.id, job.status.is_final());
            return Ok(watch);
        }
        let found = inner.store.find_multi(id).await?;
        if found.is_none() {
            return Err(job_not_found(id));
        }
        let (multi, _) = inner.own_multi(actor, id).await?;
        actor.require(multi.order.kind().permission())?;
        let scope = inner.scope_of(actor, id);
        let jobs = inner.store.list(scope, &kinds, &everything()).await?;
        for job in jobs.items {
            watch.expect(job.id, job.status.is_final());
        }
        Ok(watch)
    }
}

impl Inner {
    /// A multi-job, for its creator and for administrators.
    pub(super) async fn own_multi(
        &self,
        actor: &Actor,
        id: &JobId,
    ) -> Result<(MultiJob, MultiJobExtras), Error> {
        let found = self.store.find_multi(id).await?;
        let (multi, extras) =
            found.ok_or_else(|| Error::not_found(format!("Multi-client Job[id=\"{id}\"] not found.")))?;
        if multi.created_by != actor.user && !actor.is_admin() {
            return Err(Error::forbidden("forbidden"));
        }
        Ok((multi, extras))
    }

    /// The jobs of a multi-job that an actor may see.
    fn scope_of(&self, actor: &Actor, id: &JobId) -> JobScope {
        if actor.is_admin() {
            return JobScope::Multi(id.clone());
        }
        let known = self.registry.known();
        let hidden: Vec<ClientId> = known
            .iter()
            .filter(|client| !actor.may_access(client))
            .map(|client| client.id.clone())
            .collect();
        match hidden.is_empty() {
            true => JobScope::Multi(id.clone()),
            false => JobScope::MultiWithout(id.clone(), hidden),
        }
    }
}

/// All jobs, without their output.
fn everything() -> ListQuery {
    let query = ListQuery::parse(&[("fields[jobs]", "jid,status")], &JOB_LIST);
    let query = query.expect("both are members of jobs");
    ListQuery {
        // As far as SQLite counts.
        limit: usize::try_from(i64::MAX).unwrap_or(usize::MAX),
        ..query
    }
}

/// All members but the large ones.
fn without_output() -> Fields {
    let query = ListQuery::parse(
        &[(
            "fields[jobs]",
            "jid,status,finished_at,client_id,client_name,cwd,interpreter,pid,started_at,created_by,timeout_sec,\
             multi_job_id,schedule_id,error,is_sudo,is_script",
        )],
        &JOB_LIST,
    );
    query.expect("all are members of jobs").fields
}

fn newest_first(column: &'static str) -> SortSpec {
    SortSpec {
        column,
        descending: true,
    }
}
