//! The program with jobs, killed at the worst moment and started again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::to_client::{RunCmd, RunCmdReply};
use rport_protocol::to_server::{CmdResult, NewConnection};
use rport_protocol::{Job, Request};
use rport_runtime::Tasks;
use rport_transport::{
    Authenticator, Connection, Event, HostKey, Incoming, LinkOptions, Reply, WsStream, accept, ws,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing here takes this long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

struct AnyPassword;

impl Authenticator for AnyPassword {
    async fn verify(&self, _user: &str, _password: &[u8]) -> bool {
        true
    }
}

/// The server's end of a link with an agent it has accepted.
struct Server {
    link: Connection,
    results: mpsc::UnboundedReceiver<Job>,
}

impl Server {
    /// Takes the next agent. One that does not acknowledge results keeps them unanswered.
    async fn next(listener: &TcpListener, acknowledge: bool, tasks: &Tasks) -> Self {
        let (mut socket, _) = timeout(DEADLINE, listener.accept())
            .await
            .expect("an agent")
            .expect("accepted");
        upgrade(&mut socket).await;
        let key = Arc::new(HostKey::from_seed("jobs").expect("a key"));
        let stream = WsStream::server_tcp(socket, Vec::new());
        let link = accept(stream, &key, &AnyPassword, &LinkOptions::default(), tasks)
            .await
            .expect("a handshake");
        let (sender, results) = mpsc::unbounded_channel();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        tasks.spawn("server", serve(link.incoming, acknowledge, sender, ready));
        timeout(DEADLINE, is_ready)
            .await
            .expect("an introduction")
            .expect("it comes");
        Self {
            link: link.connection,
            results,
        }
    }

    async fn run(&self, job: &Job) -> Result<RunCmdReply, String> {
        let call = self
            .link
            .call(RunCmd::NAME, RunCmd(job.clone()).encode(), DEADLINE);
        match call.await.expect("an answer") {
            Reply::Success(payload) => Ok(RunCmd::decode_reply(&payload).expect("a reply")),
            Reply::Failure(text) => Err(String::from_utf8_lossy(&text).into_owned()),
        }
    }

    async fn result(&mut self) -> Job {
        timeout(DEADLINE, self.results.recv())
            .await
            .expect("in time")
            .expect("a result")
    }
}

async fn serve(
    mut incoming: Incoming,
    acknowledge: bool,
    results: mpsc::UnboundedSender<Job>,
    ready: tokio::sync::oneshot::Sender<()>,
) {
    let mut ready = Some(ready);
    let mut unanswered = Vec::new();
    while let Some(event) = incoming.next().await {
        let Event::Request(request) = event else { continue };
        match request.name.as_str() {
            NewConnection::NAME => {
                let introduction = NewConnection::decode(&request.payload).expect("an introduction");
                let commands = introduction
                    .client_configuration
                    .expect("a report")
                    .remote_commands;
                assert!(commands.enabled);
                request.succeed(b"null");
                if let Some(ready) = ready.take() {
                    let _ = ready.send(());
                }
            }
            CmdResult::NAME => {
                let CmdResult(job) = CmdResult::decode(&request.payload).expect("a result");
                let _ = results.send(job);
                if acknowledge {
                    request.succeed([]);
                } else {
                    unanswered.push(request);
                }
            }
            _ => request.succeed([]),
        }
    }
}

async fn upgrade(socket: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.expect("a request"));
    }
    let head = String::from_utf8(head).expect("text");
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, key)| ws::accept_key(key.trim()))
        .expect("a key");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \
         {key}\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).await.expect("answered");
}

/// An agent program; killed without a word when dropped.
struct Agent(Child);

impl Agent {
    fn start(config: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_rport"))
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn script(jid: &str, text: &str) -> Job {
    Job {
        jid: jid.to_owned(),
        command: text.to_owned(),
        is_script: true,
        timeout_sec: 600,
        ..Job::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_knows_its_jobs_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config = dir.path().join("rport.conf");
    let text = format!(
        "[client]\nserver = '{}'\nid = 'jobs'\nallow_root = true\ndata_dir = '{}'\n[connection]\n\
         max_retry_interval = '1s'\n[remote-scripts]\nenabled = true\n",
        listener.local_addr().expect("an address"),
        dir.path().join("data").display(),
    );
    std::fs::write(&config, text).expect("written");
    let file = |name: &str| dir.path().join(name);
    let tasks = Tasks::new();

    let agent = Agent::start(&config);
    let mut server = Server::next(&listener, false, &tasks).await;
    let ended = script(
        "ended",
        &format!("echo ended >> {0}; cat {0}", file("ended").display()),
    );
    server.run(&ended).await.expect("started");
    assert_eq!(server.result().await.result.expect("output").stdout, "ended\n");
    let running = script(
        "running",
        &format!("echo running >> {}; exec sleep 600", file("running").display()),
    );
    let reply = server.run(&running).await.expect("started");
    let begun = async {
        while !file("running").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, begun).await.expect("it runs");
    drop(agent);
    drop(server);

    let _agent = Agent::start(&config);
    let mut server = Server::next(&listener, true, &tasks).await;
    let mut results = [server.result().await, server.result().await];
    results.sort_by(|a, b| a.jid.cmp(&b.jid));
    let [ended_result, running_result] = results;
    assert_eq!(ended_result.jid, "ended");
    assert_eq!(ended_result.status, "successful");
    assert_eq!(ended_result.result.expect("output").stdout, "ended\n");
    assert_eq!(running_result.jid, "running");
    assert_eq!(running_result.status, "unknown");
    assert_eq!(
        running_result.error,
        format!(
            "the agent ended while the job ran, so its outcome and output are not known; still running: {}",
            reply.pid
        )
    );
    // Asked again, in whatever state of delivery, neither is started again.
    for job in [&ended, &running] {
        match server.run(job).await {
            Ok(_) => {}
            Err(text) => assert!(text.starts_with("job was run already:"), "{text}"),
        }
        let content = std::fs::read_to_string(file(&job.jid)).expect("its file");
        assert_eq!(content, format!("{}\n", job.jid), "run once");
    }
    let pid = i32::try_from(reply.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("left running, as reported");
    let after = server.run(&script("after", "echo after")).await;
    assert!(after.is_ok());
    assert_eq!(server.result().await.jid, "after");
    tasks.shutdown(Duration::from_millis(100)).await;
}
