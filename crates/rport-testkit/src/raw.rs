//! The agents' port as an attacker uses it: bytes at each step of a connection, without the library under test.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A well-behaved server answers a well-behaved step within this.
const STEP: Duration = Duration::from_secs(20);

/// The upgrade request of a well-behaved agent.
pub const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: server\r\nUser-Agent: rport 0.9.12\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: rport-v1\r\n\r\n";

/// The identification line of a well-behaved agent.
pub const VERSION_LINE: &[u8] = b"SSH-rport-v1-client\r\n";

/// Opens a WebSocket, no more.
///
/// # Errors
///
/// When the server does not upgrade the connection.
pub async fn upgraded(server: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(server).await?;
    socket.write_all(UPGRADE.as_bytes()).await?;
    let mut head = Vec::new();
    timeout(STEP, async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        std::io::Result::Ok(())
    })
    .await
    .context("no answer to the upgrade request")??;
    ensure!(
        head.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    Ok(socket)
}

/// One whole binary frame as a client sends it, masked.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = vec![0x82];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// Reads until the other side ends the connection; returns how many bytes came.
///
/// # Errors
///
/// When it has not ended after `limit`.
pub async fn until_closed(socket: &mut TcpStream, limit: Duration) -> anyhow::Result<usize> {
    let mut total = 0;
    let mut buffer = vec![0; 16 * 1024];
    timeout(limit, async {
        // A reset is an end like any other.
        while let Ok(n) = socket.read(&mut buffer).await {
            if n == 0 {
                break;
            }
            total += n;
        }
    })
    .await
    .with_context(|| format!("the connection is still open after {limit:?}"))?;
    Ok(total)
}
