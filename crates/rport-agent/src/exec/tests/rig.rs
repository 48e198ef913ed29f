//! An agent's jobs, a real session, and a server that takes results the way it is told to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::channel::KIND_CMD_RESULT;
use rport_protocol::to_client::{AbortCmd, AbortState, RunCmd, RunCmdReply};
use rport_protocol::to_server::CmdResult;
use rport_protocol::{Job, Request, ResultVerdict, json};
use rport_runtime::{Clock, Tasks};
use rport_transport::{Connection, Event, Incoming, LinkOptions, Reply, pair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::attributes::AttributesStore;
use crate::config::{self, AgentConfig};
use crate::exec::{Jobs, LinkInUse};
use crate::requests::Context;
use crate::session;

/// Nothing in these tests takes this long unless it hangs.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// Everything may run.
pub(super) const ALLOW_ALL: &str =
    "[remote-commands]\nallow = ['']\ndeny = []\n[remote-scripts]\nenabled = true\n";

/// How the server answers results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    /// Says nothing, as if it died before it could.
    Nothing,
    Later,
    Refused,
    /// As stored, but does not read what it is shown live.
    StoredBlindly,
}

/// An agent without a server.
pub(super) struct Rig {
    pub(super) dir: TempDir,
    config: Arc<AgentConfig>,
    pub(super) jobs: Arc<Jobs>,
    tasks: Tasks,
    links: Tasks,
}

impl Rig {
    pub(super) fn new(sections: &str) -> Self {
        Self::at(tempfile::tempdir().unwrap(), sections)
    }

    /// An agent that finds what an earlier one left.
    pub(super) fn at(dir: TempDir, sections: &str) -> Self {
        let text = format!(
            "[client]\nserver = 'unused'\ndata_dir = '{}'\n{sections}",
            dir.path().display()
        );
        let config = Arc::new(config::from_toml(&text).unwrap());
        let tasks = Tasks::new();
        let sudo = dir.path().join("sudo");
        let jobs = Jobs::start_with(config.clone(), Clock::system(), &tasks, sudo.into());
        Self {
            dir,
            config,
            jobs,
            links: tasks.child(),
            tasks,
        }
    }

    pub(super) async fn connect(&self, answer: Answer) -> Server {
        let tasks = self.links.child();
        let (agent, server) = pair("agent", &LinkOptions::default(), &tasks).await.unwrap();
        let context = Context {
            config: self.config.clone(),
            attributes: Arc::new(AttributesStore::open(None, Default::default())),
            jobs: self.jobs.clone(),
            tasks: self.tasks.clone(),
        };
        let serving = session::serve(agent.incoming, agent.connection.clone(), context, tasks.clone());
        tasks.spawn("session", serving);
        let (result_sender, results) = mpsc::unbounded_channel();
        let (stream_sender, streams) = mpsc::unbounded_channel();
        let listening = listen(
            server.incoming,
            answer,
            result_sender,
            stream_sender,
            tasks.clone(),
        );
        tasks.spawn("server", listening);
        Server {
            link: server.connection,
            results,
            streams,
            in_use: self.jobs.use_link(&agent.connection),
            tasks,
        }
    }

    /// What lies in the directories of jobs and scripts.
    pub(super) fn files(&self) -> Vec<String> {
        let names = |dir: &str| -> Vec<String> {
            let entries = std::fs::read_dir(self.dir.path().join(dir));
            let entries = entries.into_iter().flatten();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        let mut all: Vec<String> = names("jobs").into_iter().filter(|name| name != "lock").collect();
        all.extend(names("scripts").into_iter().map(|name| format!("scripts/{name}")));
        all.sort();
        all
    }

    /// Waits until the files are as wanted.
    pub(super) async fn until_files(&self, wanted: &[&str]) {
        until("the files are as wanted", || self.files() == wanted).await;
    }

    /// Ends the agent and gives its directory back.
    pub(super) async fn stop(self) -> TempDir {
        self.links.abort();
        assert_eq!(
            self.tasks.shutdown(Duration::from_secs(10)).await,
            0,
            "a task did not stop in time"
        );
        drop(self.jobs);
        self.dir
    }
}

/// Looks until something is so.
pub(super) async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let looking = async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, looking)
        .await
        .unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn listen(
    mut incoming: Incoming,
    answer: Answer,
    results: mpsc::UnboundedSender<Job>,
    streams: mpsc::UnboundedSender<(String, Vec<u8>)>,
    tasks: Tasks,
) {
    let mut unanswered = Vec::new();
    let mut unread = Vec::new();
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) => {
                assert_eq!(request.name, CmdResult::NAME);
                assert!(request.wants_reply, "our servers are asked for an answer");
                let CmdResult(job) = CmdResult::decode(&request.payload).unwrap();
                let _ = results.send(job);
                match answer {
                    Answer::Stored | Answer::StoredBlindly => request.succeed([]),
                    Answer::Nothing => unanswered.push(request),
                    Answer::Later => request.fail("try again later: not today"),
                    Answer::Refused => request.fail("no such job"),
                }
            }
            Event::Channel(channel) => {
                let (kind, extra) = (channel.kind.clone(), channel.extra.clone());
                let mut channel = channel.accept();
                if answer == Answer::StoredBlindly {
                    unread.push(channel);
                    continue;
                }
                let (results, streams) = (results.clone(), streams.clone());
                tasks.spawn("channel", async move {
                    let mut data = Vec::new();
                    let _ = channel.read_to_end(&mut data).await;
                    if kind == KIND_CMD_RESULT {
                        let job: Job = json::decode(&data).unwrap();
                        assert_eq!(job.jid.as_bytes(), extra);
                        channel.write_all(&ResultVerdict::Stored.encode()).await.unwrap();
                        let _ = results.send(job);
                    } else {
                        let order: Job = json::decode(&extra).unwrap();
                        let _ = streams.send((format!("{kind} of {}", order.jid), data));
                    }
                });
            }
        }
    }
}

/// The server's end of a link, and what came over it.
pub(super) struct Server {
    pub(super) link: Connection,
    pub(super) results: mpsc::UnboundedReceiver<Job>,
    pub(super) streams: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    in_use: LinkInUse,
    tasks: Tasks,
}

impl Server {
    pub(super) async fn run(&self, job: &Job) -> Result<RunCmdReply, String> {
        self.run_payload(&RunCmd(job.clone()).encode()).await
    }

    pub(super) async fn run_payload(&self, payload: &[u8]) -> Result<RunCmdReply, String> {
        match self.link.call(RunCmd::NAME, payload, DEADLINE).await.unwrap() {
            Reply::Success(payload) => Ok(RunCmd::decode_reply(&payload).unwrap()),
            Reply::Failure(text) => Err(String::from_utf8(text.to_vec()).unwrap()),
        }
    }

    pub(super) async fn abort(&self, jid: &str) -> AbortState {
        let request = AbortCmd { jid: jid.to_owned() };
        match self
            .link
            .call(AbortCmd::NAME, request.encode(), DEADLINE)
            .await
            .unwrap()
        {
            Reply::Success(payload) => AbortCmd::decode_reply(&payload).unwrap().state,
            Reply::Failure(text) => panic!("{text:?}"),
        }
    }

    pub(super) async fn result(&mut self) -> Job {
        timeout(DEADLINE, self.results.recv())
            .await
            .expect("a result in time")
            .unwrap()
    }

    /// Runs a job and waits for its result.
    pub(super) async fn outcome(&mut self, job: &Job) -> Job {
        self.run(job).await.unwrap();
        self.result().await
    }

    /// Cuts the link.
    pub(super) async fn cut(self) {
        self.link.close();
        drop(self.in_use);
        self.tasks.abort();
        timeout(DEADLINE, self.tasks.wait()).await.unwrap();
    }
}

/// A script as the server orders it.
pub(super) fn script(jid: &str, text: &str) -> Job {
    Job {
        jid: jid.to_owned(),
        command: text.to_owned(),
        is_script: true,
        timeout_sec: 60,
        created_by: "admin".to_owned(),
        ..Job::default()
    }
}

pub(super) fn stdout(job: &Job) -> &str {
    &job.result.as_ref().unwrap().stdout
}

pub(super) fn stderr(job: &Job) -> &str {
    &job.result.as_ref().unwrap().stderr
}

/// Whether a process is there and not merely unburied.
pub(super) fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}
