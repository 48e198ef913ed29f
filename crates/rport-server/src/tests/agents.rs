//! Agents come, go, come back, and get in each other's way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rport_domain::{ClientId, Kind};
use rport_protocol::Request;
use rport_protocol::to_server::{IpAddresses, NewConnection, Ping, UpdatesStatus};
use rport_transport::Reply;
use rusqlite::Connection as Sqlite;

use super::agent::{Agent, hello, log_in};
use super::*;
use crate::{EventKind, Heard, PurgeOptions};

fn stored(directory: &std::path::Path, id: &str) -> Option<(Option<String>, String)> {
    let file = Sqlite::open(directory.join("clients.db")).expect("opens");
    file.query_row(
        "SELECT CAST(disconnected_at AS TEXT), details FROM clients WHERE id = ?1",
        [id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .ok()
}

#[tokio::test]
async fn an_agent_becomes_a_client_and_is_stored_before_it_hears_so() {
    let server = TestServer::start().await;
    let agent = Agent::log_in(&server).await;
    assert!(server.ids().is_empty(), "a login alone makes no client");
    let mut request = hello("c1", "s1");
    request.tags = Some(vec!["linux".into()]);
    assert_eq!(agent.request(&request).await, Ok(None), "null for null");
    let directory = server.directory.as_ref().expect("present").path().to_owned();
    let (disconnected_at, details) = stored(&directory, "c1").expect("stored by now");
    assert!(
        disconnected_at.is_none() && details.contains("\"hostname\":\"c1.example.com\""),
        "{details}"
    );
    let client = server.client("c1").expect("listed");
    assert_eq!(client.record.client_auth_id.as_str(), "rport");
    assert_eq!(client.record.details.address, "127.0.0.1");
    assert_eq!(client.last_heartbeat_at, None, "connecting is no heartbeat");
    eventually("capabilities", || {
        agent.behaviour.capabilities.load(Ordering::Relaxed) == 1
    })
    .await;

    let reply = agent
        .connection
        .call(Ping::NAME, b"", PATIENCE)
        .await
        .expect("answered");
    assert_eq!(reply, Reply::Success(Default::default()));
    assert!(server.client("c1").expect("listed").last_heartbeat_at.is_some());

    agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    eventually("the disconnect is stored", || {
        stored(&directory, "c1").is_some_and(|(at, _)| at.is_some())
    })
    .await;
    let (disconnected_at, _) = stored(&directory, "c1").expect("kept");
    assert_eq!(disconnected_at.as_deref(), Some("2024-05-01 10:00:00+00:00"));
    server.stop().await;
}

#[tokio::test]
async fn what_an_agent_reports_is_kept_over_reconnects() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let mut listener = server.server.events().listen();
    let addresses = IpAddresses {
        ipv4: "203.0.113.7".into(),
        ..IpAddresses::default()
    };
    agent
        .connection
        .notify(IpAddresses::NAME, addresses.encode())
        .await
        .expect("sent");
    let status = UpdatesStatus {
        updates_available: 3,
        ..UpdatesStatus::default()
    };
    agent
        .connection
        .notify(UpdatesStatus::NAME, status.encode())
        .await
        .expect("sent");
    agent
        .connection
        .notify(UpdatesStatus::NAME, b"{\"updates_available\":\"x\"}")
        .await
        .expect("sent");
    agent
        .connection
        .notify("no_such_request", b"{}")
        .await
        .expect("sent");
    let details = |server: &TestServer| server.client("c1").map(|client| client.record.details.clone());
    eventually("the reports", || {
        details(&server).is_some_and(|details| details.updates_status.is_some())
    })
    .await;
    for report in ["addresses", "updates"] {
        match listener.next(&admin()).await {
            Some(Heard::Event(event)) => assert_eq!(event.kind, EventKind::ClientChanged, "{report}"),
            other => panic!("{report}: {other:?}"),
        }
    }
    let again = Agent::connect(&server, "c1", "s1").await;
    let kept = details(&server).expect("listed");
    assert_eq!(
        kept.updates_status.map(|status| status.updates_available),
        Some(3)
    );
    let addresses = kept.ext_ip_addresses.expect("kept");
    assert_eq!(addresses.ipv4, "203.0.113.7");
    assert!(!addresses.updated_at.is_zero(), "the server's own time");
    drop((agent, again));
    server.stop().await;
}

#[tokio::test]
async fn the_newest_connection_of_a_process_wins_at_once() {
    let server = TestServer::start().await;
    let mut agents = Vec::new();
    for _ in 0..5 {
        let agent = Agent::log_in(&server).await;
        // Frozen from the start: whoever waited for it would wait long.
        agent.behaviour.mute.store(true, Ordering::Relaxed);
        let started = tokio::time::Instant::now();
        agent.request(&hello("c1", "s1")).await.expect("accepted");
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "nothing is waited for"
        );
        agents.push(agent);
    }
    let last = agents.pop().expect("five");
    for agent in &agents {
        soon("older connections are closed", agent.connection.closed()).await;
    }
    assert!(!last.connection.is_closed() && server.is_connected("c1"));
    assert_eq!((server.ids().len(), server.connected()), (1, 1));
    last.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    assert_eq!(server.connected(), 0);
    server.stop().await;
}

#[tokio::test]
async fn many_connections_of_one_process_at_the_same_time_leave_one() {
    let server = TestServer::start().await;
    let mut set = tokio::task::JoinSet::new();
    let mut agents = Vec::new();
    for _ in 0..20 {
        agents.push(Agent::log_in(&server).await);
    }
    for agent in agents {
        set.spawn(async move {
            let outcome = agent.request(&hello("c1", "s1")).await;
            (agent, outcome)
        });
    }
    let agents: Vec<_> = set.join_all().await;
    eventually("one is left", || {
        agents
            .iter()
            .filter(|(agent, _)| !agent.connection.is_closed())
            .count()
            == 1
    })
    .await;
    assert!(server.is_connected("c1") && server.connected() == 1);
    drop(agents);
    server.stop().await;
}

#[tokio::test]
async fn a_clone_does_not_push_out_a_living_client() {
    let server = TestServer::start().await;
    let first = Agent::connect(&server, "c1", "s1").await;
    let clone = Agent::log_in(&server).await;
    let refusal = clone.request(&hello("c1", "s2")).await.expect_err("refused");
    assert_eq!(refusal, "client is already connected: name of c1 [c1]");
    soon("a refused connection is closed", clone.connection.closed()).await;
    assert!(!first.connection.is_closed() && server.is_connected("c1"));
    drop(first);
    server.stop().await;
}

#[tokio::test]
async fn a_ghost_gives_way() {
    let mut options = options();
    options.listener.deadlines.probe = Duration::from_millis(50);
    let server = TestServer::start_with(options).await;
    let ghost = Agent::connect(&server, "c1", "s1").await;
    ghost.behaviour.mute.store(true, Ordering::Relaxed);
    let restarted = Agent::log_in(&server).await;
    restarted.request(&hello("c1", "s2")).await.expect("accepted");
    soon("the ghost is closed", ghost.connection.closed()).await;
    assert!(server.is_connected("c1"));
    drop(restarted);
    server.stop().await;
}

#[tokio::test]
async fn refused_requests_are_answered_closed_and_leave_no_trace() {
    let server = TestServer::start().await;
    let bad_port = NewConnection {
        remotes: Some(vec!["1:80".parse().expect("a remote")]),
        ..hello("c1", "s1")
    };
    let agent = Agent::log_in(&server).await;
    let refusal = agent.request(&bad_port).await.expect_err("refused");
    assert_eq!(refusal, "Local port 1 is not among allowed ports.");
    soon("closed", agent.connection.closed()).await;
    eventually("no trace", || server.ids().is_empty()).await;

    let agent = Agent::log_in(&server).await;
    let reply = agent
        .connection
        .call(Ping::NAME, b"", PATIENCE)
        .await
        .expect("answered");
    assert!(matches!(reply, Reply::Failure(text) if text == "expecting connection request"));
    soon("closed", agent.connection.closed()).await;

    let agent = Agent::log_in(&server).await;
    let reply = agent
        .connection
        .call(NewConnection::NAME, b"{\"ID\":7}", PATIENCE)
        .await
        .expect("answered");
    assert!(matches!(reply, Reply::Failure(text) if text.starts_with(b"invalid connection request: ")));

    let agent = Agent::log_in(&server).await;
    let refusal = agent
        .request(&hello("line\nbreak", "s1"))
        .await
        .expect_err("refused");
    assert!(refusal.starts_with("could not get clientID: "), "{refusal}");

    let agent = Agent::connect(&server, "c2", "s1").await;
    let refusal = agent.request(&hello("c2", "s1")).await.expect_err("refused");
    assert_eq!(refusal, "unexpected connection request. please reconnect");
    soon("closed", agent.connection.closed()).await;

    let agent = Agent::log_in(&server).await;
    let refusal = agent
        .request(&NewConnection {
            version: "x".into(),
            ..hello("c2", "s1")
        })
        .await;
    assert_eq!(
        refusal,
        Err("failed to determine client version: Malformed version: x".into())
    );
    server.stop().await;
}

#[tokio::test]
async fn ids_are_given_where_none_is_sent() {
    let server = TestServer::start().await;
    let agent = Agent::log_in(&server).await;
    agent.request(&hello("", "s1")).await.expect("accepted");
    let ids = server.ids();
    assert_eq!((ids.len(), ids[0].len()), (1, 36), "a UUID: {ids:?}");
    drop(agent);
    server.stop().await;

    let mut options = options();
    options.clients.auth_multiuse = false;
    options.clients.equate_auth_id = true;
    let server = TestServer::start_with(options).await;
    let first = Agent::log_in(&server).await;
    first.request(&hello("", "s1")).await.expect("accepted");
    assert_eq!(server.ids(), ["rport"]);
    let second = Agent::log_in(&server).await;
    let refusal = second.request(&hello("other", "s2")).await;
    assert_eq!(refusal, Err("client auth ID is already in use: \"rport\"".into()));
    drop((first, second));
    server.stop().await;
}

#[tokio::test]
async fn records_survive_a_restart_and_nobody_is_connected_after_it() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    // What a killed server leaves behind: the row says connected.
    let killed = tempfile::tempdir().expect("a directory");
    let directory = server.directory.as_ref().expect("present").path().to_owned();
    for file in ["clients.db", "clients.db-wal"] {
        std::fs::copy(directory.join(file), killed.path().join(file)).expect("copies");
    }
    drop(agent);
    let stopped = server.stop().await;
    let (at, _) = stored(stopped.path(), "c1").expect("stored");
    assert!(
        at.is_some(),
        "a server that stops in order says goodbye for its agents"
    );

    let server = TestServer::start_in(killed, options()).await;
    let client = server.client("c1").expect("known");
    assert_eq!(
        client.record.disconnected_at.map(|at| at.to_utc()),
        Some(start_time())
    );
    assert_eq!(client.record.details.hostname, "c1.example.com");
    server.stop().await;
}

#[tokio::test]
async fn only_disconnected_clients_are_deleted_and_only_by_those_who_see_them() {
    let server = TestServer::start().await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let id = ClientId::new("c1");
    let clients = server.server.clients().clone();
    let kind = |outcome: Result<(), rport_domain::Error>| outcome.expect_err("refused").kind;
    assert_eq!(
        kind(clients.delete(&member_of(&["dev"]), &id).await),
        Kind::Forbidden
    );
    assert_eq!(kind(clients.delete(&admin(), &id).await), Kind::Invalid);
    assert_eq!(
        kind(clients.delete(&admin(), &ClientId::new("none")).await),
        Kind::NotFound
    );
    agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    clients.delete(&admin(), &id).await.expect("deletes");
    assert!(server.ids().is_empty());
    let directory = server.stop().await;
    assert!(stored(directory.path(), "c1").is_none());
}

#[tokio::test]
async fn clients_away_too_long_are_forgotten() {
    let mut options = options();
    let keep = Duration::from_secs(3600);
    options.clients.purge = Some(PurgeOptions {
        keep,
        interval: Duration::from_secs(1),
    });
    let server = TestServer::start_with(options).await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    let stays = Agent::connect(&server, "c2", "s2").await;
    agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    server.clock.advance(keep / 2);
    assert!(server.client("c1").is_some());
    server.clock.advance(keep);
    eventually("forgotten", || server.ids() == ["c2"]).await;
    drop(stays);
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_kept_when_nothing_shall_be() {
    let mut options = options();
    options.clients.purge = Some(PurgeOptions {
        keep: Duration::ZERO,
        interval: Duration::from_secs(3600),
    });
    let server = TestServer::start_with(options).await;
    Agent::connect(&server, "c1", "s1").await.vanish();
    eventually("forgotten", || server.ids().is_empty()).await;
    server.stop().await;
}

#[tokio::test]
async fn an_agent_that_logs_in_and_then_keeps_silent_is_dropped() {
    let mut options = options();
    options.listener.deadlines.first_request = Duration::from_millis(50);
    let server = TestServer::start_with(options).await;
    let tasks = Tasks::new();
    let link = log_in(&server, "rport", "s3cret", &tasks).await.expect("logs in");
    soon("dropped", link.connection.closed()).await;
    server.stop().await;
}
