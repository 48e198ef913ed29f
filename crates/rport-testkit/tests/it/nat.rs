//! An agent on a machine that nobody can reach: behind a router that translates addresses.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use rport_testkit::{
    eventually,
    netns::BehindNat,
    pair::CONNECT_LIMIT,
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess, is_root},
    visitor,
};

#[expect(
    clippy::print_stderr,
    reason = "a test that was skipped must not look like one that passed"
)]
#[tokio::test]
async fn a_machine_behind_nat_is_reached() -> anyhow::Result<()> {
    if !is_root() {
        eprintln!("SKIPPED: network namespaces need root");
        return Ok(());
    }
    let nat = BehindNat::new()?;
    // A service that only the inside can reach.
    let listener = nat
        .inside
        .enter(|| std::net::TcpListener::bind("127.0.0.1:0"))??;
    let service = listener.local_addr()?;
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            std::thread::spawn(move || {
                let mut reader = socket.try_clone()?;
                std::io::copy(&mut reader, &mut socket)
            });
        }
    });

    let mut config = ServerConfig::new();
    config.agents = SocketAddr::from((nat.outside(), config.agents.port()));
    let server = ServerProcess::start_with(config).await?;
    let mut config = AgentConfig::new("hidden", server.config.agents);
    config.wrapper = ["ip", "netns", "exec", nat.inside.name()]
        .map(str::to_owned)
        .into();
    let _agent = AgentProcess::start(config)?;
    let api = server.api();
    let client = api.wait_connected("hidden", CONNECT_LIMIT).await;
    assert_eq!(
        client["address"],
        IpAddr::from(nat.public()).to_string(),
        "{client}"
    );

    let query = format!("remote={}&idle-timeout-minutes=0", service.port());
    let tunnel = api.open_tunnel("hidden", &query).await?;
    visitor::echo_tcp(tunnel.address, 1024 * 1024).await?;

    // The router gets a new address: packets of the old connection lead nowhere from now on.
    let public = nat.renumber()?;
    let start = Instant::now();
    eventually("the tunnel to work again", Duration::from_secs(60), || async {
        let tunnel = api.tunnels("hidden").await.ok()?.pop()?;
        tokio::time::timeout(Duration::from_secs(1), visitor::echo_tcp(tunnel.address, 1000))
            .await
            .ok()?
            .ok()
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let client = api.client("hidden").await?;
    assert_eq!(client["address"], IpAddr::from(public).to_string(), "{client}");
    Ok(())
}
