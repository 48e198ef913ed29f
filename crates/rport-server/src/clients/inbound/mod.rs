//! What a connected agent sends: one file per request.

mod cmd_result;
mod ip_addresses;
mod ping;
mod updates_status;

use std::sync::Arc;

use rport_protocol::Request;
use rport_protocol::to_server::{CmdResult, IpAddresses, Ping, SaveMeasurement, UpdatesStatus};
use rport_transport::IncomingRequest;

use super::Client;
use super::session::Shared;

/// Serves one request. Requests of one agent are served one after another: an agent that sends faster than its
/// records can be stored waits, and nobody else does.
pub(super) async fn serve(shared: &Shared, client: &Arc<Client>, request: IncomingRequest) {
    if request.payload.len() > shared.max_request_bytes {
        let (name, bytes) = (&request.name, request.payload.len());
        tracing::warn!(client.id = %client.id, request = name, bytes, "request is larger than the limit and skipped");
        // Where an answer is wanted, it must not be one after which the agent tries again.
        request.fail("the request is larger than this server takes");
        return;
    }
    match request.name.as_str() {
        Ping::NAME => ping::serve(shared, client, request),
        IpAddresses::NAME => decoded(client, &request, |it| ip_addresses::serve(shared, client, it)).await,
        UpdatesStatus::NAME => {
            decoded(client, &request, |it| updates_status::serve(shared, client, it)).await
        }
        CmdResult::NAME => cmd_result::serve(shared, client, request).await,
        // Measurements get their keeper in a later release. They are not asked for until then, so what comes is old
        // or unasked.
        SaveMeasurement::NAME => {
            tracing::debug!(client.id = %client.id, request = request.name, "not kept by this version");
        }
        // Dropping it refuses it where an answer is wanted.
        other => tracing::debug!(client.id = %client.id, request = other, "unknown request"),
    }
}

async fn decoded<R, F>(client: &Client, request: &IncomingRequest, serve: impl FnOnce(R) -> F)
where
    R: Request,
    F: Future<Output = ()>,
{
    match R::decode(&request.payload) {
        Ok(content) => serve(content).await,
        Err(error) => {
            tracing::warn!(client.id = %client.id, request = R::NAME, %error, "request cannot be read and is skipped");
        }
    }
}
