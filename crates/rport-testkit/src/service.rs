//! Things behind an agent that a tunnel can lead to.

use std::net::SocketAddr;

use rport_runtime::Tasks;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};

/// A service on 127.0.0.1; it ends when this value is dropped.
pub struct Service {
    address: SocketAddr,
    tasks: Tasks,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl Service {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections it serves now; the accept loop counts as none.
    pub fn connections(&self) -> usize {
        self.tasks.count().saturating_sub(1)
    }

    /// Sends back what it gets, and closes its half when the peer closed the other.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn tcp_echo() -> std::io::Result<Self> {
        Self::tcp(|mut socket| async move {
            let (mut reader, mut writer) = socket.split();
            // A cut connection is an ordinary end for a service under test.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        })
        .await
    }

    /// Reads everything up to the end, then answers with the number of bytes in decimal.
    ///
    /// Only a tunnel that keeps half-closed connections lets the answer through.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn tcp_count() -> std::io::Result<Self> {
        Self::tcp(|mut socket| async move {
            let mut total = 0_u64;
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n) = socket.read(&mut buffer).await {
                if n == 0 {
                    let _ = socket.write_all(total.to_string().as_bytes()).await;
                    let _ = socket.shutdown().await;
                    return;
                }
                total += n as u64;
            }
        })
        .await
    }

    /// Sends `greeting` to whoever connects and closes.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn tcp_greeting(greeting: &'static str) -> std::io::Result<Self> {
        Self::tcp(move |mut socket| async move {
            let _ = socket.write_all(greeting.as_bytes()).await;
            let _ = socket.shutdown().await;
        })
        .await
    }

    /// Accepts and never reads a byte: what a slow consumer looks like to a tunnel.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn tcp_deaf() -> std::io::Result<Self> {
        Self::tcp(|socket| async move {
            let _open = socket;
            std::future::pending::<()>().await;
        })
        .await
    }

    /// Sends each datagram back to its sender.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn udp_echo() -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let tasks = Tasks::new();
        tasks.spawn("udp echo", async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..n], from).await;
            }
        });
        Ok(Self { address, tasks })
    }

    async fn tcp<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> std::io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tasks = Tasks::new();
        let inner = tasks.clone();
        tasks.spawn("service", async move {
            while let Ok((socket, _)) = listener.accept().await {
                inner.spawn("service connection", serve(socket));
            }
        });
        Ok(Self { address, tasks })
    }
}
