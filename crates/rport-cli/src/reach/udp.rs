//! Datagrams through a tunnel. Each local sender has a socket of its own towards the tunnel, so that answers find back.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rport_runtime::Tasks;
use tokio::{
    net::UdpSocket,
    sync::mpsc::{self, Receiver, Sender, error::TrySendError},
    time::timeout,
};

use super::listen::{Shared, place, renew};
use crate::output::note;

/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// Datagrams that wait for one sender's socket; more are lost, as datagrams may be.
const WAITING: usize = 64;
/// Local senders at the same time.
const SENDERS: usize = 1024;
/// After this long without a datagram either way a sender's socket is closed.
const IDLE: Duration = Duration::from_secs(60);

pub(super) async fn serve(socket: UdpSocket, tasks: Tasks, tunnel: Shared) {
    let socket = Arc::new(socket);
    let mut senders: HashMap<SocketAddr, Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error here is one peer's closed port, told late.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let datagram = buffer.get(..length).unwrap_or_default().to_vec();
        let datagram = match senders.get(&from).map(|sender| sender.try_send(datagram)) {
            Some(Ok(()) | Err(TrySendError::Full(_))) => continue,
            Some(Err(TrySendError::Closed(datagram))) => datagram,
            None => buffer.get(..length).unwrap_or_default().to_vec(),
        };
        senders.retain(|_, sender| !sender.is_closed());
        if senders.len() >= SENDERS {
            continue;
        }
        let (sender, datagrams) = mpsc::channel(WAITING);
        // The channel is empty.
        let _ = sender.try_send(datagram);
        senders.insert(from, sender);
        tasks.spawn("sender", carry(socket.clone(), from, datagrams, tunnel.clone()));
    }
}

async fn carry(local: Arc<UdpSocket>, sender: SocketAddr, mut datagrams: Receiver<Vec<u8>>, tunnel: Shared) {
    let mut buffer = vec![0; DATAGRAM];
    let mut at = place(&tunnel).await;
    'connected: loop {
        let far = match connect(&at).await {
            Ok(far) => far,
            Err(error) => return note(&format!("cannot reach {} port {}: {error}", at.0, at.1)),
        };
        loop {
            let step = async {
                tokio::select! {
                    datagram = datagrams.recv() => match datagram {
                        Some(datagram) => far.send(&datagram).await.map(|_| true),
                        None => Ok(false),
                    },
                    length = far.recv(&mut buffer) => {
                        let length = length?;
                        // The local program may be gone; its datagrams are then lost.
                        let _ = local.send_to(buffer.get(..length).unwrap_or_default(), sender).await;
                        Ok(true)
                    }
                }
            };
            match timeout(IDLE, step).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => return,
                // Nobody listens there any more: the tunnel was idle for too long, or the client was away.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    match renew(&tunnel, &at).await {
                        Ok(now) => at = now,
                        Err(failure) => {
                            return note(&format!("cannot open the tunnel again: {}", failure.what()));
                        }
                    }
                    continue 'connected;
                }
                Ok(Err(_)) => return,
            }
        }
    }
}

async fn connect(at: &(String, u16)) -> io::Result<UdpSocket> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host((at.0.as_str(), at.1)).await? {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}
