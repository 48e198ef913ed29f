//! What the server may ask of the agent: one file per request.
//!
//! A handler decodes, checks the local policy, acts, and returns the payload of a success or the text of a failure.
//! Failures are texts because Go servers show them to their users, and compare a few of them.

mod abort_cmd;
mod check_port;
mod check_tunnel_allowed;
mod run_cmd;
mod unavailable;
mod update_client_metadata;

use std::sync::Arc;

use rport_protocol::Request;
use rport_protocol::texts::UNKNOWN_REQUEST;
use rport_protocol::to_client::{
    AbortCmd, CheckPort, CheckTunnelAllowed, Ping, PutCapabilities, RefreshUpdatesStatus, RunCmd,
    UpdateClientMetadata, Upload,
};
use rport_runtime::Tasks;
use rport_transport::Connection;

use crate::attributes::AttributesStore;
use crate::config::AgentConfig;
use crate::exec::Jobs;

/// The payload of a success, or the text of a failure.
pub(crate) type Answer = Result<Vec<u8>, String>;

/// What handlers work with.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) config: Arc<AgentConfig>,
    pub(crate) attributes: Arc<AttributesStore>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) tasks: Tasks,
}

/// Returns whether a request is answered in no time, so that it needs no task of its own.
pub(crate) fn is_instant(name: &str) -> bool {
    matches!(name, Ping::NAME | PutCapabilities::NAME)
}

/// Serves one request that came through `link`.
pub(crate) async fn handle(name: &str, payload: &[u8], link: &Connection, context: &Context) -> Answer {
    match name {
        Ping::NAME => Ok(Ping::encode_reply(&())),
        PutCapabilities::NAME => put_capabilities(payload),
        CheckPort::NAME => reply::<CheckPort>(check_port::handle(&decode(payload)?, context).await),
        CheckTunnelAllowed::NAME => {
            reply::<CheckTunnelAllowed>(check_tunnel_allowed::handle(&decode(payload)?, context).await)
        }
        UpdateClientMetadata::NAME => {
            reply::<UpdateClientMetadata>(update_client_metadata::handle(payload, context).await)
        }
        RunCmd::NAME => reply::<RunCmd>(run_cmd::handle(payload, link, context).await),
        AbortCmd::NAME => reply::<AbortCmd>(Ok(abort_cmd::handle(&decode(payload)?, context))),
        Upload::NAME => unavailable::upload(),
        RefreshUpdatesStatus::NAME => unavailable::refresh_updates_status(),
        _ => Err(UNKNOWN_REQUEST.to_owned()),
    }
}

/// Decodes a payload; the text names the request, as Go names its type.
fn decode<R: Request>(payload: &[u8]) -> Result<R, String> {
    R::decode(payload).map_err(|error| format!("failed to decode {}: {error}", R::NAME))
}

fn reply<R: Request>(outcome: Result<R::Reply, String>) -> Answer {
    outcome.map(|reply| R::encode_reply(&reply))
}

/// Notes what the server can take.
///
/// Nothing is done with it yet: measurements and external addresses, the two things a server announces, are not
/// sent by this version.
fn put_capabilities(payload: &[u8]) -> Answer {
    let capabilities: PutCapabilities = decode(payload)?;
    tracing::debug!(
        server.version = capabilities.server_version,
        monitoring = capabilities.monitoring_version,
        ip_addresses = capabilities.ip_addresses_version,
        "the server announced its capabilities"
    );
    Ok(Vec::new())
}
