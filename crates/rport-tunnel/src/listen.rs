//! Where a tunnel listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use rport_runtime::net;

/// Where a tunnel listens: one address of this machine, or every address as `0.0.0.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host(IpAddr);

impl Host {
    /// Every address, IPv4 and IPv6.
    pub(crate) const ANY: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

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
            return Ok(Self::ANY);
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

    /// Binds and listens on a TCP port; 0 lets the kernel choose.
    pub(crate) fn listen_tcp(self, port: u16) -> io::Result<TcpListener> {
        net::listen_tcp(SocketAddr::new(self.0, port))
    }

    /// Binds a UDP port; 0 lets the kernel choose.
    pub(crate) fn bind_udp(self, port: u16) -> io::Result<UdpSocket> {
        net::bind_udp(SocketAddr::new(self.0, port))
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        if ip.is_unspecified() {
            Self::ANY
        } else {
            Self(ip.to_canonical())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    async fn check(host: &str, expected: Host) {
        assert_eq!(Host::resolve(host).await.expect("resolves"), expected, "{host}");
    }

    #[tokio::test]
    async fn hosts_are_recognised() {
        check("", Host::ANY).await;
        check("0.0.0.0", Host::ANY).await;
        check("::", Host::ANY).await;
        check("[::]", Host::ANY).await;
        check("127.0.0.1", Host(Ipv4Addr::LOCALHOST.into())).await;
        check("[::1]", Host(Ipv6Addr::LOCALHOST.into())).await;
        check("localhost", Host(Ipv4Addr::LOCALHOST.into())).await;
        assert!(Host::resolve("no such host").await.is_err());
    }
}
