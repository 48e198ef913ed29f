//! Noticing that an agent is gone although its connection still stands.
//!
//! One task looks at all connections every few seconds. Any byte from the agent counts as a sign of life, so a busy
//! link is never questioned; one that has been silent too long is pinged, and closed if it does not answer. The
//! session task then does the rest.

use std::sync::Arc;
use std::time::Duration;

use rport_runtime::{Clock, Tasks};
use tokio::sync::Semaphore;

use super::{Client, ClientLink, Registry};
use crate::options::ClientsOptions;

/// Pings under way at the same time.
const PINGS: usize = 500;

/// Watches until the tasks are asked to stop.
pub(crate) async fn watch(registry: Arc<Registry>, options: ClientsOptions, clock: Clock, tasks: Tasks) {
    let stop = tasks.soft();
    let pings = Arc::new(Semaphore::new(PINGS));
    let mut tick = tokio::time::interval(options.liveness.sweep);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for client in registry.all() {
            let Some(link) = client.link() else { continue };
            let Some(limit) = suspicious(&link, &options) else {
                continue;
            };
            // Without a permit the next look will do; the suspects do not run away.
            let Ok(permit) = pings.clone().try_acquire_owned() else {
                break;
            };
            let Some(questioned) = link.start_question() else {
                continue;
            };
            let clock = clock.clone();
            tasks.spawn("liveness_ping", async move {
                let _permit = permit;
                let _questioned = questioned;
                question(&client, &link, limit, &clock).await;
            });
        }
    }
}

/// How long a connection has to answer, if it has been silent for too long.
fn suspicious(link: &ClientLink, options: &ClientsOptions) -> Option<Duration> {
    let liveness = &options.liveness;
    let (silence, limit) = if link.connection.peer_is_ours() {
        (liveness.own_silence, liveness.own_timeout)
    } else {
        (
            liveness.go_silence.min(options.check_interval),
            options.check_timeout,
        )
    };
    (link.connection.idle_for() >= silence).then_some(limit)
}

async fn question(client: &Client, link: &ClientLink, limit: Duration, clock: &Clock) {
    if link.answers_ping(limit).await {
        client.heard(clock.now_local());
    } else if !link.connection.is_closed() {
        tracing::info!(client.id = %link.client, "client does not answer, its connection is closed");
        link.connection.close();
    }
}
