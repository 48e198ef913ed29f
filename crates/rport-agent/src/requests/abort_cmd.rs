//! `abort_cmd`: end a command or a script.

use rport_protocol::to_client::{AbortCmd, AbortCmdReply};

use super::Context;

/// Begins to end it, and does not wait until it has ended.
pub(super) fn handle(request: &AbortCmd, context: &Context) -> AbortCmdReply {
    context.jobs.abort(&request.jid)
}
