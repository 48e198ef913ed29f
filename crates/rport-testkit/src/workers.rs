//! Many agents in one process that take jobs as ours do: a job id is started at most once, a result is kept and sent
//! again until the server has acknowledged it, and a lost link is dialled again.
//!
//! Unlike [`simulator`](crate::simulator), whose agents only have to be there, these write down every start, so that a
//! test can say of each agent what it did.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use rport_protocol::{
    GoTime, Job, JobResult, Request,
    to_client::{AbortCmd, AbortCmdReply, AbortState, RunCmd, RunCmdReply},
    to_server::CmdResult,
};
use rport_runtime::{Clock, Tasks};
use rport_transport::{Connection, Event, Incoming, IncomingRequest, Reply};
use tokio::sync::{Semaphore, watch};

use crate::{
    eventually,
    simulator::{Fleet, admit},
};

/// Pause before a lost link is dialled again; a part of it for each agent, so that they do not all come at once.
const REDIAL: Duration = Duration::from_millis(400);
/// How long the server may take to acknowledge a result.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(30);
/// Pause before a result is offered again that the server could not take.
const OFFER_AGAIN: Duration = Duration::from_millis(500);

/// A fleet that works; everything ends when it is dropped.
pub struct Workers {
    agents: Vec<Arc<Agent>>,
    tasks: Tasks,
}

/// What an agent remembers, whatever happens to its link.
struct Agent {
    id: String,
    number: usize,
    memory: Mutex<Memory>,
    /// The present link.
    link: watch::Sender<Option<Connection>>,
}

#[derive(Default)]
struct Memory {
    starts: HashMap<String, Instant>,
    /// Results that were not acknowledged yet.
    pending: HashMap<String, Job>,
    /// Orders that an agent without a memory would have taken for new ones.
    repeated: usize,
    /// What the server said to results that it did not want.
    refused: Vec<String>,
}

impl Workers {
    /// Connects a fleet and waits until all its agents are connected.
    ///
    /// # Errors
    ///
    /// When they are not within `limit`.
    pub async fn connect(fleet: &Fleet, limit: Duration) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let slots = Arc::new(Semaphore::new(fleet.at_once.max(1)));
        let fleet = Arc::new(fleet.clone());
        let mut agents = Vec::with_capacity(fleet.count);
        for number in 0..fleet.count {
            let agent = Arc::new(Agent {
                id: fleet.client_id(number),
                number,
                memory: Mutex::default(),
                link: watch::Sender::new(None),
            });
            agents.push(agent.clone());
            let life = live(agent, fleet.clone(), slots.clone(), tasks.clone());
            tasks.spawn("working agent", life);
        }
        let workers = Self { agents, tasks };
        let start = Instant::now();
        while workers.connected() < fleet.count {
            if start.elapsed() > limit {
                bail!(
                    "only {} of {} agents are connected",
                    workers.connected(),
                    fleet.count
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(workers)
    }

    /// How many links are up.
    pub fn connected(&self) -> usize {
        self.agents
            .iter()
            .filter(|agent| agent.connection().is_some())
            .count()
    }

    /// Cuts the links of every agent that `which` chooses by its number. They come back by themselves.
    pub fn cut(&self, which: impl Fn(usize) -> bool) {
        for agent in self.agents.iter().filter(|agent| which(agent.number)) {
            if let Some(link) = agent.connection() {
                link.close();
            }
        }
    }

    /// When the clients that started a job did so.
    pub fn starts(&self, job: &str) -> HashMap<String, Instant> {
        let start = |agent: &Arc<Agent>| Some((agent.id.clone(), *agent.memory.lock().starts.get(job)?));
        self.agents.iter().filter_map(start).collect()
    }

    /// How often an agent was asked for a job that it knew.
    pub fn repeated(&self) -> usize {
        self.agents.iter().map(|agent| agent.memory.lock().repeated).sum()
    }

    /// What the server said to results that it did not want.
    pub fn refused(&self) -> Vec<String> {
        let of = |agent: &Arc<Agent>| agent.memory.lock().refused.clone();
        self.agents.iter().flat_map(of).collect()
    }

    /// Waits until the server has acknowledged every result.
    ///
    /// # Panics
    ///
    /// When it has not within `limit`.
    pub async fn wait_acknowledged(&self, limit: Duration) {
        eventually("the server to acknowledge all results", limit, || async {
            let all = self
                .agents
                .iter()
                .all(|agent| agent.memory.lock().pending.is_empty());
            all.then_some(())
        })
        .await;
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.tasks.abort();
        for agent in &self.agents {
            if let Some(link) = agent.connection() {
                link.close();
            }
        }
    }
}

impl Agent {
    fn connection(&self) -> Option<Connection> {
        self.link.borrow().clone().filter(|link| !link.is_closed())
    }

    /// Takes an order as the real agent does; returns the answer, and whether a result is to be sent.
    fn take(&self, job: &Job) -> (RunCmdReply, bool) {
        let now = GoTime(Clock::system().now_local());
        let mut memory = self.memory.lock();
        let reply = RunCmdReply {
            pid: i64::try_from(self.number).unwrap_or_default() + 1000,
            started_at: now,
        };
        if memory.starts.contains_key(&job.jid) {
            memory.repeated += 1;
            return (reply, false);
        }
        memory.starts.insert(job.jid.clone(), Instant::now());
        let mut result = job.clone();
        result.status = "successful".to_owned();
        result.pid = Some(reply.pid);
        result.started_at = reply.started_at;
        result.finished_at = Some(now);
        result.result = Some(JobResult {
            stdout: format!("done by {}\n", self.id),
            ..JobResult::default()
        });
        memory.pending.insert(job.jid.clone(), result);
        (reply, true)
    }
}

/// Dials, serves, dials again.
async fn live(agent: Arc<Agent>, fleet: Arc<Fleet>, slots: Arc<Semaphore>, tasks: Tasks) {
    loop {
        let dialled = {
            let Ok(_slot) = slots.acquire().await else { return };
            admit(&fleet, agent.number, &tasks).await
        };
        // Otherwise the server is not there, or has not noticed yet that the last link is gone.
        if let Ok((connection, incoming)) = dialled {
            agent.link.send_replace(Some(connection.clone()));
            for job in agent.memory.lock().pending.keys().cloned().collect::<Vec<_>>() {
                tasks.spawn("result", deliver(agent.clone(), connection.clone(), job));
            }
            serve(&agent, &connection, incoming, &tasks).await;
            agent.link.send_replace(None);
        }
        let part = u32::try_from(agent.number % 8).unwrap_or_default() + 1;
        tokio::time::sleep(REDIAL * part / 4).await;
    }
}

async fn serve(agent: &Arc<Agent>, connection: &Connection, mut incoming: Incoming, tasks: &Tasks) {
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) => {
                if let Some(job) = answer(agent, request) {
                    tasks.spawn("result", deliver(agent.clone(), connection.clone(), job));
                }
            }
            Event::Channel(channel) => channel.reject(1, "a working agent has no services"),
        }
    }
}

/// Answers a request; returns the job whose result is to be sent.
fn answer(agent: &Agent, request: IncomingRequest) -> Option<String> {
    match request.name.as_str() {
        "ping" | "put_capabilities" => request.succeed(b""),
        RunCmd::NAME => match RunCmd::decode(&request.payload) {
            Ok(RunCmd(job)) => {
                let (reply, is_new) = agent.take(&job);
                request.succeed(RunCmd::encode_reply(&reply));
                return is_new.then_some(job.jid);
            }
            Err(error) => request.fail(&format!("failed to decode requested job: {error}")),
        },
        AbortCmd::NAME => {
            let known = AbortCmd::decode(&request.payload)
                .is_ok_and(|abort| agent.memory.lock().starts.contains_key(&abort.jid));
            let state = if known {
                AbortState::Finished
            } else {
                AbortState::Unknown
            };
            request.succeed(AbortCmd::encode_reply(&AbortCmdReply { state }));
        }
        // Dropping a request refuses it.
        _ => {}
    }
    None
}

/// Offers a result until the server has it or the link ends; the next link starts anew.
async fn deliver(agent: Arc<Agent>, connection: Connection, id: String) {
    loop {
        let Some(job) = agent.memory.lock().pending.get(&id).cloned() else {
            return;
        };
        let payload = CmdResult(job).encode();
        match connection.call(CmdResult::NAME, payload, ACKNOWLEDGE_LIMIT).await {
            Ok(Reply::Success(_)) => {
                agent.memory.lock().pending.remove(&id);
                return;
            }
            Ok(Reply::Failure(text)) if is_for_later(&text) => tokio::time::sleep(OFFER_AGAIN).await,
            Ok(Reply::Failure(text)) => {
                let mut memory = agent.memory.lock();
                memory.pending.remove(&id);
                memory.refused.push(String::from_utf8_lossy(&text).into_owned());
                return;
            }
            Err(_) => return,
        }
    }
}

fn is_for_later(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.starts_with(rport_protocol::texts::TRY_LATER_PREFIX)
        || text.contains(rport_protocol::texts::UNKNOWN_REQUEST)
}

/// The time from `since` within which `percent` of the clients started.
///
/// # Errors
///
/// When none did.
pub fn percentile(
    starts: &HashMap<String, Instant>,
    since: Instant,
    percent: usize,
) -> anyhow::Result<Duration> {
    let mut times: Vec<Duration> = starts
        .values()
        .map(|start| start.saturating_duration_since(since))
        .collect();
    times.sort();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().context("nothing was started")
}
