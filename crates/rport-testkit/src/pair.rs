//! One server and one connected agent, the start of most end-to-end tests.

use std::{net::SocketAddr, time::Duration};

use crate::{
    api::Api,
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
};

/// How long an agent may take until the server lists it. Longer than promised to users, because many tests run at the
/// same time; the promise has a test of its own.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// A server and an agent as processes.
pub struct Pair {
    /// The server.
    pub server: ServerProcess,
    /// The agent.
    pub agent: AgentProcess,
    /// The API, used by the administrator.
    pub api: Api,
}

impl Pair {
    /// The client id of the agent.
    pub const ID: &'static str = "tester";

    /// Starts both with remotes in RPort's notation and waits until the client is connected.
    ///
    /// # Errors
    ///
    /// When one does not start.
    pub async fn start(remotes: &[String]) -> anyhow::Result<Self> {
        Self::start_with(ServerConfig::new(), |config| AgentConfig {
            remotes: remotes.to_vec(),
            ..config
        })
        .await
    }

    /// Starts both with configurations of the test's own and waits until the client is connected.
    ///
    /// # Errors
    ///
    /// When one does not start.
    pub async fn start_with(
        server: ServerConfig,
        agent: impl FnOnce(AgentConfig) -> AgentConfig,
    ) -> anyhow::Result<Self> {
        let server = ServerProcess::start_with(server).await?;
        let agent = AgentProcess::start(agent(AgentConfig::new(Self::ID, server.config.agents)))?;
        let api = server.api();
        api.wait_connected(Self::ID, CONNECT_LIMIT).await;
        Ok(Self { server, agent, api })
    }

    /// The address of the n-th port that the server may use for tunnels.
    pub fn tunnel_address(&self, n: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.server.config.tunnel_ports.0 + n))
    }
}
