//! The link as its users see it: through the real handshake, over memory and over sockets.

mod channels;
mod handshakes;
mod hostile;
mod pipes;
mod requests;

use std::time::Duration;

use rport_runtime::Tasks;

use crate::{Channel, Event, Incoming, IncomingChannel, Link, LinkOptions, pair};

/// Upper bound for anything that must happen; far above what it takes.
const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("happens within the deadline")
}

/// `(agent, server)` joined in memory.
async fn linked() -> (Link, Link) {
    linked_with(&LinkOptions::default()).await
}

async fn linked_with(options: &LinkOptions) -> (Link, Link) {
    pair("tester", options, &Tasks::new()).await.expect("handshake")
}

async fn next_channel(incoming: &mut Incoming) -> IncomingChannel {
    match soon(incoming.next()).await {
        Some(Event::Channel(channel)) => channel,
        other => panic!("a channel was expected, not {other:?}"),
    }
}

/// Opens a channel from the server and accepts it on the agent.
async fn channel_between(server: &Link, agent: &mut Link) -> (Channel, Channel) {
    let open = server.connection.open("rport", b"127.0.0.1:22");
    let accept = async { next_channel(&mut agent.incoming).await.accept() };
    let (opened, accepted) = soon(async { tokio::join!(open, accept) }).await;
    (opened.expect("opened"), accepted)
}
