//! `check_port`: does something listen there?

use std::io;
use std::time::Duration;

use rport_protocol::to_client::{CheckPort, CheckPortReply};

use super::Context;
use crate::tunnels::{self, TargetError};

/// Longest time a check may take, whatever the server asks for.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// Connects to the port and hangs up.
///
/// Differs from RPort: a target the local rules forbid is not touched, so that the check cannot be used to look
/// around in a network no tunnel may lead to. Servers ask `check_tunnel_allowed` first and never see it.
pub(super) async fn handle(request: &CheckPort, context: &Context) -> Result<CheckPortReply, String> {
    let allowed = &context.config.client.tunnel_allowed;
    let limit = request.timeout.min(MAX_TIMEOUT);
    let outcome = tunnels::check_port(&request.host_port, allowed, limit).await;
    Ok(match outcome {
        Ok(()) => CheckPortReply {
            open: true,
            err_msg: String::new(),
        },
        Err(error) => CheckPortReply {
            open: false,
            err_msg: format!("dial tcp {}: {}", request.host_port, describe(&error)),
        },
    })
}

/// The words people know from Go agents, for the two everyday failures.
fn describe(error: &TargetError) -> String {
    match error {
        TargetError::Socket(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
            _ => error.to_string(),
        },
        other => other.to_string(),
    }
}
