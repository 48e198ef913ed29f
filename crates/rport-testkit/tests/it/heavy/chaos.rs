//! A thousand faults between agents and their server: nobody stays stuck, nothing is left behind.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rport_testkit::{
    api::Api,
    chaos::{ChaosProxy, Cut, Mode},
    eventually, eventually_ok,
    pair::CONNECT_LIMIT,
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
    service::Service,
    visitor,
};
use tokio::{task::JoinSet, time::timeout};

const AGENTS: u16 = 20;
const FAULTS_EACH: u32 = 50;
/// A fault must be over within this, however unlucky the agent.
const RECOVERY: Duration = Duration::from_secs(60);
/// Through a tunnel of a dead link nothing comes back; the next try goes through its successor.
const PATIENCE: Duration = Duration::from_secs(2);

/// A small generator, so that a failed run can be repeated: the seed is the agent's number.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut(Cut),
    For(Mode),
}

const FAULTS: [Fault; 12] = [
    Fault::Cut(Cut::Reset),
    Fault::Cut(Cut::Reset),
    Fault::Cut(Cut::Close),
    Fault::Cut(Cut::OnlyServerHears),
    Fault::Cut(Cut::OnlyAgentHears),
    Fault::Cut(Cut::NobodyHears),
    Fault::For(Mode::Stall),
    Fault::For(Mode::Swallow),
    Fault::For(Mode::SwallowFromAgent),
    Fault::For(Mode::SwallowFromServer),
    Fault::For(Mode::Trickle(Duration::from_millis(1))),
    Fault::For(Mode::Delay(Duration::from_millis(80))),
];

/// Waits until bytes come through the tunnel and back.
async fn works(tunnel: SocketAddr, what: &str) {
    eventually(what, RECOVERY, || async {
        timeout(PATIENCE, visitor::echo_tcp(tunnel, 2_000))
            .await
            .ok()?
            .ok()
    })
    .await;
}

/// Puts one agent through its faults.
async fn torment(number: u16, proxy: ChaosProxy, tunnel: SocketAddr) -> ChaosProxy {
    let mut dice = Dice::new(u64::from(number) + 1);
    let mut kept = Vec::new();
    for round in 0..FAULTS_EACH {
        let fault = dice.pick(&FAULTS);
        // Some faults meet a busy link: this visit may get anywhere or nowhere.
        let busy = dice.below(2) == 0;
        let visit = async {
            if busy {
                let _ = timeout(PATIENCE, visitor::echo_tcp(tunnel, 300_000)).await;
            }
        };
        let pause = Duration::from_millis(dice.below(120));
        let strike = async {
            tokio::time::sleep(pause).await;
            match fault {
                Fault::Cut(cut) => proxy.cut(cut),
                Fault::For(mode) => {
                    proxy.set(mode);
                    tokio::time::sleep(Duration::from_millis(100 + dice.below(2_400))).await;
                    proxy.set(Mode::Pass);
                }
            }
        };
        tokio::join!(visit, strike);
        works(
            tunnel,
            &format!("agent {number} to recover from fault {round}, {fault:?}"),
        )
        .await;
        // A visitor that never leaves by itself is part of a tunnel's life.
        if let Ok(socket) = tokio::net::TcpStream::connect(tunnel).await {
            kept.push(socket);
            kept.drain(..kept.len().saturating_sub(3));
        }
    }
    proxy
}

fn open_files(pid: u32) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// The tasks of the server, without those that callers of the API cause.
async fn busy_tasks(api: &Api) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut tasks = api.tasks().await?;
    // Calls come with tasks of their own, and are noted in the audit log by another.
    let by_caller = |name: &str| name == "audit_login" || name.starts_with("api") || name.starts_with("http");
    tasks.retain(|name, count| *count > 0 && !by_caller(name));
    Ok(tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_faults_leave_nothing_behind() -> anyhow::Result<()> {
    let start = Instant::now();
    let service = Service::tcp_echo().await?;
    let mut config = ServerConfig::new();
    config.tunnel_ports = rport_testkit::ports::tunnel_range(AGENTS + 10);
    // Writing down a thousand faults would be most of the work.
    config.log_level = "error";
    config.metrics = true;
    let first = config.tunnel_ports.0;
    let server = ServerProcess::start_with(config).await?;
    let api = server.api();
    let pid = server.child.pid().expect("the server runs");
    let files_before = open_files(pid)?;
    let tasks_before = busy_tasks(&api).await?;

    let mut agents = Vec::new();
    let mut torments = JoinSet::new();
    for number in 0..AGENTS {
        let proxy = ChaosProxy::start(server.config.agents).await?;
        let tunnel = SocketAddr::from(([127, 0, 0, 1], first + number));
        let mut config = AgentConfig::new(&format!("victim-{number}"), proxy.address())
            .remote(format!("{tunnel}:127.0.0.1:{}", service.port()))
            .connection("keep_alive = \"1s\"")
            .connection("keep_alive_timeout = \"1s\"")
            .connection("max_retry_interval = \"1s\"");
        config.log_level = "error";
        agents.push(AgentProcess::start(config)?);
        torments.spawn(async move {
            works(tunnel, &format!("the tunnel of agent {number} to open")).await;
            torment(number, proxy, tunnel).await
        });
    }
    let mut proxies = Vec::new();
    while let Some(proxy) = torments.join_next().await {
        proxies.push(proxy?);
    }

    // No stuck agents, no ghosts, no doubles.
    for number in 0..AGENTS {
        let tunnels = api.wait_tunnels(&format!("victim-{number}"), 1, RECOVERY).await;
        assert_eq!(tunnels[0].address.port(), first + number);
    }
    let status = api.get("/status").await?.data()?;
    assert_eq!(status["clients_connected"], AGENTS, "{status}");
    assert_eq!(status["clients_disconnected"], 0, "{status}");
    // No port that belongs to nobody.
    for port in first + AGENTS..=server.config.tunnel_ports.1 {
        assert!(
            !visitor::is_open(([127, 0, 0, 1], port).into()).await,
            "port {port} leaked"
        );
    }
    eventually_ok(
        "the server's open files to be those of its agents",
        Duration::from_secs(60),
        || async {
            let files = open_files(pid)?;
            // Per agent: the link and the tunnel's listener.
            anyhow::ensure!(
                files <= files_before + 2 * usize::from(AGENTS) + 20,
                "{files}, {files_before} at first"
            );
            anyhow::Ok(())
        },
    )
    .await;
    for agent in &mut agents {
        assert!(agent.child.ended()?.is_none(), "an agent ended");
        let files = open_files(agent.child.pid().expect("it runs"))?;
        assert!(files < 40, "an agent holds {files} files");
    }

    // And nothing is left when the agents are gone.
    for agent in &mut agents {
        agent.child.kill().await?;
    }
    drop(proxies);
    for number in 0..AGENTS {
        api.wait_disconnected(&format!("victim-{number}"), CONNECT_LIMIT)
            .await;
        assert!(
            !visitor::is_open(([127, 0, 0, 1], first + number).into()).await,
            "tunnel {number} leaked"
        );
    }
    eventually_ok(
        "the server to close all files",
        Duration::from_secs(30),
        || async {
            let files = open_files(pid)?;
            anyhow::ensure!(files <= files_before + 8, "{files}, {files_before} at first");
            anyhow::Ok(())
        },
    )
    .await;
    eventually_ok(
        "the server to end all tasks of its agents",
        Duration::from_secs(30),
        || async {
            let tasks = busy_tasks(&api).await?;
            anyhow::ensure!(tasks == tasks_before, "{tasks:?}, {tasks_before:?} at first");
            anyhow::Ok(())
        },
    )
    .await;
    assert!(
        start.elapsed() < Duration::from_secs(600),
        "{:?}",
        start.elapsed()
    );
    Ok(())
}
