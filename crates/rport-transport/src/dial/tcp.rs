//! TCP connections: all addresses of a name in turn, from a given local address if there is one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::DialError;

/// How long one address may take while others are left.
const PER_ADDRESS: Duration = Duration::from_secs(10);

pub(super) async fn connect(host: &str, port: u16, bind: Option<IpAddr>) -> Result<TcpStream, DialError> {
    let addresses = resolve(host, port).await?;
    let usable: Vec<SocketAddr> = addresses
        .into_iter()
        .filter(|a| bind.is_none_or(|b| b.is_ipv4() == a.is_ipv4()))
        .collect();
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of a usable family");
    for address in usable {
        match tokio::time::timeout(PER_ADDRESS, connect_one(address, bind)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(e)) => last = e,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    let to = rport_protocol::join_host_port(host, &port.to_string());
    Err(DialError::Connect { to, source: last })
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(source) => Err(DialError::Resolve {
            host: host.to_owned(),
            source,
        }),
    }
}

async fn connect_one(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = bind {
        socket.bind((local, 0).into())?;
    }
    socket.connect(address).await
}
