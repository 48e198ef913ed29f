//! One connection of an agent, from its login to its end.
//!
//! A task per connection: it waits for the connection request, has it decided (`admission.rs`), then serves what the
//! agent sends (`inbound/`) until the connection ends, a newer one takes over, or the server stops. Whatever happens,
//! the seat is left and the tunnels end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rport_domain::ClientAuthId;
use rport_protocol::to_client::PutCapabilities;
use rport_protocol::to_server::NewConnection;
use rport_protocol::{Request, texts};
use rport_runtime::{Clock, Tasks};
use rport_transport::{Event, Incoming, IncomingRequest, Link};
use tokio::time::timeout;

use super::admission::{self, Refusal};
use super::registry::Seat;
use super::{Client, ClientLink, Registry, cleanup, inbound};
use crate::client_auth::{ClientAuths, Entered};
use crate::jobs::Jobs;
use crate::metrics_names::CONNECTION_REQUESTS_TOTAL;
use crate::options::{ClientsOptions, Deadlines};
use crate::tunnels::Tunnels;

/// How long the end of a connection may wait for the one it took over from.
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(10);
/// SSH reason code: administratively prohibited.
const PROHIBITED: u32 = 1;

/// What all sessions share.
#[derive(Clone)]
pub(crate) struct Sessions {
    inner: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) tunnels: Tunnels,
    pub(crate) jobs: Jobs,
    pub(crate) client_auth: ClientAuths,
    pub(crate) options: ClientsOptions,
    pub(crate) deadlines: Deadlines,
    pub(crate) max_request_bytes: usize,
    /// What every agent is told after it was accepted.
    pub(crate) capabilities: PutCapabilities,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// An accepted connection and its place.
struct Occupied {
    shared: Arc<Shared>,
    client: Arc<Client>,
    seat: Arc<Seat>,
    finished: bool,
    /// Given back last: whoever revokes credentials waits for it.
    _entered: Entered,
}

impl Sessions {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            inner: Arc::new(shared),
        }
    }

    /// Lives the life of one connection.
    ///
    /// The beginning and the end are boxed: they take much room for a short time, and an idle agent's task should
    /// not hold on to it.
    pub(crate) async fn run(self, link: Link, address: IpAddr) {
        let Some((occupied, mut incoming)) = Box::pin(self.begin(link, address)).await else {
            return;
        };
        occupied.serve(&mut incoming).await;
        Box::pin(occupied.finish()).await;
    }

    /// From the login to the reply to the connection request; `None` if it did not get so far.
    async fn begin(self, link: Link, address: IpAddr) -> Option<(Occupied, Incoming)> {
        let Link {
            connection,
            mut incoming,
            peer,
        } = link;
        let shared = self.inner;
        let stop = shared.tasks.soft();
        let auth = ClientAuthId::from(peer.user);
        let entered = shared.client_auth.enter(&auth, &connection);
        // Revoked between the login and now. From here on, a revocation closes the connection.
        if shared.client_auth.is_usable(&auth).await == Some(false) {
            tracing::info!(client_auth.id = %auth, %address, "connection closed, its client auth was revoked meanwhile");
            connection.close();
            return None;
        }
        let request = tokio::select! {
            () = stop.cancelled() => return None,
            request = first_request(&shared, &mut incoming) => request,
        };
        let Some((request, hello)) = request else {
            connection.flush_and_close(shared.deadlines.flush).await;
            return None;
        };
        let id = admission::choose_id(&shared, &hello, &auth);
        let link = ClientLink::new(id.clone(), shared.registry.next_connection(), connection);
        let client = shared.registry.find_or_insert(&id);
        let seat = Seat::new(link, &hello.session_id);
        let occupied = Occupied {
            shared,
            client,
            seat,
            finished: false,
            _entered: entered,
        };

        let decided = tokio::select! {
            () = stop.cancelled() => None,
            () = occupied.seat.replaced.cancelled() => None,
            decided = occupied.decide(hello, auth, address) => Some(decided),
        };
        match decided {
            Some(Ok(reply)) => {
                request.succeed(NewConnection::encode_reply(&reply));
                occupied.announce().await;
                occupied.shared.jobs.connected(&occupied.client.id);
                return Some((occupied, incoming));
            }
            Some(Err(refusal)) => {
                let text = refusal.to_string();
                tracing::info!(client.id = %occupied.client.id, %address, reason = text, "connection request refused");
                request.fail(&text);
                // Go agents leave refused connections open.
                occupied
                    .seat
                    .link
                    .connection
                    .flush_and_close(occupied.shared.deadlines.flush)
                    .await;
            }
            None => drop(request),
        }
        occupied.finish().await;
        None
    }
}

/// Waits for the connection request. Anything else first, or nothing, is answered as far as possible and ends the
/// connection.
async fn first_request(shared: &Shared, incoming: &mut Incoming) -> Option<(IncomingRequest, NewConnection)> {
    let waiting = async {
        loop {
            match incoming.next().await? {
                Event::Request(request) => return Some(request),
                Event::Channel(channel) => channel.reject(PROHIBITED, "connection request expected"),
            }
        }
    };
    let Ok(request) = timeout(shared.deadlines.first_request, waiting).await else {
        connection_request("late");
        tracing::debug!("an agent logged in and then sent no connection request");
        return None;
    };
    let request = request?;
    let problem = if request.name != NewConnection::NAME {
        "expecting connection request".to_owned()
    } else if request.payload.len() > shared.max_request_bytes {
        let (limit, actual) = (shared.max_request_bytes, request.payload.len());
        format!("request data exceeds the limit of {limit} bytes, actual size: {actual}")
    } else {
        match NewConnection::decode(&request.payload) {
            Ok(hello) => return Some((request, hello)),
            Err(error) => format!("invalid connection request: {error}"),
        }
    };
    connection_request("refused");
    tracing::info!(reason = problem, "connection request refused");
    request.fail(&problem);
    None
}

impl Occupied {
    async fn decide(
        &self,
        hello: NewConnection,
        auth: ClientAuthId,
        address: IpAddr,
    ) -> Result<<NewConnection as Request>::Reply, Refusal> {
        let limit = self.shared.deadlines.admission;
        let admission = admission::admit(&self.shared, &self.client, &self.seat, hello, auth, address);
        let decided = timeout(limit, admission).await.unwrap_or(Err(Refusal::TooSlow));
        connection_request(if decided.is_ok() { "accepted" } else { "refused" });
        decided
    }

    async fn announce(&self) {
        let link = &self.seat.link;
        tracing::info!(client.id = %self.client.id, connection.id = %link.id, "client connected");
        // Exactly once per connection: every further one would start another measuring loop in a Go agent.
        let capabilities = self.shared.capabilities.encode();
        if let Err(error) = link.connection.notify(PutCapabilities::NAME, capabilities).await {
            tracing::debug!(client.id = %self.client.id, %error, "capabilities were not sent");
        }
    }

    /// Serves the agent's requests until the connection has to end.
    async fn serve(&self, incoming: &mut Incoming) {
        let stop = self.shared.tasks.soft();
        loop {
            let event = tokio::select! {
                biased;
                () = self.seat.replaced.cancelled() => return,
                () = stop.cancelled() => return,
                event = incoming.next() => event,
            };
            match event {
                Some(Event::Request(request)) if request.name == NewConnection::NAME => {
                    // Source: wire-protocol.md 6.5. The agent reconnects on this.
                    request.fail(texts::PLEASE_RECONNECT);
                    Box::pin(
                        self.seat
                            .link
                            .connection
                            .flush_and_close(self.shared.deadlines.flush),
                    )
                    .await;
                    return;
                }
                Some(Event::Request(request)) => {
                    Box::pin(inbound::serve(&self.shared, &self.client, request)).await
                }
                Some(Event::Channel(channel)) => {
                    // Fetching of files arrives with the feature that uses it.
                    if let Some(unknown) = self.shared.jobs.take_channel(&self.client, channel) {
                        unknown.reject(PROHIBITED, "not served");
                    }
                }
                None => return,
            }
        }
    }

    /// Leaves the seat, ends the tunnels, stores that the client is gone, and only then lets a newer connection go
    /// on.
    async fn finish(mut self) {
        let (shared, client, seat) = (&self.shared, &self.client, &self.seat);
        seat.link.connection.close();
        let changed = shared.registry.leave(client, seat, shared.clock.now_local());
        shared.tunnels.end_all(&client.id, seat.link.id).await;
        // The predecessor's ports have to be free too before a successor opens its tunnels.
        let _ = timeout(PREDECESSOR_LIMIT, seat.predecessor_left()).await;
        seat.left.cancel();
        self.finished = true;
        if changed {
            let (shared, client) = (&self.shared, &self.client);
            tracing::info!(client.id = %client.id, connection.id = %self.seat.link.id, "client disconnected");
            if shared.options.purge.is_some_and(|purge| purge.keep.is_zero()) {
                cleanup::forget(&shared.registry, client).await;
            } else if let Err(error) = shared.registry.save(&client.id).await {
                tracing::error!(client.id = %client.id, %error, "a disconnect was not saved");
            }
        }
    }
}

impl Drop for Occupied {
    /// For the ends nobody awaits: a panic, or the end of the grace period.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.seat.link.connection.close();
        self.shared
            .registry
            .leave(&self.client, &self.seat, self.shared.clock.now_local());
        self.shared.tunnels.drop_all(&self.client.id, self.seat.link.id);
        self.seat.left.cancel();
    }
}

fn connection_request(result: &'static str) {
    metrics::counter!(CONNECTION_REQUESTS_TOTAL, "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every idle agent costs one of these for as long as it is connected.
    #[test]
    fn the_future_of_a_session_is_small() {
        fn size<F: Future>(_: impl FnOnce(Sessions, Link, IpAddr) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = size(Sessions::run);
        assert!(bytes < 1024, "{bytes} bytes per idle agent");
    }
}
