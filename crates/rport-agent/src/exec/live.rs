//! Output while the job runs: the `stdout` and `stderr` channels.

use std::sync::Arc;
use std::time::Duration;

use rport_protocol::channel::{KIND_STDERR, KIND_STDOUT};
use rport_transport::{Channel, Connection};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tracing::debug;

use super::capture::{Capture, Piece};
use super::encoding::Charset;

/// How long a server may take to accept a channel, and how long it may take nothing of what we have.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes written at a time.
const PIECE: usize = 32 * 1024;

/// The channels of a job, open until dropped.
pub(super) struct LiveChannels {
    pub(super) stdout: Option<Channel>,
    pub(super) stderr: Option<Channel>,
}

impl LiveChannels {
    /// Opens both; the extra data is the order as it came, by which the server knows the job. A channel that cannot
    /// be opened costs the live view only, where a Go agent would not start the job.
    pub(super) async fn open(link: &Connection, order: &[u8]) -> Self {
        let (stdout, stderr) = tokio::join!(open(link, KIND_STDOUT, order), open(link, KIND_STDERR, order));
        Self { stdout, stderr }
    }
}

async fn open(link: &Connection, kind: &'static str, order: &[u8]) -> Option<Channel> {
    match timeout(PATIENCE, link.open(kind, order)).await {
        Ok(Ok(channel)) => Some(channel),
        Ok(Err(error)) => {
            debug!("no live output on {kind}: {error}");
            None
        }
        Err(_) => {
            debug!("no live output on {kind}: the server does not answer");
            None
        }
    }
}

/// Sends what is kept of a stream, as it comes, and returns the channel when all of it is sent. `None` if the
/// server took nothing for too long or is gone: the job does not wait for viewers.
pub(super) async fn forward(
    mut channel: Channel,
    capture: Arc<Capture>,
    charset: Option<Charset>,
) -> Option<Channel> {
    let mut decoder = charset.map(Charset::decoder);
    let mut at = 0;
    loop {
        let piece = capture.piece(at, PIECE).await;
        let (bytes, last) = match piece {
            Piece::Bytes(bytes) => {
                at += bytes.len();
                (bytes, false)
            }
            Piece::End => (Vec::new(), true),
        };
        let bytes = match &mut decoder {
            // Bytes that are no UTF-8 travel as they are; the server shows them as it likes.
            None => bytes,
            Some(decoder) => {
                let mut text = String::new();
                decoder.decode(&bytes, last, &mut text);
                text.into_bytes()
            }
        };
        if !bytes.is_empty() {
            timeout(PATIENCE, channel.write_all(&bytes)).await.ok()?.ok()?;
        }
        if last {
            return Some(channel);
        }
    }
}
