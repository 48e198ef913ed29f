//! A program of the operator that sends codes.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{CodeMessage, DeliveryError};

/// How much of the program's error output is passed on, in bytes.
const SHOWN: usize = 1024;

/// Runs the program without arguments, with everything in its environment. It is killed when the caller gives up.
/// Source: rest-api.md 6.2.
pub(super) async fn send(program: &Path, message: &CodeMessage) -> Result<(), DeliveryError> {
    let failed = |error: std::io::Error| DeliveryError::Failed(error.to_string());
    // A zero byte cannot stand in an environment; in a user agent it is nonsense anyway.
    let user_agent = message.user_agent.replace('\0', "");
    let mut child = Command::new(program)
        .env("RPORT_2FA_TOKEN", message.code.expose())
        .env("RPORT_2FA_SENDTO", &message.send_to)
        .env("RPORT_2FA_TOKEN_TTL", message.ttl.as_secs().to_string())
        .env("RPORT_2FA_USER_AGENT", user_agent)
        .env("RPORT_2FA_REMOTE_ADDRESS", &message.remote_address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // A program that says more than is shown must not be stopped by a full pipe.
        let mut rest = stderr;
        (&mut rest)
            .take(SHOWN as u64)
            .read_to_end(&mut said)
            .await
            .map_err(failed)?;
        tokio::io::copy(&mut rest, &mut tokio::io::sink())
            .await
            .map_err(failed)?;
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    Err(DeliveryError::Script(format!("{status}: {}", said.trim())))
}
