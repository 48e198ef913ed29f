//! Binds the sockets that face the network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections the kernel completes for us before we accept them.
const BACKLOG: i32 = 1024;
/// Kernel buffer asked for per UDP socket, so that a burst survives until its task runs.
const UDP_BUFFER: usize = 512 * 1024;

/// Binds and listens on a TCP port; port 0 lets the kernel choose. The listener does not block.
///
/// `0.0.0.0` and `::` both mean every address, IPv4 and IPv6 on one socket where the machine has IPv6: so does Go,
/// and operators' configurations rely on it.
///
/// # Errors
/// The operating system's; `AddrInUse` when anything else listens there.
pub fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    first_that_binds(address, |address| {
        let socket = open(address, Type::STREAM, Protocol::TCP)?;
        // A restarted server must get its ports back while old connections linger in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(address))?;
        // Listening at once matters: two sockets with SO_REUSEADDR may share a port until one of them listens.
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    })
}

/// Binds a UDP port; port 0 lets the kernel choose. The socket does not block. Every address as in [`listen_tcp`].
///
/// # Errors
/// The operating system's; `AddrInUse` when anything else receives there.
pub fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    first_that_binds(address, |address| {
        // No SO_REUSEADDR: for UDP it would let a second socket take datagrams of the first.
        let socket = open(address, Type::DGRAM, Protocol::UDP)?;
        // Best effort: the kernel caps the size, and the default works too.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER);
        socket.bind(&SockAddr::from(address))?;
        Ok(socket.into())
    })
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Tries what `address` can mean. A busy or forbidden port is final; anything else (no IPv6 here) tries the next.
fn first_that_binds<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    if !address.ip().is_unspecified() {
        return bind(address);
    }
    let every = |ip: IpAddr| bind(SocketAddr::new(ip, address.port()));
    every(Ipv6Addr::UNSPECIFIED.into()).or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
        _ => every(Ipv4Addr::UNSPECIFIED.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

    #[test]
    fn every_address_takes_ipv4_and_a_second_bind_is_refused() {
        let listener = listen_tcp(EVERY).expect("binds");
        let port = listener.local_addr().expect("bound").port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("IPv4 reaches the listener");
        for ip in [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv4Addr::LOCALHOST.into(),
        ] {
            let error = listen_tcp(SocketAddr::new(ip, port)).expect_err("busy");
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{ip}");
        }
        let socket = bind_udp(EVERY).expect("binds");
        let port = socket.local_addr().expect("bound").port();
        let error = bind_udp(SocketAddr::new(EVERY.ip(), port)).expect_err("busy");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn one_address_is_only_that_address() {
        let listener = listen_tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("binds");
        let port = listener.local_addr().expect("bound").port();
        listen_tcp(SocketAddr::from(([127, 0, 0, 2], port))).expect("another address of the machine");
    }
}
