//! The systems that are measured side by side.

use std::{
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;
use tokio::process::Command;

use super::target::Target;
use crate::{
    eventually::eventually,
    ports,
    process::{AgentConfig, AgentProcess, Child, ServerConfig, ServerProcess},
};

/// How long a system may take until its tunnel is open.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running system with one tunnel to the target.
pub struct System {
    /// Its column in the report.
    pub name: &'static str,
    /// Where visitors connect.
    pub visitors: SocketAddr,
    parts: Parts,
}

enum Parts {
    None,
    Ours(Box<(ServerProcess, AgentProcess)>),
    Rathole(Vec<Child>, TempDir),
}

impl System {
    /// The target itself, without any tunnel.
    pub fn direct(target: &Target) -> Self {
        Self {
            name: "direct",
            visitors: target.address(),
            parts: Parts::None,
        }
    }

    /// Our server and agent with a static tunnel.
    ///
    /// # Errors
    ///
    /// When they do not start.
    pub async fn ours(target: &Target) -> anyhow::Result<Self> {
        let mut config = ServerConfig::new();
        config.log_level = "info";
        let server = ServerProcess::start_with(config).await?;
        let port = server.config.tunnel_ports.0;
        let visitors = SocketAddr::from(([127, 0, 0, 1], port));
        let mut config = AgentConfig::new("bench", server.config.agents)
            .remote(format!("127.0.0.1:{port}:127.0.0.1:{}", target.address().port()));
        config.log_level = "info";
        let agent = AgentProcess::start(config)?;
        wait_open(visitors).await;
        Ok(Self {
            name: "rport",
            visitors,
            parts: Parts::Ours(Box::new((server, agent))),
        })
    }

    /// A rathole of this machine with one TCP service, unencrypted; none when it is not installed.
    ///
    /// # Errors
    ///
    /// When it is there and does not start.
    pub async fn rathole(target: &Target) -> anyhow::Result<Option<Self>> {
        let Some(program) = rathole_program() else {
            return Ok(None);
        };
        let dir = tempfile::tempdir()?;
        let (control, visitors) = (ports::free(), ports::free());
        let (server_file, agent_file) = (dir.path().join("server.toml"), dir.path().join("client.toml"));
        std::fs::write(
            &server_file,
            format!(
                "[server]\nbind_addr = \"127.0.0.1:{control}\"\ndefault_token = \"bench\"\n\
                 [server.services.bench]\nbind_addr = \"127.0.0.1:{visitors}\"\n"
            ),
        )?;
        std::fs::write(
            &agent_file,
            format!(
                "[client]\nremote_addr = \"127.0.0.1:{control}\"\ndefault_token = \"bench\"\n\
                 [client.services.bench]\nlocal_addr = \"{}\"\n",
                target.address()
            ),
        )?;
        let start = |name: &str, role: &str, file: &PathBuf| {
            let mut command = Command::new(&program);
            command.arg(role).arg(file);
            Child::spawn(name, command, dir.path())
        };
        let server = start("rathole-server", "--server", &server_file)?;
        wait_open(SocketAddr::from(([127, 0, 0, 1], control))).await;
        let agent = start("rathole-client", "--client", &agent_file)?;
        let visitors = SocketAddr::from(([127, 0, 0, 1], visitors));
        wait_open(visitors).await;
        Ok(Some(Self {
            name: "rathole",
            visitors,
            parts: Parts::Rathole(vec![server, agent], dir),
        }))
    }

    /// The processes whose CPU time counts.
    pub fn pids(&self) -> Vec<u32> {
        match &self.parts {
            Parts::None => Vec::new(),
            Parts::Ours(both) => [both.0.child.pid(), both.1.child.pid()]
                .into_iter()
                .flatten()
                .collect(),
            Parts::Rathole(children, _) => children.iter().filter_map(Child::pid).collect(),
        }
    }

    /// Ends its processes.
    ///
    /// # Errors
    ///
    /// When one does not end.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.parts {
            Parts::None => {}
            Parts::Ours(both) => {
                let (mut server, mut agent) = *both;
                agent.child.terminate(START_LIMIT).await.context("the agent")?;
                server.child.terminate(START_LIMIT).await.context("the server")?;
            }
            Parts::Rathole(mut children, _dir) => {
                for child in &mut children {
                    child.kill().await?;
                }
            }
        }
        Ok(())
    }
}

/// `rathole` in PATH, or where `make bench` installs it.
fn rathole_program() -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([here])
        .map(|dir| dir.join("rathole"))
        .find(|program| program.is_file())
}

async fn wait_open(address: SocketAddr) {
    eventually(
        &format!("{address} to accept connections"),
        START_LIMIT,
        || async move { TcpStream::connect(address).ok() },
    )
    .await;
}
