//! A whole agent against servers that misbehave at every step.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::Request;
use rport_protocol::to_server::NewConnection;
use rport_runtime::Tasks;
use rport_transport::{Authenticator, Event, HostKey, Link, LinkOptions, WsStream, accept, ws};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::agent::{Agent, AgentHandle, AgentState};
use crate::config::{self, AgentConfig, StepTimeouts};

/// Nothing in these tests takes this long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a server treats one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Behaviour {
    /// Accepts TCP and says nothing.
    SilentFromTheStart,
    /// Answers HTTP, but as some other web server.
    NotRport,
    /// Upgrades and says nothing.
    SilentAfterUpgrade,
    /// Upgrades and sends what is no SSH.
    GarbageAfterUpgrade,
    /// Refuses the password.
    WrongPassword,
    /// Closes as soon as the agent is logged in.
    ClosesAfterLogin,
    /// Never answers the connection request.
    SilentAboutRequest,
    /// Refuses the connection request, and keeps the link open as a Go server does.
    Refuses(&'static str),
    /// Accepts with a reply that makes no sense.
    RepliesNonsense,
    /// Accepts, and closes at once.
    AcceptsAndCloses,
    /// Accepts, and never answers anything again.
    AcceptsAndFreezes,
    /// Does its work.
    Serves,
}

struct Password(bool);

impl Authenticator for Password {
    async fn verify(&self, user: &str, password: &[u8]) -> bool {
        self.0 && user == "user" && password == b"password"
    }
}

/// A server that treats its first connection as the first behaviour says, and so on; the last one stays.
struct FakeServer {
    address: SocketAddr,
    /// Connection requests as they arrive.
    requests: mpsc::UnboundedReceiver<NewConnection>,
    tasks: Tasks,
}

impl FakeServer {
    async fn start(behaviours: &[Behaviour]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, behaviours)
    }

    fn on(listener: TcpListener, behaviours: &[Behaviour]) -> Self {
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new();
        let (sender, requests) = mpsc::unbounded_channel();
        let (behaviours, below) = (behaviours.to_vec(), tasks.child());
        let soft = tasks.soft();
        tasks.spawn("listener", async move {
            let mut number = 0;
            while let Some(Ok((socket, _))) = soft.run_until_cancelled(listener.accept()).await {
                let behaviour = behaviours[number.min(behaviours.len() - 1)];
                number += 1;
                let treating = treat(socket, behaviour, sender.clone(), below.clone());
                let soft = below.soft();
                below.spawn("connection", async move {
                    soft.run_until_cancelled(treating).await;
                });
            }
        });
        Self {
            address,
            requests,
            tasks,
        }
    }

    async fn stop(self) {
        self.tasks.abort();
        self.tasks.shutdown(DEADLINE).await;
    }
}

async fn treat(
    mut socket: TcpStream,
    behaviour: Behaviour,
    requests: mpsc::UnboundedSender<NewConnection>,
    tasks: Tasks,
) {
    if behaviour == Behaviour::SilentFromTheStart {
        return hold(socket).await;
    }
    if upgrade(&mut socket, behaviour == Behaviour::NotRport)
        .await
        .is_none()
    {
        return;
    }
    match behaviour {
        Behaviour::SilentAfterUpgrade => return hold(socket).await,
        Behaviour::GarbageAfterUpgrade => {
            let _ = socket.write_all(&[0x82, 5, b'h', b'e', b'l', b'l', b'\n']).await;
            let _ = socket.write_all(&[0xff; 300]).await;
            return hold(socket).await;
        }
        _ => {}
    }
    let host_key = Arc::new(HostKey::from_seed("test").unwrap());
    let password = Password(behaviour != Behaviour::WrongPassword);
    let options = LinkOptions::default();
    let stream = WsStream::server_tcp(socket, Vec::new());
    let Ok(link) = accept(stream, &host_key, &password, &options, &tasks).await else {
        return;
    };
    serve(link, behaviour, requests).await;
}

/// Keeps a socket open without a word.
async fn hold(mut socket: TcpStream) {
    let mut buffer = [0; 1024];
    while socket.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

async fn upgrade(socket: &mut TcpStream, refuse: bool) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    if refuse {
        let _ = socket
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            .await;
        return None;
    }
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value.trim())
    })?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        ws::accept_key(key)
    );
    socket.write_all(answer.as_bytes()).await.ok()
}

async fn serve(link: Link, behaviour: Behaviour, requests: mpsc::UnboundedSender<NewConnection>) {
    let mut link = link;
    if behaviour == Behaviour::ClosesAfterLogin {
        return;
    }
    let mut unanswered = Vec::new();
    while let Some(event) = link.incoming.next().await {
        let Event::Request(request) = event else {
            continue;
        };
        if request.name != NewConnection::NAME {
            match behaviour {
                Behaviour::AcceptsAndFreezes => unanswered.push(request),
                _ => request.succeed(b""),
            }
            continue;
        }
        let introduction = NewConnection::decode(&request.payload).expect("a sound connection request");
        match behaviour {
            Behaviour::SilentAboutRequest => unanswered.push(request),
            Behaviour::Refuses(text) => request.fail(text),
            Behaviour::RepliesNonsense => request.succeed(b"{\"not\":\"a list\"}"),
            _ => request.succeed(NewConnection::encode_reply(&introduction.remotes.clone())),
        }
        let _ = requests.send(introduction);
        if behaviour == Behaviour::AcceptsAndCloses {
            link.connection.flush_and_close(Duration::from_secs(1)).await;
        }
    }
}

/// A configuration that fails fast.
fn config(server: SocketAddr, more: &str) -> AgentConfig {
    let text = format!(
        "[client]\nserver = '{server}'\nauth = 'user:password'\nid = 'test'\n{more}\n[connection]\n\
         keep_alive = '50ms'\nkeep_alive_timeout = '500ms'\nmax_retry_interval = '1s'\n"
    );
    with_short_timeouts(&text)
}

fn with_short_timeouts(text: &str) -> AgentConfig {
    let mut config = config::from_toml(text).unwrap();
    // Long enough for a handshake on a busy machine, short enough to go through many of them.
    let short = Duration::from_secs(1);
    config.connection.timeouts = StepTimeouts {
        dial: short,
        login: Duration::from_secs(2),
        admission: short,
    };
    config
}

/// Waits for a state, and cuts every pause short meanwhile.
async fn until(agent: &AgentHandle, wanted: impl Fn(&AgentState) -> bool) -> AgentState {
    let state = agent.state();
    let reached = async {
        loop {
            let now = state.borrow().clone();
            if wanted(&now) {
                return now;
            }
            if matches!(now, AgentState::Waiting { .. }) {
                agent.retry_now();
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = timeout(DEADLINE, reached).await;
    waited.unwrap_or_else(|_| panic!("the agent is stuck: {:?}", state.borrow()))
}

async fn finish(agent: AgentHandle, tasks: Tasks) {
    assert_eq!(
        agent.stop(Duration::from_secs(5)).await,
        0,
        "a task had to be aborted"
    );
    timeout(Duration::from_secs(1), tasks.wait())
        .await
        .expect("no task is left behind");
}

const FAULTS: [Behaviour; 11] = [
    Behaviour::SilentFromTheStart,
    Behaviour::NotRport,
    Behaviour::SilentAfterUpgrade,
    Behaviour::GarbageAfterUpgrade,
    Behaviour::WrongPassword,
    Behaviour::ClosesAfterLogin,
    Behaviour::SilentAboutRequest,
    Behaviour::Refuses("client is already connected: me [test]"),
    Behaviour::RepliesNonsense,
    Behaviour::AcceptsAndCloses,
    Behaviour::AcceptsAndFreezes,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_server_does_the_agent_comes_back() {
    let mut behaviours = FAULTS.to_vec();
    behaviours.push(Behaviour::Serves);
    let mut server = FakeServer::start(&behaviours).await;
    let tasks = Tasks::new();
    let agent = Agent::start(config(server.address, ""), &tasks);
    // Silent about the request, refusing, replying nonsense, closing, freezing: five ask in vain before the last.
    for _ in 0..6 {
        let request = tokio::select! {
            request = timeout(DEADLINE, server.requests.recv()) => request,
            _ = until(&agent, AgentState::is_final) => panic!("the agent ended"),
        };
        let request = request.expect("the agent asks again").expect("the server runs");
        assert_eq!(request.session_id, agent.session_id(), "the session id stays");
    }
    until(&agent, AgentState::is_connected).await;
    // It stays, although a frozen link would have been noticed by now several times.
    let lost = async {
        let mut state = agent.state();
        let _ = state.wait_for(|state| !state.is_connected()).await;
    };
    assert!(
        timeout(Duration::from_secs(1), lost).await.is_err(),
        "a healthy link was given up"
    );
    finish(agent, tasks).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_stops_at_once_wherever_it_is() {
    for behaviour in FAULTS.into_iter().chain([Behaviour::Serves]) {
        let server = FakeServer::start(&[behaviour]).await;
        let tasks = Tasks::new();
        let agent = Agent::start(config(server.address, ""), &tasks);
        let started = |state: &AgentState| *state != AgentState::Starting;
        until(&agent, started).await;
        let stopped = timeout(Duration::from_secs(2), finish(agent, tasks)).await;
        stopped.unwrap_or_else(|_| panic!("stopping took too long: {behaviour:?}"));
        server.stop().await;
    }
}

#[tokio::test]
async fn the_configured_number_of_failures_is_the_end() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let text = format!(
        "[client]\nserver = '{nobody}'\n[connection]\nmax_retry_count = 2\nmax_retry_interval = '1s'\n"
    );
    let tasks = Tasks::new();
    let agent = Agent::start(with_short_timeouts(&text), &tasks);
    assert_eq!(until(&agent, AgentState::is_final).await, AgentState::GaveUp);
    assert_eq!(agent.ended().await, AgentState::GaveUp);
    assert_eq!(agent.connected().await, None);
    finish(agent, tasks).await;
}

#[tokio::test]
async fn the_introduction_says_who_we_are() {
    let mut server = FakeServer::start(&[Behaviour::Serves]).await;
    let tasks = Tasks::new();
    let more = "name = 'Test'\ntags = ['a', 'b']\nremotes = ['4000:22', '127.0.0.1:53/udp']";
    let agent = Agent::start(config(server.address, more), &tasks);
    let request = timeout(DEADLINE, server.requests.recv()).await.unwrap().unwrap();
    assert_eq!((request.id.as_str(), request.name.as_str()), ("test", "Test"));
    assert_eq!(request.version, crate::VERSION);
    assert_eq!(request.tags.as_deref().unwrap(), ["a", "b"]);
    assert_eq!(request.labels, None);
    assert!(request.num_cpus > 0 && request.memory_total > 0);
    let remotes = timeout(DEADLINE, agent.connected()).await.unwrap().unwrap();
    assert_eq!(Some(remotes), request.remotes);
    assert!(request.client_configuration.is_some());
    finish(agent, tasks).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_server_serves_until_the_main_one_is_back() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let main_address = place.local_addr().unwrap();
    drop(place);
    let bad = FakeServer::start(&[Behaviour::NotRport]).await;
    let mut fallback = FakeServer::start(&[Behaviour::Serves]).await;
    let more = format!(
        "fallback_servers = ['{}', '{}']\nserver_switchback_interval = '1s'",
        bad.address, fallback.address
    );
    let tasks = Tasks::new();
    let agent = Agent::start(config(main_address, &more), &tasks);
    let at = |address: SocketAddr| {
        let url = format!("ws://{address}");
        move |state: &AgentState| matches!(state, AgentState::Connected { server, .. } if *server == url)
    };
    until(&agent, at(fallback.address)).await;
    let first = fallback.requests.recv().await.unwrap();

    let mut main = FakeServer::on(
        TcpListener::bind(main_address).await.unwrap(),
        &[Behaviour::Serves],
    );
    until(&agent, at(main_address)).await;
    let second = main.requests.recv().await.unwrap();
    assert_eq!(first.session_id, second.session_id);
    // The link to the fallback server is gone: only its listener is left.
    let gone = async {
        while fallback.tasks.count() > 1 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, gone)
        .await
        .expect("the fallback link is closed");

    main.stop().await;
    until(&agent, at(fallback.address)).await;
    finish(agent, tasks).await;
    fallback.stop().await;
    bad.stop().await;
}

#[tokio::test]
async fn the_wrong_server_gets_no_password() {
    let server = FakeServer::start(&[Behaviour::Serves]).await;
    let tasks = Tasks::new();
    // The fingerprint of the seed `test` starts with aa:0d.
    let wrong = Agent::start(config(server.address, "fingerprint = 'aa:0e'"), &tasks);
    until(&wrong, |state| matches!(state, AgentState::Waiting { .. })).await;
    finish(wrong, tasks).await;
    let tasks = Tasks::new();
    let right = Agent::start(config(server.address, "fingerprint = 'aa:0d:c9'"), &tasks);
    until(&right, AgentState::is_connected).await;
    finish(right, tasks).await;
    server.stop().await;
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_no_reason_to_end() {
    let server = FakeServer::start(&[Behaviour::Serves]).await;
    let tasks = Tasks::new();
    let agent = Agent::start(config(server.address, "bind_interface = 'nosuch0'"), &tasks);
    until(&agent, |state| matches!(state, AgentState::Waiting { .. })).await;
    finish(agent, tasks).await;
    let tasks = Tasks::new();
    let agent = Agent::start(config(server.address, "bind_interface = 'lo'"), &tasks);
    until(&agent, AgentState::is_connected).await;
    finish(agent, tasks).await;
    server.stop().await;
}
