//! Noticing that a link is dead although nobody said so.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rport_protocol::Request;
use rport_protocol::to_server::Ping;
use rport_runtime::rng::SmallRng;
use rport_transport::{CallError, Connection};
use tokio::time::{Instant, sleep};
use tracing::debug;

/// Probes the server until a probe stays without any sign of life, which is when this returns.
///
/// A reply counts, whatever it says, and so does any other byte that arrives meanwhile: on a link that is full of
/// tunnel data the reply to a ping may be late. `pong` hears how long each answered probe took.
///
/// Differs from RPort, which needs up to three unanswered probes of 30 s each and ignores traffic.
pub(crate) async fn watch(
    connection: &Connection,
    interval: Duration,
    timeout: Duration,
    mut pong: impl FnMut(Duration),
) {
    let mut rng = SmallRng::random();
    loop {
        sleep(with_jitter(interval, &mut rng)).await;
        let before = connection.stats().bytes_in;
        let asked = Instant::now();
        match connection.call(Ping::NAME, Ping.encode(), timeout).await {
            Ok(_) => pong(asked.elapsed()),
            Err(CallError::Closed) => return,
            Err(error) if connection.stats().bytes_in == before => {
                debug!("no sign of life from the server: {error}");
                return;
            }
            Err(error) => debug!("a ping was not answered, but the link is busy: {error}"),
        }
    }
}

/// Adds up to a twentieth, at most five seconds, so that agents that started together do not ping together.
fn with_jitter(interval: Duration, rng: &mut SmallRng) -> Duration {
    const MAX_JITTER: Duration = Duration::from_secs(5);
    let most = (interval / 20).min(MAX_JITTER);
    interval.saturating_add(Duration::from_millis(rng.below(most.as_millis() as u64 + 1)))
}
