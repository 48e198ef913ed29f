//! Connections that stand although nobody is there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::agent::Agent;
use super::*;
use crate::Liveness;

fn impatient() -> Options {
    let mut options = options();
    options.clients.liveness = Liveness {
        sweep: Duration::from_millis(20),
        own_silence: Duration::from_millis(100),
        own_timeout: Duration::from_millis(200),
        go_silence: Duration::from_millis(100),
    };
    options
}

#[tokio::test]
async fn a_silent_agent_that_answers_pings_stays() {
    let server = TestServer::start_with(impatient()).await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    eventually("a heartbeat", || {
        server
            .client("c1")
            .is_some_and(|client| client.last_heartbeat_at.is_some())
    })
    .await;
    assert!(server.is_connected("c1") && !agent.connection.is_closed());
    drop(agent);
    server.stop().await;
}

#[tokio::test]
async fn an_agent_that_answers_nothing_is_disconnected() {
    let server = TestServer::start_with(impatient()).await;
    let agent = Agent::connect(&server, "c1", "s1").await;
    agent.behaviour.mute.store(true, Ordering::Relaxed);
    eventually("disconnect", || !server.is_connected("c1")).await;
    soon("closed", agent.connection.closed()).await;
    server.stop().await;
}
