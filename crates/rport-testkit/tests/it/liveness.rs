//! Sessions that end without anybody saying so, and those that come back.

use std::time::{Duration, Instant};

use rport_testkit::{
    chaos::{ChaosProxy, Cut},
    eventually,
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
    service::Service,
    visitor,
};

const SOON: Duration = Duration::from_secs(10);

/// A pair whose link goes through a chaos proxy.
struct Linked {
    pair: Pair,
    proxy: ChaosProxy,
}

async fn linked(remotes: impl Fn(&ServerConfig) -> Vec<String>) -> anyhow::Result<Linked> {
    let config = ServerConfig::new();
    let proxy = ChaosProxy::start(config.agents).await?;
    let (address, remotes) = (proxy.address(), remotes(&config));
    let pair = Pair::start_with(config, |config| AgentConfig {
        server: address.to_string(),
        remotes,
        ..config
    })
    .await?;
    Ok(Linked { pair, proxy })
}

#[tokio::test]
async fn the_newest_connection_of_a_session_wins_at_once() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let Linked { pair, proxy } = linked(|config| {
        vec![format!(
            "127.0.0.1:{}:127.0.0.1:{}",
            config.tunnel_ports.0,
            service.port()
        )]
    })
    .await?;
    visitor::echo_tcp(pair.tunnel_address(0), 100).await?;
    // The agent sees its link break and returns; the server has heard nothing of the old one's end.
    proxy.cut(Cut::OnlyAgentHears);
    let start = Instant::now();
    eventually("the tunnel to work again", SOON, || async {
        visitor::echo_tcp(pair.tunnel_address(0), 100).await.ok()
    })
    .await;
    // The agent pauses up to a second; the server must not add to that.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(pair.api.connected().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_half_open_link_does_not_lock_the_agent_out() -> anyhow::Result<()> {
    let Linked { pair, proxy } = linked(|_| Vec::new()).await?;
    proxy.cut(Cut::OnlyServerHears);
    pair.api.wait_disconnected(Pair::ID, SOON).await;
    // The agent finds out by its keep-alive.
    pair.api.wait_connected(Pair::ID, Duration::from_secs(60)).await;
    Ok(())
}

#[tokio::test]
async fn a_frozen_link_is_replaced_within_a_minute() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let Linked { pair, proxy } = linked(|_| Vec::new()).await?;
    let query = format!("remote={}&idle-timeout-minutes=0", service.port());
    let tunnel = pair.api.open_tunnel(Pair::ID, &query).await?;
    visitor::echo_tcp(tunnel.address, 100).await?;
    let start = Instant::now();
    proxy.cut(Cut::NobodyHears);
    let works = || async {
        // Re-opened tunnels have new ids, and those that asked for no particular port new ports.
        let tunnel = pair.api.tunnels(Pair::ID).await.ok()?.pop()?;
        let echo = visitor::echo_tcp(tunnel.address, 100);
        tokio::time::timeout(Duration::from_secs(1), echo)
            .await
            .ok()?
            .ok()
    };
    eventually("the tunnel to work again", Duration::from_secs(60), works).await;
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(pair.api.connected().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_clone_does_not_kick_a_living_client() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let first =
        AgentProcess::start(AgentConfig::new("twin", server.config.agents).client("tags = [\"first\"]"))?;
    server.api().wait_connected("twin", CONNECT_LIMIT).await;
    let mut clone =
        AgentProcess::start(AgentConfig::new("twin", server.config.agents).client("tags = [\"clone\"]"))?;
    eventually("the clone to hear why it is refused", CONNECT_LIMIT, || async {
        clone
            .child
            .output()
            .contains("client is already connected:")
            .then_some(())
    })
    .await;
    let client = server.api().client("twin").await?;
    assert_eq!(client["tags"], serde_json::json!(["first"]), "{client}");
    assert_eq!(client["connection_state"], "connected");
    assert!(
        !first.child.output().contains("Connection error"),
        "the first was disturbed"
    );
    clone.child.kill().await
}

#[tokio::test]
async fn a_clone_takes_over_from_a_dead_client() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let proxy = ChaosProxy::start(server.config.agents).await?;
    let config = AgentConfig::new("heir", proxy.address()).client("tags = [\"dead\"]");
    let _dead = AgentProcess::start(config)?;
    server.api().wait_connected("heir", CONNECT_LIMIT).await;
    proxy.cut(Cut::NobodyHears);
    // Another process, so another session id: the server probes the old link, which stays silent, and lets go of it.
    let config = AgentConfig::new("heir", server.config.agents).client("tags = [\"alive\"]");
    let start = Instant::now();
    let _alive = AgentProcess::start(config)?;
    eventually("the new agent to take over", Duration::from_secs(30), || async {
        let client = server.api().client("heir").await.ok()?;
        (client["tags"] == serde_json::json!(["alive"])).then_some(())
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(30));
    Ok(())
}

#[tokio::test]
async fn a_client_that_hangs_up_is_disconnected_at_once() -> anyhow::Result<()> {
    let mut pair = Pair::start(&[]).await?;
    pair.agent.child.kill().await?;
    let start = Instant::now();
    let client = pair.api.wait_disconnected(Pair::ID, SOON).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(client["disconnected_at"].is_string(), "{client}");
    Ok(())
}
