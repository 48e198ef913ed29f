//! The fleet suite: what many idle agents cost the server.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use super::{proc, report::Table};
use crate::process::{ServerConfig, ServerProcess};

/// What the simulating process prints when all its agents are accepted.
pub const ACCEPTED: &str = "accepted";

/// How long a fleet may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(300);
const QUIET_LIMIT: Duration = Duration::from_secs(10);

/// Connects fleets of growing size to fresh servers, each fleet twice: new clients, then the same ones again.
///
/// The agents live in a process of their own, so that the server's figures are the server's.
///
/// # Errors
///
/// When an agent is not accepted.
pub async fn run(sizes: &[usize], at_once: usize, table: &mut Table) -> anyhow::Result<()> {
    for &size in sizes {
        let mut config = ServerConfig::new();
        config.log_level = "error";
        let mut server = ServerProcess::start_with(config).await?;
        let pid = server.child.pid().context("the server has ended")?;
        let column = format!("{size} agents");
        proc::wait_quiet(QUIET_LIMIT)?;
        let empty = proc::memory(pid)?;
        table.add(
            "server memory without agents: resident",
            "MB",
            &column,
            megabytes(empty.resident),
        );
        for (visit, name) in [(0, "first time"), (1, "again")] {
            let cpu = proc::cpu(pid)?;
            let start = Instant::now();
            let mut agents = Simulation::start(server.config.agents.to_string(), size, at_once).await?;
            agents.accepted().await?;
            let elapsed = start.elapsed();
            let used = proc::cpu(pid)?.saturating_sub(cpu);
            table.add(
                &format!("{name}: all connected after"),
                "s",
                &column,
                elapsed.as_secs_f64(),
            );
            let each = used.as_secs_f64() * 1e3 / size as f64;
            table.add(&format!("{name}: server CPU per agent"), "ms", &column, each);
            if visit == 0 {
                proc::wait_quiet(QUIET_LIMIT)?;
                let full = proc::memory(pid)?;
                let grown = |full: u64, empty: u64| full.saturating_sub(empty) as f64 / 1024.0 / size as f64;
                table.add(
                    "server memory per idle agent: resident",
                    "KiB",
                    &column,
                    grown(full.resident, empty.resident),
                );
                table.add(
                    "server memory per idle agent: its own",
                    "KiB",
                    &column,
                    grown(full.own, empty.own),
                );
            }
            let before = proc::cpu(pid)?;
            agents.stop().await?;
            wait_gone(&server).await?;
            let used = proc::cpu(pid)?.saturating_sub(before);
            let each = used.as_secs_f64() * 1e3 / size as f64;
            table.add(
                &format!("{name}: server CPU per agent that leaves"),
                "ms",
                &column,
                each,
            );
        }
        proc::wait_quiet(QUIET_LIMIT)?;
        let after = proc::memory(pid)?;
        table.add(
            "server memory after all left: resident",
            "MB",
            &column,
            megabytes(after.resident),
        );
        server.child.terminate(Duration::from_secs(30)).await?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits until the server has noticed that all agents are gone.
async fn wait_gone(server: &ServerProcess) -> anyhow::Result<()> {
    let api = server.api();
    let end = Instant::now() + CONNECT_LIMIT;
    while api.connected().await? > 0 {
        anyhow::ensure!(Instant::now() < end, "the server still counts agents that left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A process of this program that simulates agents.
struct Simulation {
    child: Child,
}

impl Simulation {
    async fn start(server: String, count: usize, at_once: usize) -> anyhow::Result<Self> {
        let (id, password) = ServerConfig::AGENT_AUTH;
        let child = Command::new(std::env::current_exe()?)
            .args([
                "agents",
                "--server",
                &server,
                "--auth",
                &format!("{id}:{password}"),
            ])
            .args(["--count", &count.to_string(), "--at-once", &at_once.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child })
    }

    async fn accepted(&mut self) -> anyhow::Result<()> {
        let stdout = self.child.stdout.as_mut().context("no output to read")?;
        let mut line = String::new();
        tokio::time::timeout(CONNECT_LIMIT, BufReader::new(stdout).read_line(&mut line))
            .await
            .with_context(|| format!("the fleet is not connected after {CONNECT_LIMIT:?}"))??;
        anyhow::ensure!(
            line.trim() == ACCEPTED,
            "the simulated agents were not accepted, see above"
        );
        Ok(())
    }

    /// The agents hang up when their standard input ends.
    async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.shutdown().await?;
        }
        self.child.wait().await?;
        Ok(())
    }
}
