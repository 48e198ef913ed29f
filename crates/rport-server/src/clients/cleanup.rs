//! Forgetting clients that have been away too long.

use std::sync::Arc;

use rport_runtime::{Clock, Tasks};

use super::{Client, Registry};
use crate::options::PurgeOptions;

/// Looks for clients to forget at every interval until the tasks are asked to stop.
pub(crate) async fn purge(registry: Arc<Registry>, options: PurgeOptions, clock: Clock, tasks: Tasks) {
    let stop = tasks.soft();
    let mut tick = tokio::time::interval(options.interval.max(std::time::Duration::from_secs(1)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await; // the first one comes at once, the first look after one interval
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => purge_now(&registry, options, &clock).await,
        }
    }
}

/// Forgets every client that has been disconnected longer than it is to be kept.
pub(crate) async fn purge_now(registry: &Arc<Registry>, options: PurgeOptions, clock: &Clock) {
    let now = clock.now();
    for client in registry.all() {
        if is_obsolete(&client, options, now) {
            forget(registry, &client).await;
        }
    }
}

/// Forgets one client, for instance at its disconnect when nothing is to be kept.
pub(crate) async fn forget(registry: &Arc<Registry>, client: &Arc<Client>) {
    if !registry.remove(client) {
        return;
    }
    tracing::info!(client.id = %client.id, "disconnected client forgotten");
    if let Err(error) = registry.save(&client.id).await {
        tracing::error!(client.id = %client.id, %error, "a forgotten client could not be removed from the database");
    }
}

/// Whether a client counts as absent although it has not been removed yet.
pub(crate) fn is_obsolete(
    client: &Client,
    options: PurgeOptions,
    now: chrono::DateTime<chrono::Utc>,
) -> bool {
    let since = client.record().and_then(|record| record.disconnected_at);
    since.is_some_and(|since| since.to_utc() + options.keep <= now)
}
