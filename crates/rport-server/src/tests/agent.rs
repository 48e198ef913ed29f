//! An agent that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rport_protocol::Request;
use rport_protocol::to_client::{
    AbortCmd, CheckPort, CheckPortReply, CheckTunnelAllowed, CheckTunnelAllowedReply, Ping, PutCapabilities,
    RunCmd,
};
use rport_protocol::to_server::NewConnection;
use rport_protocol::{Remote, ServerUrl, texts};
use rport_runtime::{Secret, Tasks};
use rport_transport::{
    AgentCredentials, Channel, Connection, DialOptions, Event, HandshakeError, Incoming, IncomingRequest,
    Link, LinkOptions, Reply, connect, dial,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{PATIENCE, TestServer, soon};

/// How the agent behaves; can be changed while it runs.
#[derive(Default)]
pub(super) struct Behaviour {
    /// Never answers anything.
    pub(super) mute: AtomicBool,
    /// Answers like an agent that knows no `check_tunnel_allowed`.
    pub(super) old: AtomicBool,
    /// Allows no target.
    pub(super) allows_nothing: AtomicBool,
    /// Says that nothing listens on its ports.
    pub(super) ports_closed: AtomicBool,
    /// How often capabilities arrived.
    pub(super) capabilities: AtomicUsize,
    /// Who serves `run_cmd` and `abort_cmd`.
    pub(super) orders: Mutex<Option<mpsc::UnboundedSender<IncomingRequest>>>,
}

/// A logged-in agent. Everything a channel brings is sent back.
pub(super) struct Agent {
    pub(super) connection: Connection,
    pub(super) behaviour: Arc<Behaviour>,
    pub(super) tasks: Tasks,
}

pub(super) fn hello(id: &str, session: &str) -> NewConnection {
    NewConnection {
        id: id.into(),
        name: format!("name of {id}"),
        session_id: session.into(),
        version: "0.9.14".into(),
        hostname: format!("{id}.example.com"),
        ..NewConnection::default()
    }
}

pub(super) async fn log_in(
    server: &TestServer,
    user: &str,
    password: &str,
    tasks: &Tasks,
) -> Result<Link, HandshakeError> {
    log_in_with(server, user, password, &LinkOptions::default(), tasks).await
}

async fn log_in_with(
    server: &TestServer,
    user: &str,
    password: &str,
    options: &LinkOptions,
    tasks: &Tasks,
) -> Result<Link, HandshakeError> {
    let url: ServerUrl = format!("http://{}", server.address).parse().expect("a URL");
    let stream = dial(&url, &DialOptions::default()).await.expect("dials");
    let credentials = AgentCredentials {
        user: user.into(),
        password: Secret::from(password),
    };
    connect(stream, &credentials, None, options, tasks).await
}

impl Agent {
    /// Logs in and serves what the server asks, without asking to be a client yet.
    pub(super) async fn log_in(server: &TestServer) -> Self {
        Self::log_in_as(server, "rport", "s3cret").await
    }

    pub(super) async fn log_in_as(server: &TestServer, user: &str, password: &str) -> Self {
        Self::log_in_with(server, user, password, &LinkOptions::default()).await
    }

    /// Logs in as a Go agent does: without a sign that it is one of our own programs.
    pub(super) async fn log_in_as_go(server: &TestServer) -> Self {
        let options = LinkOptions {
            anonymous: true,
            ..LinkOptions::default()
        };
        Self::log_in_with(server, "rport", "s3cret", &options).await
    }

    async fn log_in_with(server: &TestServer, user: &str, password: &str, options: &LinkOptions) -> Self {
        let tasks = Tasks::new();
        let link = soon("login", log_in_with(server, user, password, options, &tasks))
            .await
            .expect("logs in");
        let behaviour = Arc::<Behaviour>::default();
        tasks.spawn(
            "fake_agent",
            serve(link.incoming, behaviour.clone(), tasks.clone()),
        );
        Self {
            connection: link.connection,
            behaviour,
            tasks,
        }
    }

    /// Logs in and becomes a client.
    pub(super) async fn connect(server: &TestServer, id: &str, session: &str) -> Self {
        let agent = Self::log_in(server).await;
        agent.request(&hello(id, session)).await.expect("accepted");
        agent
    }

    /// Sends a connection request; the refusal's text is the error.
    pub(super) async fn request(&self, hello: &NewConnection) -> Result<Option<Vec<Remote>>, String> {
        match self
            .connection
            .call(NewConnection::NAME, hello.encode(), PATIENCE)
            .await
        {
            Ok(Reply::Success(payload)) => Ok(NewConnection::decode_reply(&payload).expect("readable")),
            Ok(Reply::Failure(text)) => Err(String::from_utf8(text.to_vec()).expect("text")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Vanishes without a word.
    pub(super) fn vanish(self) {
        self.connection.close();
        self.tasks.abort();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn serve(mut incoming: Incoming, behaviour: Arc<Behaviour>, tasks: Tasks) {
    let mut unanswered = Vec::new();
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) if behaviour.mute.load(Ordering::Relaxed) => unanswered.push(request),
            Event::Request(request) => answer(request, &behaviour),
            Event::Channel(channel) => {
                tasks.spawn("fake_service", echo(channel.accept()));
            }
        }
    }
}

fn answer(request: IncomingRequest, behaviour: &Behaviour) {
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    match request.name.as_str() {
        Ping::NAME => request.succeed(b""),
        PutCapabilities::NAME => {
            behaviour.capabilities.fetch_add(1, Ordering::Relaxed);
        }
        CheckTunnelAllowed::NAME if is(&behaviour.old) => request.fail(texts::UNKNOWN_REQUEST),
        CheckTunnelAllowed::NAME => {
            let reply = CheckTunnelAllowedReply {
                is_allowed: !is(&behaviour.allows_nothing),
            };
            request.succeed(CheckTunnelAllowed::encode_reply(&reply));
        }
        CheckPort::NAME => {
            let open = !is(&behaviour.ports_closed);
            let err_msg = if open {
                String::new()
            } else {
                "connection refused".to_owned()
            };
            request.succeed(CheckPort::encode_reply(&CheckPortReply { open, err_msg }));
        }
        RunCmd::NAME | AbortCmd::NAME => {
            if let Some(orders) = &*behaviour.orders.lock() {
                let _ = orders.send(request);
            }
        }
        _ => drop(request),
    }
}

async fn echo(channel: Channel) {
    let (mut read, mut write) = tokio::io::split(channel);
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = read.read(&mut buffer).await {
        if write.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = write.shutdown().await;
}
