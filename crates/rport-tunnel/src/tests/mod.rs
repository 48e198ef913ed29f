//! Tunnels over a real link whose agent is a few lines of test code.

mod agent;
mod lifecycle;
mod proxy;
mod tcp;
mod udp;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rport_domain::{PortSet, TunnelAcl};
use rport_protocol::Protocol;
use rport_runtime::Tasks;
use tokio::time::timeout;

use crate::{PortPool, Tunnel, TunnelSpec, spawn};
use agent::{Agent, Does};

/// Nothing in these tests takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tunnel to an agent, and all that it stands on.
struct Rig {
    tasks: Tasks,
    pool: PortPool,
    agent: Agent,
}

impl Rig {
    async fn new(does: Does) -> Self {
        let tasks = Tasks::new();
        let agent = Agent::start(does, &tasks).await;
        // Ports above the range the kernel hands out to others by itself; busy ones are skipped.
        Self {
            tasks,
            pool: PortPool::new(PortSet::range(61_001..=65_000)),
            agent,
        }
    }

    async fn tunnel(&self, protocol: Protocol, change: impl FnOnce(&mut TunnelSpec)) -> Tunnel {
        let mut spec = TunnelSpec::new("test/1", "127.0.0.1", "7");
        change(&mut spec);
        let bound = self
            .pool
            .lease(None, protocol, "127.0.0.1")
            .await
            .expect("a port is free");
        spawn(spec, bound, Arc::new(self.agent.connection.clone()), &self.tasks).expect("spawns")
    }
}

fn acl(text: &str) -> Option<TunnelAcl> {
    TunnelAcl::parse(Some(text)).expect("valid list")
}

fn local(tunnel: &Tunnel) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), tunnel.port())
}

/// Waits for a state instead of sleeping for a time.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let watch = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, watch)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"));
}

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("took too long: {what}"))
}
