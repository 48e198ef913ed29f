//! What a visitor of a tunnel does.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// No visit takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// A datagram that was not answered by then is sent again.
const RESEND: Duration = Duration::from_millis(300);

/// Bytes that show if something is missing, doubled or out of order.
pub fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        // xorshift: cheap, and no 64 KiB of it look alike.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

/// Sends bytes to an echo service, in both directions at once, and compares what comes back.
///
/// # Errors
///
/// When the connection fails, or anything else comes back.
pub async fn echo_tcp(address: SocketAddr, length: usize) -> anyhow::Result<()> {
    timeout(LIMIT, async {
        let socket = TcpStream::connect(address).await.context("cannot connect")?;
        let sent = pattern(length);
        let (mut reader, mut writer) = socket.into_split();
        let mut received = vec![0; length];
        let (read, written) = tokio::join!(reader.read_exact(&mut received), async {
            writer.write_all(&sent).await
        });
        written.context("cannot send")?;
        read.context("the echo broke off")?;
        ensure!(received == sent, "the echo differs from what was sent");
        Ok(())
    })
    .await
    .context("the echo takes too long")?
}

/// Sends bytes to a counting service, ends its own half and returns the count that comes back.
///
/// # Errors
///
/// When the connection ends before the count, as it does when half-closed connections are not kept.
pub async fn count_tcp(address: SocketAddr, length: usize) -> anyhow::Result<usize> {
    timeout(LIMIT, async {
        let mut socket = TcpStream::connect(address).await.context("cannot connect")?;
        socket.write_all(&pattern(length)).await.context("cannot send")?;
        socket.shutdown().await?;
        let mut text = String::new();
        socket.read_to_string(&mut text).await.context("no count")?;
        text.parse().with_context(|| format!("'{text}' is no count"))
    })
    .await
    .context("the count takes too long")?
}

/// Connects and reads until the end, without sending anything.
///
/// # Errors
///
/// When nobody listens, or the connection is reset.
pub async fn read_tcp(address: SocketAddr) -> anyhow::Result<Vec<u8>> {
    timeout(LIMIT, async {
        let mut socket = TcpStream::connect(address).await.context("cannot connect")?;
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await?;
        Ok(bytes)
    })
    .await
    .context("the answer takes too long")?
}

/// Sends one datagram to an echo service until it comes back.
///
/// # Errors
///
/// When something else comes back, or nothing in time.
pub async fn echo_udp(address: SocketAddr, length: usize) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(if address.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    })
    .await?;
    socket.connect(address).await?;
    let sent = pattern(length);
    let mut received = vec![0; 64 * 1024];
    let end = tokio::time::Instant::now() + LIMIT;
    while tokio::time::Instant::now() < end {
        // A port that is not open yet answers with an error, which is as good as silence here.
        let _ = socket.send(&sent).await;
        if let Ok(Ok(n)) = timeout(RESEND, socket.recv(&mut received)).await {
            ensure!(received[..n] == sent, "the echo differs from what was sent");
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
    bail!("no echo from {address}")
}

/// Whether something accepts connections there.
pub async fn is_open(address: SocketAddr) -> bool {
    matches!(timeout(LIMIT, TcpStream::connect(address)).await, Ok(Ok(_)))
}
