//! Connections through a tunnel.

use std::{io, time::Duration};

use rport_runtime::Tasks;
use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use super::listen::{Shared, place, renew};
use crate::output::note;

/// Pause after the system refused a connection for lack of something.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn serve(listener: TcpListener, tasks: Tasks, tunnel: Shared) {
    loop {
        match listener.accept().await {
            Ok((visitor, _)) => drop(tasks.spawn("connection", carry(visitor, tunnel.clone()))),
            Err(_) => tokio::time::sleep(REFUSED_PAUSE).await,
        }
    }
}

async fn carry(mut visitor: TcpStream, tunnel: Shared) {
    let mut far = match connect(&tunnel).await {
        Ok(far) => far,
        Err(what) => {
            note(&what);
            return;
        }
    };
    for socket in [&visitor, &far] {
        // Only a matter of speed.
        let _ = socket.set_nodelay(true);
    }
    // When this is dropped in the middle of things, at Ctrl-C, the server must see the connection go at once, or it
    // would not let the tunnel be closed. An orderly end still delivers everything.
    let _ = set_socket_linger(&far, Some(Duration::ZERO));
    if copy_bidirectional(&mut visitor, &mut far).await.is_ok() {
        let _ = set_socket_linger(&far, None);
    }
}

async fn connect(tunnel: &Shared) -> Result<TcpStream, String> {
    let at = place(tunnel).await;
    match TcpStream::connect((at.0.as_str(), at.1)).await {
        Ok(far) => Ok(far),
        // Nobody listens any more: the tunnel was idle for too long, or the client was away.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let at = renew(tunnel, &at)
                .await
                .map_err(|failure| format!("cannot open the tunnel again: {}", failure.what()))?;
            let far = TcpStream::connect((at.0.as_str(), at.1)).await;
            far.map_err(|error| format!("cannot connect to {} port {}: {error}", at.0, at.1))
        }
        Err(error) => Err(format!("cannot connect to {} port {}: {error}", at.0, at.1)),
    }
}
