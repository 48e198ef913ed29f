//! The API of a running server, as curl sees it.

use std::time::Duration;

use reqwest::Method;
use rport_testkit::{
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
    service::Service,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn nothing_is_shown_to_strangers() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(ServerConfig {
        api_lines: free_of_bans(),
        ..ServerConfig::new()
    })
    .await?;
    for path in ["/status", "/me", "/clients", "/clients/x", "/tunnels"] {
        let answer = server.anonymous().get(path).await?;
        assert!([401, 429].contains(&answer.status), "{path}: {answer:?}");
    }
    let answer = server
        .anonymous()
        .with_basic("admin", "guess")
        .get("/status")
        .await?;
    assert_eq!(answer.status, 401, "{answer:?}");
    Ok(())
}

/// Login settings that let a test try wrong passwords.
fn free_of_bans() -> Vec<String> {
    let (user, password) = ServerConfig::API_LOGIN;
    vec![
        format!("auth = \"{user}:{password}\""),
        "user_login_wait = 0".to_owned(),
        "max_failed_login = 0".to_owned(),
    ]
}

#[tokio::test]
async fn a_token_logs_in_until_it_is_logged_out() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let login = server.api().get("/login").await?.data()?;
    let api = server
        .anonymous()
        .with_bearer(login["token"].as_str().expect("a token"));
    let me = api.get("/me").await?.data()?;
    assert_eq!(me["username"], ServerConfig::API_LOGIN.0, "{me}");
    assert_eq!(api.delete("/logout").await?.status, 204);
    assert_ne!(api.get("/me").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn users_of_a_file_see_their_clients_only() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let users = dir.path().join("api-auth.json");
    // bcrypt of "foobaz".
    let hash = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";
    let list = json!([
        { "username": "root", "password": hash, "groups": ["Administrators"] },
        { "username": "guest", "password": hash, "groups": ["Guests"] },
    ]);
    std::fs::write(&users, list.to_string())?;
    let config = ServerConfig {
        login: ("root", "foobaz"),
        api_lines: vec![format!("auth_file = \"{}\"", users.display())],
        ..ServerConfig::new()
    };
    let server = ServerProcess::start_with(config).await?;
    let root = server.api();
    let _agent = AgentProcess::start(AgentConfig::new("private", server.config.agents))?;
    root.wait_connected("private", CONNECT_LIMIT).await;
    let guest = server.anonymous().with_basic("guest", "foobaz");
    assert_eq!(guest.get("/clients").await?.data()?, json!([]));
    let answer = guest.get("/clients/private").await?;
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = guest.put("/clients/private/tunnels?remote=22").await?;
    assert_eq!(answer.status, 403, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn clients_are_listed_page_by_page() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let api = server.api();
    let mut agents = Vec::new();
    for id in ["b", "c", "a"] {
        agents.push(AgentProcess::start(AgentConfig::new(id, server.config.agents))?);
        api.wait_connected(id, CONNECT_LIMIT).await;
    }
    let page = api.get("/clients?page[limit]=2&fields[clients]=id").await?;
    assert_eq!(
        page.body,
        json!({ "data": [{ "id": "a" }, { "id": "b" }], "meta": { "count": 3 } })
    );
    let page = api
        .get("/clients?sort=-id&filter[id]=b,c&fields[clients]=id,connection_state")
        .await?;
    assert_eq!(
        page.body["data"],
        json!([
            { "id": "c", "connection_state": "connected" },
            { "id": "b", "connection_state": "connected" },
        ])
    );
    let answer = api.get("/clients?sort=nothing").await?;
    assert_eq!(
        (answer.status, answer.title()),
        (400, "unsupported sort field 'nothing'"),
        "{answer:?}"
    );
    Ok(())
}

#[tokio::test]
async fn only_disconnected_clients_are_deleted() -> anyhow::Result<()> {
    let mut pair = Pair::start(&[]).await?;
    let path = format!("/clients/{}", Pair::ID);
    let answer = pair.api.delete(&path).await?;
    assert_eq!(
        (answer.status, answer.title()),
        (400, "Client is active, should be disconnected"),
        "{answer:?}"
    );
    pair.agent.child.kill().await?;
    pair.api.wait_disconnected(Pair::ID, SOON).await;
    assert_eq!(pair.api.delete(&path).await?.status, 204);
    let answer = pair.api.get(&path).await?;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.title(),
        format!("Client with id=\"{}\" not found.", Pair::ID)
    );
    Ok(())
}

#[tokio::test]
async fn tunnels_that_cannot_be_are_explained() -> anyhow::Result<()> {
    let service = Service::tcp_echo().await?;
    let pair = Pair::start_with(ServerConfig::new(), |config| {
        let rule = format!(
            "tunnel_allowed = [\"127.0.0.1:{}\", \"127.0.0.1:9\"]",
            service.port()
        );
        config.client(&rule)
    })
    .await?;
    let refused = |query: String| {
        let path = format!("/clients/{}/tunnels?{query}", Pair::ID);
        let api = pair.api.clone();
        async move {
            let answer = api.put(&path).await?;
            assert_ne!(answer.status, 200, "{path}");
            anyhow::Ok((answer.status, answer.title().to_owned()))
        }
    };
    let port = service.port();
    let forbidden = "Tunnel destination is not allowed by client configuration.".to_owned();
    assert_eq!(refused("remote=1".to_owned()).await?, (400, forbidden));
    let closed = "Port 9 is not in listening state.".to_owned();
    assert_eq!(refused("remote=9".to_owned()).await?, (400, closed));
    let local = pair.server.config.tunnel_ports.1 + 1;
    let outside = format!("Local port {local} is not among allowed ports.");
    assert_eq!(
        refused(format!("remote=127.0.0.1:{port}&local=127.0.0.1:{local}")).await?,
        (400, outside)
    );
    assert_eq!(
        refused(format!("remote={port}&idle-timeout-minutes=x")).await?.0,
        400
    );
    pair.api.open_tunnel(Pair::ID, &format!("remote={port}")).await?;
    let twice = format!("Tunnel to port {port} already exists.");
    assert_eq!(refused(format!("remote={port}")).await?, (400, twice));
    let answer = pair.api.put("/clients/nobody/tunnels?remote=22").await?;
    assert_eq!(answer.status, 404, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_used_tunnel_closes_only_by_force() -> anyhow::Result<()> {
    let service = Service::tcp_deaf().await?;
    let pair = Pair::start(&[]).await?;
    let tunnel = pair
        .api
        .open_tunnel(Pair::ID, &format!("remote={}&check_port=0", service.port()))
        .await?;
    let _visitor = tokio::net::TcpStream::connect(tunnel.address).await?;
    rport_testkit::eventually("the visitor to reach the service", SOON, || async {
        (service.connections() == 1).then_some(())
    })
    .await;
    let path = format!("/clients/{}/tunnels/{}", Pair::ID, tunnel.id);
    let answer = pair.api.delete(&path).await?;
    assert_eq!(
        (answer.status, answer.title()),
        (409, "tunnel has 1 active connection(s)"),
        "{answer:?}"
    );
    assert_eq!(pair.api.delete(&format!("{path}?force=true")).await?.status, 204);
    let answer = pair.api.delete(&path).await?;
    assert_eq!(
        (answer.status, answer.title()),
        (404, "tunnel not found"),
        "{answer:?}"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_paths_and_methods_are_plain_404s() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let api = server.api();
    for (method, path) in [
        (Method::GET, "/nothing"),
        (Method::POST, "/status"),
        (Method::GET, "/clients/"),
    ] {
        let answer = api.send(api.request(method, path)).await?;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    Ok(())
}
