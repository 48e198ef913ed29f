//! Serving one link: what the server asks, and the channels it opens.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rport_runtime::Tasks;
use rport_transport::{Connection, Event, Incoming, IncomingRequest};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::requests::{self, Context};
use crate::tunnels;

/// Most requests served at a time. A Go agent serves one after another, so servers do not expect more; the bound
/// keeps a wild server from starting tasks without end. Beyond it the link is not read until one is done.
const MAX_REQUESTS: usize = 64;

/// Serves requests and channels until the link ends.
///
/// Must run from the moment the link is up: servers ask and open channels before they answer `new_connection`.
/// Requests run beside each other, so a slow one never holds up a `ping`; the transport keeps the replies in order.
pub(crate) async fn serve(mut incoming: Incoming, link: Connection, context: Context, link_tasks: Tasks) {
    let permits = Arc::new(Semaphore::new(MAX_REQUESTS));
    let allowed = Arc::new(context.config.client.tunnel_allowed.clone());
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) if requests::is_instant(&request.name) => {
                answer(request, &link, &context).await;
            }
            Event::Request(request) => {
                let Ok(permit) = permits.clone().acquire_owned().await else {
                    return;
                };
                let (link, context) = (link.clone(), context.clone());
                link_tasks.spawn("request", async move {
                    answer(request, &link, &context).await;
                    drop(permit);
                });
            }
            Event::Channel(channel) => {
                let serving = tunnels::serve(channel, allowed.clone(), link_tasks.clone());
                link_tasks.spawn("tunnel channel", serving);
            }
        }
    }
}

async fn answer(request: IncomingRequest, link: &Connection, context: &Context) {
    let answer = requests::handle(&request.name, &request.payload, link, context).await;
    match answer {
        Ok(payload) => request.succeed(payload),
        Err(text) => {
            debug!(request.name = %request.name, "request refused: {text}");
            request.fail(&text);
        }
    }
}
