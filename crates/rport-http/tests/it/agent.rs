//! An agent of a few lines: it connects, agrees to everything, and echoes.

use std::net::SocketAddr;

use rport_protocol::to_client::{
    AbortCmd, AbortCmdReply, AbortState, CheckPort, CheckPortReply, CheckTunnelAllowed,
    CheckTunnelAllowedReply, RunCmd, RunCmdReply, UpdateClientMetadata, UpdateClientMetadataReply,
};
use rport_protocol::to_server::{CmdResult, NewConnection};
use rport_protocol::{GoTime, Job, JobResult, Request};
use rport_runtime::{Secret, Tasks};
use rport_transport::{
    AgentCredentials, Channel, Connection, DialOptions, Event, Incoming, IncomingRequest, LinkOptions, Reply,
    connect, dial,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::rig::PATIENCE;

/// The target port on which, the agent says, nothing listens.
pub(crate) const CLOSED_PORT: &str = "127.0.0.1:9";

/// The tag with which the agent refuses attributes.
pub(crate) const UNWANTED_TAG: &str = "unwanted";
/// The tag with which the agent does as agents before 0.9.7 do.
pub(crate) const OLD_AGENT_TAG: &str = "old agent";

/// A connected agent. Dropping it cuts the link.
pub(crate) struct Agent {
    connection: Connection,
    /// Orders for jobs, which the test answers.
    orders: mpsc::UnboundedReceiver<IncomingRequest>,
}

impl Agent {
    /// Connects as the client `id`.
    pub(crate) async fn connect(server: SocketAddr, id: &str, tasks: &Tasks) -> Self {
        let url = server.to_string().parse().expect("server address");
        let ws = dial(&url, &DialOptions::default())
            .await
            .expect("the server is reached");
        let credentials = AgentCredentials {
            user: "agent".to_owned(),
            password: Secret::new("agent password"),
        };
        let link = connect(ws, &credentials, None, &LinkOptions::default(), tasks)
            .await
            .expect("handshake");
        let (sender, orders) = mpsc::unbounded_channel();
        tasks.spawn("test-agent", serve(link.incoming, sender, tasks.clone()));
        let hello = NewConnection {
            id: id.to_owned(),
            name: format!("name of {id}"),
            session_id: format!("session of {id}"),
            version: "1.0.0".to_owned(),
            ..NewConnection::default()
        };
        let reply = link
            .connection
            .call(NewConnection::NAME, hello.encode(), PATIENCE)
            .await
            .expect("an answer");
        assert!(matches!(reply, Reply::Success(_)), "{reply:?}");
        Self {
            connection: link.connection,
            orders,
        }
    }

    async fn order(&mut self, name: &str) -> IncomingRequest {
        let order = timeout(PATIENCE, self.orders.recv())
            .await
            .expect("an order in time");
        let order = order.expect("connected");
        assert_eq!(order.name, name);
        order
    }

    /// Takes the next order and says that it runs.
    pub(crate) async fn start(&mut self) -> Job {
        let order = self.order(RunCmd::NAME).await;
        let RunCmd(job) = RunCmd::decode(&order.payload).expect("the server's own request");
        order.succeed(RunCmd::encode_reply(&RunCmdReply {
            pid: 4711,
            started_at: GoTime::parse("2024-05-01T10:00:01Z").expect("a time"),
        }));
        job
    }

    /// Refuses the next order.
    pub(crate) async fn refuse(&mut self, words: &str) {
        self.order(RunCmd::NAME).await.fail(words);
    }

    /// Agrees to end the next job that shall end.
    pub(crate) async fn abort(&mut self) -> String {
        let order = self.order(AbortCmd::NAME).await;
        let AbortCmd { jid } = AbortCmd::decode(&order.payload).expect("the server's own request");
        let state = AbortState::Aborting;
        order.succeed(AbortCmd::encode_reply(&AbortCmdReply { state }));
        jid
    }

    /// Opens a channel for output of a job.
    pub(crate) async fn output(&self, kind: &str, job: &Job) -> Channel {
        let extra = RunCmd(job.clone()).encode();
        self.connection.open(kind, &extra).await.expect("taken")
    }

    /// Reports the end of a job.
    pub(crate) async fn finish(&self, job: Job, status: &str, stdout: &str) {
        let job = Job {
            status: status.to_owned(),
            pid: Some(4711),
            started_at: GoTime::parse("2024-05-01T10:00:01Z").expect("a time"),
            finished_at: Some(GoTime::parse("2024-05-01T10:00:02Z").expect("a time")),
            result: Some(JobResult {
                stdout: stdout.to_owned(),
                summary: format!("summary of {stdout}"),
                ..JobResult::default()
            }),
            ..job
        };
        let (name, payload) = (CmdResult::NAME, CmdResult(job).encode());
        let reply = self.connection.call(name, payload, PATIENCE).await;
        let reply = reply.expect("an answer");
        assert!(matches!(reply, Reply::Success(_)), "{reply:?}");
    }
}

async fn serve(mut incoming: Incoming, orders: mpsc::UnboundedSender<IncomingRequest>, tasks: Tasks) {
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) if [RunCmd::NAME, AbortCmd::NAME].contains(&request.name.as_str()) => {
                let _ = orders.send(request);
            }
            Event::Request(request) => answer(request),
            Event::Channel(channel) => {
                tasks.spawn("test-echo", echo(channel.accept()));
            }
        }
    }
}

fn answer(request: IncomingRequest) {
    match request.name.as_str() {
        CheckTunnelAllowed::NAME => {
            let reply = CheckTunnelAllowedReply { is_allowed: true };
            request.succeed(serde_json::to_vec(&reply).expect("JSON"));
        }
        CheckPort::NAME => {
            let asked = CheckPort::decode(&request.payload).expect("the server's own request");
            let open = asked.host_port != CLOSED_PORT;
            let reply = CheckPortReply {
                open,
                err_msg: String::new(),
            };
            request.succeed(serde_json::to_vec(&reply).expect("JSON"));
        }
        UpdateClientMetadata::NAME => {
            let asked = UpdateClientMetadata::decode(&request.payload).expect("the server's own request");
            let has = |tag: &str| asked.tags.iter().flatten().any(|own| own == tag);
            if has(UNWANTED_TAG) {
                return request.fail("attributes file path not set");
            }
            if has(OLD_AGENT_TAG) {
                return request.fail("unknown request");
            }
            let reply = UpdateClientMetadataReply {
                status: "OK".to_owned(),
            };
            request.succeed(serde_json::to_vec(&reply).expect("JSON"));
        }
        _ => request.fail("unknown request"),
    }
}

async fn echo(mut channel: Channel) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = channel.read(&mut buffer).await {
        if channel.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
