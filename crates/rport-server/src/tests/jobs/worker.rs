//! An agent whose jobs the test runs.

use rport_domain::JobStatus;
use rport_protocol::channel::KIND_CMD_RESULT;
use rport_protocol::to_client::{AbortCmd, AbortCmdReply, AbortState, RunCmd, RunCmdReply};
use rport_protocol::to_server::CmdResult;
use rport_protocol::{GoTime, Job as WireJob, JobResult, Request, ResultVerdict};
use rport_transport::{Channel, IncomingRequest, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::super::agent::{Agent, hello};
use super::super::{PATIENCE, TestServer, eventually, soon};

pub(super) struct Worker {
    pub(super) agent: Agent,
    orders: mpsc::UnboundedReceiver<IncomingRequest>,
}

/// An order that was not answered yet.
pub(super) struct Asked {
    pub(super) job: WireJob,
    request: IncomingRequest,
}

impl Asked {
    /// Says that it runs.
    pub(super) fn accept(self) -> WireJob {
        let reply = RunCmdReply {
            pid: 4711,
            started_at: GoTime::parse("2024-05-01T10:00:01Z").expect("a time"),
        };
        self.request.succeed(RunCmd::encode_reply(&reply));
        self.job
    }

    pub(super) fn refuse(self, words: &str) {
        self.request.fail(words);
    }

    /// Neither yes nor no; the question stays open as long as what is returned.
    pub(super) fn keep_silent(self) -> IncomingRequest {
        self.request
    }
}

/// What an agent reports of a job.
pub(super) fn ended(job: WireJob, status: JobStatus, stdout: &str) -> WireJob {
    WireJob {
        status: status.to_string(),
        pid: Some(4711),
        started_at: GoTime::parse("2024-05-01T10:00:01Z").expect("a time"),
        finished_at: Some(GoTime::parse("2024-05-01T10:00:02Z").expect("a time")),
        result: Some(JobResult {
            stdout: stdout.to_owned(),
            ..JobResult::default()
        }),
        ..job
    }
}

impl Worker {
    pub(super) async fn connect(server: &TestServer, id: &str) -> Self {
        Self::introduce(server, id, Agent::log_in(server).await).await
    }

    pub(super) async fn connect_go(server: &TestServer, id: &str) -> Self {
        Self::introduce(server, id, Agent::log_in_as_go(server).await).await
    }

    async fn introduce(server: &TestServer, id: &str, agent: Agent) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        *agent.behaviour.orders.lock() = Some(sender);
        let mut hello = hello(id, &format!("session of {id}"));
        hello.tags = Some(vec!["worker".to_owned(), format!("tag of {id}")]);
        soon("connect", agent.request(&hello)).await.expect("accepted");
        eventually("connected", || server.is_connected(id)).await;
        Self { agent, orders }
    }

    async fn next(&mut self, name: &str) -> IncomingRequest {
        let request = soon("a request", self.orders.recv()).await.expect("connected");
        assert_eq!(request.name, name);
        request
    }

    /// The next order.
    pub(super) async fn asked(&mut self) -> Asked {
        let request = self.next(RunCmd::NAME).await;
        let RunCmd(job) = RunCmd::decode(&request.payload).expect("a job");
        Asked { job, request }
    }

    /// Takes the next order and says that it runs.
    pub(super) async fn start(&mut self) -> WireJob {
        self.asked().await.accept()
    }

    /// Runs the next order to its end.
    pub(super) async fn run(&mut self, status: JobStatus, stdout: &str) {
        let job = self.start().await;
        assert_eq!(self.report(ended(job, status, stdout)).await, Ok(()));
    }

    /// Loses the link before an order is answered.
    pub(super) async fn lose(&self, asked: Asked) {
        self.agent.connection.close();
        soon("closed", self.agent.connection.closed()).await;
        drop(asked);
    }

    /// Answers the next wish to end a job.
    pub(super) async fn aborted(&mut self, state: AbortState) -> String {
        let request = self.next(AbortCmd::NAME).await;
        let AbortCmd { jid } = AbortCmd::decode(&request.payload).expect("an id");
        request.succeed(AbortCmd::encode_reply(&AbortCmdReply { state }));
        jid
    }

    /// Whether nothing was asked, as far as a round trip can tell.
    pub(super) async fn is_idle(&mut self) -> bool {
        let ping = rport_protocol::to_server::Ping::NAME;
        let answered = self.agent.connection.call(ping, b"", PATIENCE).await;
        answered.expect("an answer");
        self.orders.try_recv().is_err()
    }

    /// Reports a result; the server's refusal is the error.
    pub(super) async fn report(&self, job: WireJob) -> Result<(), String> {
        self.report_bytes(CmdResult(job).encode()).await
    }

    pub(super) async fn report_bytes(&self, payload: Vec<u8>) -> Result<(), String> {
        let link = &self.agent.connection;
        match link
            .call(CmdResult::NAME, payload, PATIENCE)
            .await
            .expect("an answer")
        {
            Reply::Success(_) => Ok(()),
            Reply::Failure(text) => Err(String::from_utf8_lossy(&text).into_owned()),
        }
    }

    /// Reports a result without wanting an answer, as Go agents do.
    pub(super) async fn notify(&self, job: WireJob) {
        let payload = CmdResult(job).encode();
        let link = &self.agent.connection;
        link.notify(CmdResult::NAME, payload).await.expect("sent");
    }

    /// Reports a result through a channel.
    pub(super) async fn report_large(&self, id: &str, payload: &[u8]) -> ResultVerdict {
        let mut channel = self.open(KIND_CMD_RESULT, id.as_bytes()).await.expect("accepted");
        // A server that has heard enough closes early.
        let _ = channel.write_all(payload).await;
        let _ = channel.shutdown().await;
        let mut answer = Vec::new();
        let reading = soon("a verdict", channel.read_to_end(&mut answer)).await;
        reading.expect("readable");
        ResultVerdict::decode(&answer).expect("a verdict")
    }

    pub(super) async fn open(&self, kind: &str, extra: &[u8]) -> Result<Channel, String> {
        let opening = soon("an answer", self.agent.connection.open(kind, extra)).await;
        opening.map_err(|error| error.to_string())
    }
}
