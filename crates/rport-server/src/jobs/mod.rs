//! Jobs: commands and scripts that clients run. Source: rest-api.md 13, wire-protocol.md 13.
//!
//! ```text
//!  order ─▶ check, targets, text ─▶ store: waiting ─▶ table: whose turn ─▶ dispatch: run_cmd ─▶ store: started
//!                                                       ▲                                          │
//!             client connects, time passes (upkeep) ────┘    live ─▶ watchers ─▶ watch             ▼
//!                                                                       ▲        cmd_result ─▶ results
//!                                            cancel ─▶ ending ──────────┴───────────── store: ended
//! ```
//!
//! The store is right, the table is quick: everything is on disk before a client, a caller or a watcher hears of it,
//! and after a restart the table is made of what the store says. There is no task per job: one starts it, then nothing
//! but a row and an entry of the table remains until its result comes.

mod audit;
mod cancel;
mod check;
mod dispatch;
mod ending;
mod entry;
mod hidden;
mod live;
mod news;
mod options;
mod ordering;
mod reading;
mod request;
mod results;
mod table;
mod targets;
mod text;
mod upkeep;
mod vault_marks;
mod watch;
mod watchers;

use std::sync::Arc;

use parking_lot::Mutex;
use rport_domain::access::client_not_found;
use rport_domain::{ClientId, Error, Job, JobCounts, JobId, LibraryKind, MultiJob, Permission};
use rport_protocol::ResultVerdict;
use rport_protocol::channel::KIND_CMD_RESULT;
use rport_runtime::{Clock, Tasks};
use rport_store::{MultiJobExtras, StoreError};
use rport_transport::IncomingChannel;
use tokio::sync::Semaphore;

pub use news::{JobNews, OutputStream};
pub use options::JobsOptions;
pub use request::{Expiry, NewJob, NewMultiJob, ParameterValue};
pub use watch::JobWatch;

use crate::actor::Actor;
use crate::audit::Audit;
use crate::clients::{Client, ClientLink, Registry};
use crate::events::Events;
use crate::login::Login;
use crate::vault::Vault;
use table::{Facts, Table};
use text::Texts;
use watchers::Watchers;

/// The job service. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    store: rport_store::Jobs,
    registry: Arc<Registry>,
    events: Events,
    audit: Audit,
    options: JobsOptions,
    clock: Clock,
    tasks: Tasks,
    table: Mutex<Table>,
    watchers: Watchers,
    texts: Texts,
    small_results: Semaphore,
    large_results: Arc<Semaphore>,
    receiving: results::Receiving,
}

/// What the service is built on.
pub(crate) struct JobParts {
    pub(crate) store: rport_store::Jobs,
    pub(crate) registry: Arc<Registry>,
    pub(crate) vault: Vault,
    /// Who the users are; without it nobody orders anything.
    pub(crate) login: Option<Login>,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// A multi-job as callers see it.
#[derive(Debug, Clone)]
pub struct MultiJobView {
    /// The order.
    pub multi: MultiJob,
    /// What is known beyond it.
    pub extras: MultiJobExtras,
    /// How far it is. Counts all of its jobs.
    pub counts: JobCounts,
    /// Its newest jobs, at most 100, as far as the caller may access their clients.
    pub jobs: Vec<Job>,
}

impl Jobs {
    /// Takes up what an earlier run left, and looks after jobs from now on.
    pub(crate) async fn start(options: JobsOptions, parts: JobParts) -> Result<Self, StoreError> {
        let JobParts {
            store,
            registry,
            vault,
            login,
            audit,
            clock,
            tasks,
        } = parts;
        let inner = Arc::new(Inner {
            store,
            events: registry.events().clone(),
            registry,
            audit,
            options,
            clock,
            tasks,
            table: Mutex::default(),
            watchers: Watchers::default(),
            texts: Texts::new(vault, login),
            small_results: Semaphore::new(results::MAX_SMALL),
            large_results: Arc::new(Semaphore::new(results::MAX_STEPS)),
            receiving: results::Receiving::default(),
        });
        inner.resume().await?;
        inner.tasks.spawn("jobs", inner.clone().keep_up());
        Ok(Self { inner })
    }

    /// A client is connected now: what waited for it gets its turn.
    pub(crate) fn connected(&self, client: &ClientId) {
        let now = self.inner.clock.now();
        let waited = self.inner.table.lock().connected(client, now);
        if waited {
            self.inner.pump();
        }
    }

    /// Takes a result that came as a request.
    pub(crate) async fn take_result(&self, client: &Arc<Client>, payload: &[u8]) -> ResultVerdict {
        self.inner.take_result(client, payload).await
    }

    /// Takes a channel with output or a large result; gives back one of another kind.
    pub(crate) fn take_channel(
        &self,
        client: &Arc<Client>,
        channel: IncomingChannel,
    ) -> Option<IncomingChannel> {
        if channel.kind == KIND_CMD_RESULT {
            self.inner.take_large_result(client, channel);
        } else if let Some(stream) = live::stream(&channel.kind) {
            live::open(&self.inner, client, channel, stream);
        } else {
            return Some(channel);
        }
        None
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

    /// Whether an actor who may see a job may see what happens on its client. One that was deleted is nobody's any
    /// more.
    fn may_see(&self, actor: &Actor, client: &ClientId) -> bool {
        let client = self.registry.find(client);
        client.is_none_or(|client| actor.may_access(&client))
    }

    /// The way to the client of a job, while it is connected.
    fn link(&self, facts: &Facts) -> Option<ClientLink> {
        self.registry.find(&facts.client)?.link()
    }

    /// Tells listeners of events that a job has changed.
    fn tell_of(&self, id: &JobId, client: &ClientId, multi: Option<&JobId>, kind: LibraryKind) {
        if let Some(client) = self.registry.find(client) {
            self.events.job(id, multi, kind, &client);
        }
    }
}

/// The kinds of jobs an actor may see.
fn kinds(actor: &Actor) -> Result<Vec<LibraryKind>, Error> {
    let mut kinds = vec![LibraryKind::Command, LibraryKind::Script];
    kinds.retain(|kind| actor.permissions.contains(kind.permission()));
    if kinds.is_empty() {
        actor.require(Permission::Commands)?;
    }
    Ok(kinds)
}

fn not_active(client: &ClientId) -> Error {
    Error::not_found(format!("Active client with id=\"{client}\" not found."))
}

fn job_not_found(id: &JobId) -> Error {
    Error::not_found(format!("Job[id=\"{id}\"] not found."))
}
