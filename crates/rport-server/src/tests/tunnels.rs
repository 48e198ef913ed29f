//! Tunnels from end to end: a visitor's bytes travel to the agent and back.

use std::sync::atomic::Ordering;

use rport_domain::{ClientId, Error, Kind, TunnelId, TunnelRecord, TunnelRequest};
use rport_protocol::to_server::NewConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::agent::{Agent, hello};
use super::*;

fn request(pairs: &[(&str, &str)]) -> TunnelRequest {
    TunnelRequest::from_pairs(pairs)
}

async fn open(server: &TestServer, pairs: &[(&str, &str)]) -> Result<TunnelRecord, Error> {
    server
        .server
        .tunnels()
        .open(&admin(), &ClientId::new("c1"), request(pairs))
        .await
}

async fn close(server: &TestServer, id: &TunnelId, force: bool) -> Result<(), Error> {
    server
        .server
        .tunnels()
        .close(&admin(), &ClientId::new("c1"), id, force)
        .await
}

/// Sends bytes through a tunnel and expects them back.
async fn visit(port: &str) -> TcpStream {
    let mut visitor = TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .expect("connects");
    visitor.write_all(b"knock knock").await.expect("writes");
    let mut back = [0; 11];
    soon("the echo", visitor.read_exact(&mut back))
        .await
        .expect("reads");
    assert_eq!(&back, b"knock knock");
    visitor
}

fn tunnels(server: &TestServer) -> Vec<TunnelRecord> {
    server
        .client("c1")
        .map(|client| client.record.details.tunnels.clone())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_tunnel_is_opened_used_and_closed() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let tunnel = open(&server, &[("remote", "22"), ("name", "ssh"), ("scheme", "ssh")])
        .await
        .expect("opens");
    assert_eq!(
        (tunnel.id.as_str(), tunnel.remote.lhost.as_str()),
        ("1", "0.0.0.0")
    );
    assert!(tunnel.remote.lport_random && tunnel.remote.owner == "admin");
    assert_eq!(tunnel.remote.idle_timeout_minutes, 5);
    let visitor = visit(&tunnel.remote.lport).await;
    let all = server.server.tunnels().list_all(&admin()).expect("lists");
    assert_eq!((all.len(), all[0].client_id.as_str()), (1, "c1"));
    assert!(
        server
            .server
            .tunnels()
            .list_all(&member_of(&["dev"]))
            .expect("lists")
            .is_empty()
    );

    let error = close(&server, &tunnel.id, false).await.expect_err("in use");
    assert_eq!(
        (error.kind, error.title.as_str()),
        (Kind::Conflict, "tunnel has 1 active connection(s)")
    );
    close(&server, &tunnel.id, true).await.expect("closes");
    assert_eq!(
        (tunnels(&server).len(), server.server.tunnels().leased_ports()),
        (0, 0)
    );
    assert_eq!(
        close(&server, &tunnel.id, true).await.expect_err("gone").title,
        "tunnel not found"
    );
    drop((visitor, agent));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let server = TestServer::start().await;
    let title = |outcome: Result<TunnelRecord, Error>| {
        let error = outcome.expect_err("refused");
        (error.kind, error.title, error.code)
    };
    let unknown = open(&server, &[("remote", "22")]).await;
    assert_eq!(
        title(unknown),
        (Kind::NotFound, "Client with id=\"c1\" not found.".into(), "")
    );
    let agent = Agent::connect(&server, "c1", "s1").await;
    let (stranger, id) = (member_of(&["dev"]), ClientId::new("c1"));
    let foreign = server
        .server
        .tunnels()
        .open(&stranger, &id, request(&[("remote", "22")]))
        .await;
    assert_eq!(title(foreign).0, Kind::Forbidden);
    let proxy = open(
        &server,
        &[("remote", "80"), ("http_proxy", "1"), ("scheme", "http")],
    )
    .await;
    assert_eq!(
        title(proxy),
        (Kind::Invalid, "creation of tunnel proxy not enabled".into(), "")
    );
    let outside = open(&server, &[("remote", "22"), ("local", "999")]).await;
    assert_eq!(title(outside).1, "Local port 999 is not among allowed ports.");

    let first = open(&server, &[("remote", "22")]).await.expect("opens");
    assert_eq!(
        title(open(&server, &[("remote", "22")]).await).2,
        "ERR_CODE_TUNNEL_TO_PORT_EXIST"
    );
    let fixed = [("remote", "23"), ("local", first.remote.lport.as_str())];
    let busy = title(open(&server, &fixed).await);
    assert_eq!(
        busy,
        (
            Kind::Invalid,
            format!("Port {} already in use.", first.remote.lport),
            "ERR_CODE_LOCAL_PORT_IN_USE"
        )
    );

    agent.behaviour.ports_closed.store(true, Ordering::Relaxed);
    assert_eq!(
        title(open(&server, &[("remote", "24")]).await).1,
        "Port 24 is not in listening state."
    );
    open(&server, &[("remote", "24"), ("check_port", "0")])
        .await
        .expect("not asked");
    agent.behaviour.allows_nothing.store(true, Ordering::Relaxed);
    let policy = title(open(&server, &[("remote", "25")]).await).1;
    assert_eq!(
        policy,
        "Tunnel destination is not allowed by client configuration."
    );
    agent.behaviour.old.store(true, Ordering::Relaxed);
    open(&server, &[("remote", "25"), ("check_port", "0")])
        .await
        .expect("old agents have no policy");

    agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let offline = title(open(&server, &[("remote", "26")]).await);
    assert_eq!(
        (offline.0, offline.1.as_str()),
        (Kind::ClientOffline, "client with id c1 not found")
    );
    server.stop().await;
}

#[tokio::test]
async fn two_users_who_ask_for_the_same_get_one_tunnel() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let attempts = (0..8).map(|_| open(&server, &[("remote", "22")]));
    let opened = futures(attempts).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(
        (
            opened,
            tunnels(&server).len(),
            server.server.tunnels().leased_ports()
        ),
        (1, 1, 1)
    );
    drop(agent);
    server.stop().await;
}

/// Runs futures at the same time.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *output = Some(value);
            }
        }
        if running.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn agents_get_what_they_ask_for_and_what_they_had() {
    let server = TestServer::start().await;
    let agent = Agent::log_in(&server).await;
    let wanted = NewConnection {
        remotes: Some(vec!["127.0.0.1:80".parse().expect("a remote")]),
        ..hello("c1", "s1")
    };
    let remotes = agent.request(&wanted).await.expect("accepted").expect("a list");
    assert_eq!((remotes.len(), remotes[0].lport_random), (1, true));
    visit(&remotes[0].lport).await;
    let by_user = open(&server, &[("remote", "22"), ("name", "ssh")])
        .await
        .expect("opens");
    let fixed = by_user.remote.lport.clone();
    close(&server, &by_user.id, true).await.expect("closes");
    let local = format!("127.0.0.1:{fixed}");
    let by_user = open(&server, &[("remote", "22"), ("local", &local), ("name", "ssh")])
        .await
        .expect("opens");
    assert_eq!(by_user.remote.lhost, "127.0.0.1");

    // Gone, and back as a new process: the ports are free at once, and everything is there again.
    agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    eventually("ports are free", || server.server.tunnels().leased_ports() == 0).await;
    assert_eq!(tunnels(&server).len(), 2, "remembered while away");
    let again = Agent::log_in(&server).await;
    let remotes = again
        .request(&NewConnection {
            session_id: "s2".into(),
            ..wanted.clone()
        })
        .await;
    let remotes = remotes.expect("accepted").expect("a list");
    assert_eq!(remotes.len(), 2);
    assert_eq!(
        (
            remotes[1].lport.as_str(),
            remotes[1].name.as_str(),
            remotes[1].owner.as_str()
        ),
        (fixed.as_str(), "ssh", "admin")
    );
    visit(&fixed).await;

    // The same process once more while the older connection still stands.
    let third = Agent::log_in(&server).await;
    let remotes = third
        .request(&NewConnection {
            session_id: "s2".into(),
            ..wanted
        })
        .await;
    assert_eq!(remotes.expect("accepted").expect("a list").len(), 2);
    soon("closed", again.connection.closed()).await;
    visit(&fixed).await;
    drop((again, third));
    server.stop().await;
}

#[tokio::test]
async fn a_lost_port_does_not_cost_the_connection() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let random = open(&server, &[("remote", "22")]).await.expect("opens");
    let port = random.remote.lport.clone();
    close(&server, &random.id, true).await.expect("closes");
    open(&server, &[("remote", "22"), ("local", &port)])
        .await
        .expect("opens");
    agent.vanish();
    eventually("ports are free", || server.server.tunnels().leased_ports() == 0).await;
    let thief = tokio::net::TcpListener::bind(format!("0.0.0.0:{port}"))
        .await
        .expect("binds");
    let again = Agent::log_in(&server).await;
    assert_eq!(
        again.request(&hello("c1", "s2")).await,
        Ok(None),
        "connected without that tunnel"
    );

    // Asked for by the agent itself, it is a refusal, as the Go server has it.
    again.vanish();
    let asks = NewConnection {
        remotes: Some(vec![format!("{port}:22").parse().expect("a remote")]),
        ..hello("c1", "s3")
    };
    eventually("disconnect", || !server.is_connected("c1")).await;
    let third = Agent::log_in(&server).await;
    assert_eq!(
        third.request(&asks).await,
        Err(format!("Local port {port} already in use."))
    );
    drop((thief, third));
    server.stop().await;
}

#[tokio::test]
async fn an_agent_that_does_not_vouch_for_earlier_tunnels_gets_in_without_them() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    open(&server, &[("remote", "22")]).await.expect("opens");
    open(&server, &[("remote", "23")]).await.expect("opens");
    let again = Agent::log_in(&server).await;
    again.behaviour.allows_nothing.store(true, Ordering::Relaxed);
    assert_eq!(again.request(&hello("c1", "s1")).await, Ok(None));
    assert_eq!(
        (tunnels(&server).len(), server.server.tunnels().leased_ports()),
        (0, 0)
    );
    drop((agent, again));
    server.stop().await;
}

#[tokio::test]
async fn the_acl_of_a_running_tunnel_can_be_changed() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let tunnel = open(&server, &[("remote", "22"), ("acl", "198.51.100.1")])
        .await
        .expect("opens");
    let address = format!("127.0.0.1:{}", tunnel.remote.lport);
    let mut stranger = TcpStream::connect(&address).await.expect("connects");
    let mut nothing = Vec::new();
    let _ = soon("turned away", stranger.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    let set = async |acl: Option<&str>| {
        server
            .server
            .tunnels()
            .set_acl(&admin(), &ClientId::new("c1"), &tunnel.id, acl)
            .await
    };
    assert_eq!(
        set(Some("nonsense")).await.expect_err("refused").kind,
        Kind::Invalid
    );
    assert_eq!(
        tunnels(&server)[0].remote.acl.as_deref(),
        Some("198.51.100.1"),
        "a bad list changes nothing"
    );
    set(Some("127.0.0.1,198.51.100.1")).await.expect("changes");
    visit(&tunnel.remote.lport).await;
    set(Some("")).await.expect("changes");
    assert_eq!(tunnels(&server)[0].remote.acl, None);
    drop(agent);
    server.stop().await;
}

#[tokio::test]
async fn auto_close_forgets_the_tunnel() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    open(&server, &[("remote", "22"), ("auto-close", "1s")])
        .await
        .expect("opens");
    assert_eq!(tunnels(&server).len(), 1);
    eventually("forgotten", || tunnels(&server).is_empty()).await;
    eventually("the port is free", || server.server.tunnels().leased_ports() == 0).await;
    drop(agent);
    server.stop().await;
}
