//! Binds the sockets of a tunnel.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections the kernel completes for us before we accept them.
const BACKLOG: i32 = 1024;
/// Kernel buffer asked for per UDP socket, so that a burst survives until the task runs.
const UDP_BUFFER: usize = 512 * 1024;

/// Where a tunnel listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Every address. IPv4 and IPv6 on one socket where the machine has IPv6, as the Go server does for `0.0.0.0`.
    Any,
    /// One address of this machine.
    Ip(IpAddr),
}

impl Host {
    /// Finds the address a tunnel's local host means.
    ///
    /// # Errors
    /// The name does not resolve.
    pub(crate) async fn resolve(host: &str) -> io::Result<Self> {
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if bare.is_empty() {
            return Ok(Self::Any);
        }
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self::from(ip));
        }
        let mut addresses: Vec<IpAddr> = tokio::net::lookup_host((bare, 0))
            .await?
            .map(|a| a.ip())
            .collect();
        addresses.sort_by_key(IpAddr::is_ipv6); // Go listens on the first IPv4 address of a name
        match addresses.first() {
            Some(ip) => Ok(Self::from(*ip)),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        }
    }

    /// The addresses to try, best first.
    fn candidates(self, port: u16) -> impl Iterator<Item = SocketAddr> {
        let addresses = match self {
            Self::Any => [
                Some(Ipv6Addr::UNSPECIFIED.into()),
                Some(Ipv4Addr::UNSPECIFIED.into()),
            ],
            Self::Ip(ip) => [Some(ip), None],
        };
        addresses
            .into_iter()
            .flatten()
            .map(move |ip: IpAddr| SocketAddr::new(ip, port))
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        if ip.is_unspecified() {
            Self::Any
        } else {
            Self::Ip(ip.to_canonical())
        }
    }
}

/// Binds and listens on a TCP port; 0 lets the kernel choose.
pub(crate) fn tcp(host: Host, port: u16) -> io::Result<TcpListener> {
    first_that_binds(host, port, |address| {
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

/// Binds a UDP port; 0 lets the kernel choose.
pub(crate) fn udp(host: Host, port: u16) -> io::Result<UdpSocket> {
    first_that_binds(host, port, |address| {
        // No SO_REUSEADDR: for UDP it would let a second tunnel take datagrams of the first.
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

/// Tries the addresses of `host`. A busy or forbidden port is final; anything else (no IPv6 here) tries the next.
fn first_that_binds<T>(host: Host, port: u16, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = None;
    for address in host.candidates(port) {
        match bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                let is_final = matches!(
                    error.kind(),
                    io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory
                );
                last = Some(error);
                if is_final {
                    break;
                }
            }
        }
    }
    Err(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(host: &str, expected: Host) {
        assert_eq!(Host::resolve(host).await.expect("resolves"), expected, "{host}");
    }

    #[tokio::test]
    async fn hosts_are_recognised() {
        check("", Host::Any).await;
        check("0.0.0.0", Host::Any).await;
        check("::", Host::Any).await;
        check("[::]", Host::Any).await;
        check("127.0.0.1", Host::Ip(Ipv4Addr::LOCALHOST.into())).await;
        check("[::1]", Host::Ip(Ipv6Addr::LOCALHOST.into())).await;
        check("localhost", Host::Ip(Ipv4Addr::LOCALHOST.into())).await;
        assert!(Host::resolve("no such host").await.is_err());
    }

    #[test]
    fn any_host_takes_ipv4_and_a_second_bind_is_refused() {
        let listener = tcp(Host::Any, 0).expect("binds");
        let port = listener.local_addr().expect("bound").port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("IPv4 reaches the listener");
        let error = tcp(Host::Any, port).expect_err("busy");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = tcp(Host::Ip(Ipv4Addr::LOCALHOST.into()), port).expect_err("busy");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);

        let socket = udp(Host::Any, 0).expect("binds");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(
            udp(Host::Any, port).expect_err("busy").kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
