//! Commands and scripts: what the server may start here, and how its results get home.
//!
//! ```text
//!  run_cmd ─▶ policy ─▶ known? ─▶ spool: started ─▶ script, interpreter ─▶ process ─▶ answer: pid
//!                                                                             │
//!                        stdout, stderr channels ◀── live ◀── capture ◀───────┤
//!                                                                             ▼
//!  cmd_result ◀── deliver ◀──────────────────────────────────── spool: result, outcome
//! ```
//!
//! Jobs belong to the agent, not to a link: they run on while the link is down, and their results lie on disk until
//! a server has acknowledged them. A job id is started at most once, also across a kill of the agent ([`spool`]).
//! Nothing the server sends is trusted further than `rport.conf` says ([`policy`]), and nothing a process prints can
//! fill the memory ([`capture`], [`limits`]).

mod capture;
mod deliver;
pub(crate) mod encoding;
mod interpreter;
mod limits;
mod live;
mod outcome;
mod policy;
mod process;
mod processes;
mod run;
mod script;
mod spool;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rport_protocol::to_client::{AbortCmdReply, AbortState, RunCmd, RunCmdReply};
use rport_protocol::{Job, JobResult, Request, texts};
use rport_runtime::{Clock, Tasks};
use rport_transport::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::config::AgentConfig;
use spool::{Found, Spool};

/// All jobs of an agent.
pub(crate) struct Jobs {
    config: Arc<AgentConfig>,
    clock: Clock,
    tasks: Tasks,
    memory: Mutex<Memory>,
    permits: Arc<Semaphore>,
    /// Making a result takes several times the memory of its output, so only a few are made at a time.
    results: Semaphore,
    /// The program that runs others as root.
    sudo: OsString,
    link: watch::Sender<Option<Connection>>,
    ready: mpsc::UnboundedSender<Ready>,
}

/// What is known of jobs.
#[derive(Default)]
struct Memory {
    /// Missing until the first job, or while another agent has the directory.
    spool: Option<Arc<Spool>>,
    known: HashMap<String, Known>,
    acknowledged: usize,
}

/// One job.
#[derive(Debug, Clone)]
enum Known {
    /// Between its order and its process.
    Starting(CancellationToken),
    Running {
        reply: RunCmdReply,
        abort: CancellationToken,
    },
    /// Its result is on its way.
    Finished(RunCmdReply),
    /// The server has its result.
    Done,
}

/// A result to deliver.
struct Ready {
    id: String,
    /// The result itself where it could not be stored.
    unstored: Option<Box<Job>>,
    /// Dropped when the server has it, or will not have it.
    delivered: Option<oneshot::Sender<()>>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs")
            .field("running", &(limits::MAX_JOBS - self.permits.available_permits()))
            .finish_non_exhaustive()
    }
}

/// The link is the one to deliver results through, until this is dropped.
pub(crate) struct LinkInUse(Arc<Jobs>);

impl Drop for LinkInUse {
    fn drop(&mut self) {
        self.0.link.send_replace(None);
    }
}

impl Jobs {
    /// Prepares to run jobs, and delivers what an earlier run left behind. Touches no file before it has to.
    pub(crate) fn start(config: Arc<AgentConfig>, clock: Clock, tasks: &Tasks) -> Arc<Self> {
        Self::start_with(config, clock, tasks, "sudo".into())
    }

    fn start_with(config: Arc<AgentConfig>, clock: Clock, tasks: &Tasks, sudo: OsString) -> Arc<Self> {
        let (ready, queue) = mpsc::unbounded_channel();
        let jobs = Arc::new(Self {
            config,
            clock,
            tasks: tasks.clone(),
            memory: Mutex::default(),
            permits: Arc::new(Semaphore::new(limits::MAX_JOBS)),
            results: Semaphore::new(limits::MAX_RESULTS),
            sudo,
            link: watch::Sender::new(None),
            ready,
        });
        tasks.spawn("results", deliver::run(jobs.clone(), queue));
        jobs
    }

    /// Delivers results through a link from now on. To be called when the server has accepted us.
    pub(crate) fn use_link(self: &Arc<Self>, link: &Connection) -> LinkInUse {
        self.link.send_replace(Some(link.clone()));
        LinkInUse(self.clone())
    }

    /// Starts a job.
    ///
    /// Asked again for a job that runs, or whose result is on its way, gives the same answer as before; so a server
    /// that lost the first answer may ask again.
    ///
    /// # Errors
    /// The texts of a Go agent: not allowed, not decoded, not started.
    pub(crate) async fn run(
        self: &Arc<Self>,
        order: &[u8],
        link: &Connection,
    ) -> Result<RunCmdReply, String> {
        policy::check_enabled(&self.config)?;
        let RunCmd(job) =
            RunCmd::decode(order).map_err(|error| format!("failed to decode requested job: {error}"))?;
        policy::check(&job, &self.config)?;
        let id = checked_id(&job)?;
        let (jobs, link, order) = (self.clone(), link.clone(), order.to_owned());
        // In a task of the agent: what has begun must not be cut in half by the end of the link.
        let starting = self.tasks.spawn("start job", async move {
            jobs.open_spool().await?;
            jobs.start_once(id, job, &order, &link).await
        });
        starting
            .await
            .unwrap_or_else(|_| Err("the agent is being stopped".to_owned()))
    }

    async fn start_once(
        self: &Arc<Self>,
        id: String,
        job: Job,
        order: &[u8],
        link: &Connection,
    ) -> Result<RunCmdReply, String> {
        let abort = match self.claim(&id) {
            Ok(abort) => abort,
            Err(Known::Running { reply, .. } | Known::Finished(reply)) => {
                info!(job.id = %id, "the job was started before");
                return Ok(reply);
            }
            Err(Known::Starting(_)) => return Err(format!("job {id} is being started")),
            Err(Known::Done) => return Err(format!("{} {id}", texts::ALREADY_RUN_PREFIX)),
        };
        let started = run::start(self, &id, job, order, link, abort).await;
        if started.is_err() {
            self.memory.lock().known.remove(&id);
        }
        started
    }

    /// Takes a job to start it, and returns what aborts it; or tells what is known of it.
    fn claim(&self, id: &str) -> Result<CancellationToken, Known> {
        let mut memory = self.memory.lock();
        if let Some(known) = memory.known.get(id) {
            return Err(known.clone());
        }
        let abort = CancellationToken::new();
        memory.known.insert(id.to_owned(), Known::Starting(abort.clone()));
        Ok(abort)
    }

    /// Ends a job.
    pub(crate) fn abort(&self, id: &str) -> AbortCmdReply {
        let state = match self.memory.lock().known.get(id) {
            Some(Known::Starting(abort) | Known::Running { abort, .. }) => {
                info!(job.id = %id, "the server aborts the job");
                abort.cancel();
                AbortState::Aborting
            }
            Some(Known::Finished(_) | Known::Done) => AbortState::Finished,
            None => AbortState::Unknown,
        };
        AbortCmdReply { state }
    }

    fn scripts_dir(&self) -> PathBuf {
        self.config.client.data_dir.join("scripts")
    }

    fn set(&self, id: &str, known: Known) {
        self.memory.lock().known.insert(id.to_owned(), known);
    }

    fn spool(&self) -> Result<Arc<Spool>, String> {
        let memory = self.memory.lock();
        memory
            .spool
            .clone()
            .ok_or_else(|| "the directory for jobs is not open".to_owned())
    }

    /// Opens the directory for jobs if it is not open yet, and queues the results that lie there.
    async fn open_spool(self: &Arc<Self>) -> Result<(), String> {
        if self.memory.lock().spool.is_some() {
            return Ok(());
        }
        let jobs = self.clone();
        let opening = self
            .tasks
            .spawn_blocking("open jobs", move || jobs.open_spool_now());
        opening.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn open_spool_now(&self) -> Result<(), String> {
        let data_dir = &self.config.client.data_dir;
        // Held while files are read, so that of two first jobs one opens and the other waits.
        let mut memory = self.memory.lock();
        if memory.spool.is_some() {
            return Ok(());
        }
        let (spool, found) = Spool::open(data_dir, self.clock.now()).map_err(|error| {
            let dir = data_dir.join("jobs");
            match error.kind() {
                std::io::ErrorKind::WouldBlock => {
                    format!("another agent uses {}; give each its own data_dir", dir.display())
                }
                _ => format!("can't keep jobs in {}: {error}", dir.display()),
            }
        })?;
        script::remove_leftovers(&self.scripts_dir());
        for (id, found) in found {
            let known = match found {
                Found::Done => Known::Done,
                Found::Result => {
                    let reply = spool.result(&id).map(|job| reply_of(&job)).unwrap_or_default();
                    Known::Finished(reply)
                }
                Found::Interrupted(order) => {
                    let result = self.interrupted(&id, *order);
                    let reply = reply_of(&result);
                    if let Err(error) = spool.finish(&id, &result) {
                        warn!(job.id = %id, "can't store the result: {error}");
                    }
                    Known::Finished(reply)
                }
            };
            if matches!(known, Known::Finished(_)) {
                let _ = self.ready.send(Ready {
                    id: id.clone(),
                    unstored: None,
                    delivered: None,
                });
            }
            memory.known.insert(id, known);
        }
        memory.spool = Some(Arc::new(spool));
        Ok(())
    }

    /// The result of a job that ran when the agent was killed.
    fn interrupted(&self, id: &str, order: Job) -> Job {
        let family = processes::Family {
            root: -1,
            mark: id.to_owned(),
            sudo: None,
        };
        let alive = family.members();
        let mut error =
            "the agent ended while the job ran, so its outcome and output are not known".to_owned();
        if !alive.is_empty() {
            error.push_str(&format!("; still running: {}", outcome::list(&alive)));
        }
        warn!(job.id = %id, "{error}");
        Job {
            status: outcome::UNKNOWN.to_owned(),
            finished_at: Some(self.clock.now_local().into()),
            error,
            result: Some(JobResult::default()),
            ..order
        }
    }

    /// Notes that a result is no longer needed.
    async fn acknowledge(self: &Arc<Self>, id: &str) {
        /// How many acknowledgements between two looks for what can be forgotten.
        const TIDY_EVERY: usize = 256;
        let (jobs, id) = (self.clone(), id.to_owned());
        let noting = self.tasks.spawn_blocking("acknowledge job", move || {
            let Ok(spool) = jobs.spool() else { return };
            if let Err(error) = spool.acknowledge(&id) {
                warn!(job.id = %id, "can't note that the server has the result: {error}");
            }
            let tidy = {
                let mut memory = jobs.memory.lock();
                memory.known.insert(id, Known::Done);
                memory.acknowledged += 1;
                memory.acknowledged % TIDY_EVERY == 0
            };
            if tidy {
                let forgotten = spool.forget_old(jobs.clock.now());
                let mut memory = jobs.memory.lock();
                for id in forgotten {
                    memory.known.remove(&id);
                }
            }
        });
        let _ = noting.await;
    }
}

/// The answer to an order, from its result.
fn reply_of(job: &Job) -> RunCmdReply {
    RunCmdReply {
        pid: job.pid.unwrap_or_default(),
        started_at: job.started_at,
    }
}

/// The id under which a job is remembered. A job without one can be neither recognised nor aborted.
fn checked_id(job: &Job) -> Result<String, String> {
    if job.jid.is_empty() {
        return Ok(Uuid::new_v4().to_string());
    }
    if job.jid.len() > limits::MAX_ID_BYTES {
        return Err(format!("job id is longer than {} bytes", limits::MAX_ID_BYTES));
    }
    if job.jid.contains(char::is_control) {
        return Err("job id contains control characters".to_owned());
    }
    Ok(job.jid.clone())
}
