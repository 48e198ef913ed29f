//! One TCP stream of a tunnel.

use std::io;
use std::net::SocketAddr;

use rport_transport::{Channel, pipe};

use super::target::{self, DIAL_TIMEOUT};

/// Connects to the target and carries bytes until the stream ends. A target that does not answer closes the channel.
pub(super) async fn serve(channel: Channel, addresses: &[SocketAddr]) -> io::Result<()> {
    let socket = target::connect(addresses, DIAL_TIMEOUT).await?;
    // Tunnels carry keystrokes as well as bulk; coalescing is the far ends' business.
    socket.set_nodelay(true)?;
    let stats = pipe(channel, socket).await;
    tracing::debug!(
        bytes.to_target = stats.to_socket,
        bytes.from_target = stats.from_socket,
        "stream ended"
    );
    Ok(())
}
