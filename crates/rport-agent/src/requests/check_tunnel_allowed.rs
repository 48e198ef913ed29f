//! `check_tunnel_allowed`: may a tunnel lead there?

use rport_protocol::to_client::{CheckTunnelAllowed, CheckTunnelAllowedReply};

use super::Context;
use crate::tunnels;

/// Holds a target against the local rules.
pub(super) async fn handle(
    request: &CheckTunnelAllowed,
    context: &Context,
) -> Result<CheckTunnelAllowedReply, String> {
    tunnels::is_allowed(&request.remote, &context.config.client.tunnel_allowed)
        .await
        .map(|is_allowed| CheckTunnelAllowedReply { is_allowed })
        .map_err(|error| error.to_string())
}
