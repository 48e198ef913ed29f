//! What a tunnel leads to while it is measured.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// Size of the buffers on both ends.
pub const BUFFER: usize = 256 * 1024;
/// Size of a ping.
pub const PING: usize = 64;

/// First byte of a connection: what the target shall do on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Read and count.
    Sink,
    /// Write as fast as the peer reads.
    Source,
    /// Send back each [`PING`].
    Echo,
    /// Send one byte and close.
    Greet,
}

impl Role {
    /// The byte on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Self::Sink => b'S',
            Self::Source => b'G',
            Self::Echo => b'E',
            Self::Greet => b'C',
        }
    }
}

/// A listener whose connections do what their first byte says.
pub struct Target {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Target {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let received = Arc::new(AtomicU64::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let (counter, stop) = (received.clone(), stopped.clone());
        thread::spawn(move || {
            for socket in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                let counter = counter.clone();
                // A failed connection ends the measurement on the visitor's side, where it is reported.
                thread::spawn(move || serve(socket, &counter));
            }
        });
        Ok(Self {
            address,
            received,
            stopped,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that sinks have read so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut socket: TcpStream, received: &AtomicU64) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut role = [0];
    socket.read_exact(&mut role)?;
    match role[0] {
        b'S' => {
            let mut buffer = vec![0; BUFFER];
            loop {
                let n = socket.read(&mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                received.fetch_add(n as u64, Ordering::Relaxed);
            }
        }
        b'G' => {
            let buffer = vec![0x5a; BUFFER];
            loop {
                socket.write_all(&buffer)?;
            }
        }
        b'E' => {
            let mut ping = [0; PING];
            loop {
                socket.read_exact(&mut ping)?;
                socket.write_all(&ping)?;
            }
        }
        _ => socket.write_all(b"!"),
    }
}
