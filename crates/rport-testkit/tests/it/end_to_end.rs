//! Server and agent as processes, used through the API: connecting, tunnels, coming back.

use std::time::{Duration, Instant};

use rport_testkit::{
    eventually, eventually_ok,
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
    service::Service,
    visitor,
};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// For states that follow from one message.
const SOON: Duration = Duration::from_secs(10);
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn an_agent_is_listed_within_five_seconds_of_its_start() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let start = Instant::now();
    let _agent = AgentProcess::start(AgentConfig::new("prompt", server.config.agents))?;
    server.api().wait_connected("prompt", CONNECT_LIMIT).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn the_inventory_describes_the_machine() -> anyhow::Result<()> {
    let pair = Pair::start(&[]).await?;
    let client = pair.api.client(Pair::ID).await?;
    for key in [
        "name",
        "hostname",
        "os",
        "os_arch",
        "os_family",
        "os_kernel",
        "version",
        "address",
        "timezone",
    ] {
        assert!(
            client[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key} in {client}"
        );
    }
    for key in ["num_cpus", "mem_total"] {
        assert!(
            client[key].as_u64().is_some_and(|number| number > 0),
            "{key} in {client}"
        );
    }
    assert_eq!(client["client_auth_id"], ServerConfig::AGENT_AUTH.0);
    assert_eq!(client["disconnected_at"], serde_json::Value::Null);
    let text = client["client_configuration"].to_string();
    assert!(
        !text.contains(ServerConfig::AGENT_AUTH.1),
        "the agent's password is shown: {text}"
    );
    Ok(())
}

#[tokio::test]
async fn static_tunnels_carry_tcp_and_udp() -> anyhow::Result<()> {
    let (tcp, udp) = (Service::tcp_echo().await?, Service::udp_echo().await?);
    let config = ServerConfig::new();
    let first = config.tunnel_ports.0;
    let remotes = vec![
        format!("127.0.0.1:{first}:127.0.0.1:{}", tcp.port()),
        format!("127.0.0.1:{}:127.0.0.1:{}/udp", first + 1, udp.port()),
    ];
    let pair = Pair::start_with(config, |config| AgentConfig { remotes, ..config }).await?;
    assert_eq!(pair.api.wait_tunnels(Pair::ID, 2, SOON).await.len(), 2);
    visitor::echo_tcp(pair.tunnel_address(0), 4 * MIB).await?;
    visitor::echo_udp(pair.tunnel_address(1), 1200).await?;
    Ok(())
}

#[tokio::test]
async fn tunnels_open_on_demand_and_close() -> anyhow::Result<()> {
    let (tcp, udp) = (Service::tcp_echo().await?, Service::udp_echo().await?);
    let pair = Pair::start(&[]).await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}", tcp.port()))
        .await?;
    let ports = pair.server.config.tunnel_ports;
    assert!(
        (ports.0..=ports.1).contains(&tunnel.address.port()),
        "{tunnel:?} outside {ports:?}"
    );
    visitor::echo_tcp(tunnel.address, MIB).await?;

    let query = format!("remote=127.0.0.1:{}&protocol=udp", udp.port());
    let datagrams = pair.api.open_tunnel(Pair::ID, &query).await?;
    for length in [1, 1200, 9000] {
        visitor::echo_udp(datagrams.address, length).await?;
    }

    pair.api.close_tunnel(Pair::ID, &tunnel.id).await?;
    eventually("the port to close", SOON, || async {
        (!visitor::is_open(tunnel.address).await).then_some(())
    })
    .await;
    let listed = pair.api.get("/tunnels").await?.data()?;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    // The port is free for the next tunnel at once.
    let local = tunnel.address;
    let query = format!("remote=127.0.0.1:{}&local={local}", tcp.port());
    let again = pair.api.open_tunnel(Pair::ID, &query).await?;
    assert_eq!(again.address, local);
    visitor::echo_tcp(again.address, 10).await
}

#[tokio::test]
async fn both_protocols_share_one_port() -> anyhow::Result<()> {
    let tcp = Service::tcp_echo().await?;
    let pair = Pair::start(&[]).await?;
    let query = format!("remote=127.0.0.1:{}&protocol=tcp%2Budp", tcp.port());
    let tunnel = pair.api.open_tunnel(Pair::ID, &query).await?;
    visitor::echo_tcp(tunnel.address, 1000).await?;
    let udp = tokio::net::UdpSocket::bind(tunnel.address).await;
    assert!(udp.is_err(), "the UDP port of the tunnel is free");
    Ok(())
}

#[tokio::test]
async fn half_closed_connections_are_kept() -> anyhow::Result<()> {
    let service = Service::tcp_count().await?;
    let pair = Pair::start(&[]).await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}", service.port()))
        .await?;
    assert_eq!(visitor::count_tcp(tunnel.address, MIB + 7).await?, MIB + 7);
    Ok(())
}

#[tokio::test]
async fn many_visitors_at_once_get_their_own_bytes() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let pair = Pair::start(&[]).await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}", service.port()))
        .await?;
    let mut visits: JoinSet<_> = (0..40)
        .map(|n| visitor::echo_tcp(tunnel.address, n * 997))
        .collect();
    while let Some(visit) = visits.join_next().await {
        visit??;
    }
    eventually("the agent to let go of all connections", SOON, || async {
        (service.connections() == 0).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_tunnel_admits_only_addresses_of_its_acl() -> anyhow::Result<()> {
    let service = Service::tcp_greeting("hello").await?;
    let pair = Pair::start(&[]).await?;
    let query = format!("remote={}&acl=198.51.100.0/24", service.port());
    let tunnel = pair.api.open_tunnel(Pair::ID, &query).await?;
    let refused = visitor::read_tcp(tunnel.address).await.unwrap_or_default();
    assert_eq!(refused, b"", "an address outside the list got through");

    let path = format!("/clients/{}/tunnels/{}/acl", Pair::ID, tunnel.id);
    let answer = pair
        .api
        .put_json(&path, &serde_json::json!({ "acl": "127.0.0.0/8" }))
        .await?;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(visitor::read_tcp(tunnel.address).await?, b"hello");
    Ok(())
}

#[tokio::test]
async fn a_slow_visitor_does_not_fill_the_server() -> anyhow::Result<()> {
    let pair = Pair::start(&[]).await?;
    let service = Service::tcp_echo().await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}", service.port()))
        .await?;
    let pid = pair.server.child.pid().expect("the server runs");
    let before = rport_testkit::bench::proc::memory(pid)?.own;
    // Ten visitors that send as long as they can and never read what comes back.
    let mut visitors = Vec::new();
    let chunk = visitor::pattern(64 * 1024);
    for _ in 0..10 {
        let mut socket = TcpStream::connect(tunnel.address).await?;
        while let Ok(Ok(())) =
            tokio::time::timeout(Duration::from_millis(500), socket.write_all(&chunk)).await
        {}
        visitors.push(socket);
    }
    let grown = rport_testkit::bench::proc::memory(pid)?
        .own
        .saturating_sub(before);
    assert!(
        grown < 200 * MIB as u64,
        "the server grew by {grown} bytes for ten visitors"
    );
    // Others still get through.
    visitor::echo_tcp(tunnel.address, 1000).await
}

#[tokio::test]
async fn tunnels_come_back_with_the_agent() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let config = ServerConfig::new();
    let remotes = vec![format!(
        "127.0.0.1:{}:127.0.0.1:{}",
        config.tunnel_ports.0,
        service.port()
    )];
    let mut pair = Pair::start_with(config, |config| AgentConfig { remotes, ..config }).await?;
    let query = format!("remote=localhost:{}&idle-timeout-minutes=0", service.port());
    let on_demand = pair.api.open_tunnel(Pair::ID, &query).await?;
    visitor::echo_tcp(on_demand.address, 10).await?;

    pair.agent.child.kill().await?;
    pair.api.wait_disconnected(Pair::ID, SOON).await;
    assert!(
        !visitor::is_open(pair.tunnel_address(0)).await,
        "a tunnel outlived its client"
    );

    pair.agent.restart()?;
    for tunnel in pair.api.wait_tunnels(Pair::ID, 2, CONNECT_LIMIT).await {
        visitor::echo_tcp(tunnel.address, MIB).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_server_forgets_no_client() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let mut pair = Pair::start(&[]).await?;
    let mut others = Vec::new();
    for n in 0..4 {
        let id = format!("other-{n}");
        others.push(AgentProcess::start(AgentConfig::new(
            &id,
            pair.server.config.agents,
        ))?);
        pair.api.wait_connected(&id, CONNECT_LIMIT).await;
    }
    let query = format!("remote={}&idle-timeout-minutes=0", service.port());
    pair.api.open_tunnel(Pair::ID, &query).await?;
    // One that is gone for good must be remembered too.
    others.pop();
    pair.api.wait_disconnected("other-3", SOON).await;

    pair.server.child.kill().await?;
    pair.server.restart().await?;
    let known = pair.api.get("/clients?fields[clients]=id").await?.data()?;
    assert_eq!(known.as_array().map(Vec::len), Some(5), "{known}");
    for tunnel in pair.api.wait_tunnels(Pair::ID, 1, CONNECT_LIMIT).await {
        visitor::echo_tcp(tunnel.address, MIB).await?;
    }
    eventually_ok("all agents to return", CONNECT_LIMIT, || async {
        let connected = pair.api.connected().await?;
        anyhow::ensure!(connected == 4, "{connected} are connected");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn the_server_stops_in_good_order_and_the_agents_return() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let mut pair = Pair::start(&[]).await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}", service.port()))
        .await?;
    let mut visit = TcpStream::connect(tunnel.address).await?;
    visit.write_all(b"still here").await?;
    visit.read_exact(&mut [0; 10]).await?;

    let status = pair.server.child.terminate(SOON).await?;
    assert!(status.success(), "{status}: {}", pair.server.child.output());
    // The visitor hears of it, whether as an end or as a reset.
    let end = tokio::time::timeout(SOON, visit.read(&mut [0; 1])).await?;
    assert!(!matches!(end, Ok(n) if n > 0), "{end:?}");

    pair.server.restart().await?;
    pair.api.wait_connected(Pair::ID, CONNECT_LIMIT).await;
    let status = {
        pair.agent.child.signal(Signal::TERM)?;
        pair.agent.child.wait(SOON).await?
    };
    assert!(status.success(), "{status}: {}", pair.agent.child.output());
    pair.api.wait_disconnected(Pair::ID, SOON).await;
    Ok(())
}

#[tokio::test]
async fn an_agent_falls_back_to_another_server_and_returns() -> anyhow::Result<()> {
    let fallback = ServerProcess::start().await?;
    let main_config = ServerConfig::new();
    let config = AgentConfig::new("wanderer", main_config.agents)
        .client(&format!("fallback_servers = [\"{}\"]", fallback.config.agents))
        .client("server_switchback_interval = \"1s\"");
    let _agent = AgentProcess::start(config)?;
    fallback.api().wait_connected("wanderer", CONNECT_LIMIT).await;

    let main = ServerProcess::start_with(main_config).await?;
    main.api().wait_connected("wanderer", CONNECT_LIMIT).await;
    fallback.api().wait_disconnected("wanderer", SOON).await;
    Ok(())
}

#[tokio::test]
async fn an_agent_that_pins_another_key_stays_away() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let config = AgentConfig::new("careful", server.config.agents)
        .client("fingerprint = \"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff\"");
    let agent = AgentProcess::start(config)?;
    eventually("the agent to complain about the fingerprint", SOON, || async {
        agent
            .child
            .output()
            .to_lowercase()
            .contains("fingerprint")
            .then_some(())
    })
    .await;
    assert_eq!(server.api().connected().await?, 0);

    let fingerprint = server.api().get("/status").await?.data()?["fingerprint"].to_string();
    let config =
        AgentConfig::new("trusting", server.config.agents).client(&format!("fingerprint = {fingerprint}"));
    let _agent = AgentProcess::start(config)?;
    server.api().wait_connected("trusting", CONNECT_LIMIT).await;
    Ok(())
}

#[tokio::test]
async fn an_agent_with_a_wrong_password_is_not_admitted() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let mut config = AgentConfig::new("stranger", server.config.agents);
    config.auth = Some(format!("{}:guess", ServerConfig::AGENT_AUTH.0));
    let agent = AgentProcess::start(config)?;
    eventually("the agent to report the refusal", SOON, || async {
        agent.child.output().contains("Connection error").then_some(())
    })
    .await;
    assert_eq!(server.api().get("/clients").await?.data()?, serde_json::json!([]));
    Ok(())
}
