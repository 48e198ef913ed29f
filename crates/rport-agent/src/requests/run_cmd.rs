//! `run_cmd`: start a command or a script.

use rport_protocol::to_client::RunCmdReply;
use rport_transport::Connection;

use super::Context;

/// Starts it; the result follows as `cmd_result` when it has ended.
pub(super) async fn handle(
    payload: &[u8],
    link: &Connection,
    context: &Context,
) -> Result<RunCmdReply, String> {
    context.jobs.run(payload, link).await
}
