//! The datagram with its address.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use bytes::Bytes;

/// One datagram.
#[derive(Clone, PartialEq, Eq)]
pub struct UdpFrame {
    /// The visitor's address at the server's socket. Towards the agent: who sent it; back: whom it is for. Peers
    /// compare its bytes, so echo it exactly.
    pub addr: Option<UdpAddr>,
    /// The payload; empty datagrams exist.
    pub data: Bytes,
}

impl fmt::Debug for UdpFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpFrame({:?}, {} bytes)", self.addr, self.data.len())
    }
}

/// An address as Go's `net.UDPAddr` writes it. Four and sixteen bytes for one IPv4 address are different values:
/// a dual-stack socket gives sixteen.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UdpAddr {
    ip: [u8; 16],
    /// 0 (unset), 4 or 16.
    ip_len: u8,
    /// Port.
    pub port: u16,
    /// IPv6 zone; an interface name or number, usually empty.
    pub zone: String,
}

impl UdpAddr {
    /// Makes an address from the raw bytes of the IP: none, four or sixteen; `None` for other lengths.
    pub fn from_raw(ip: &[u8], port: u16, zone: impl Into<String>) -> Option<Self> {
        if !matches!(ip.len(), 0 | 4 | 16) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..ip.len()].copy_from_slice(ip);
        Some(Self {
            ip: bytes,
            ip_len: u8::try_from(ip.len()).ok()?,
            port,
            zone: zone.into(),
        })
    }

    /// Returns the raw bytes of the IP.
    pub fn ip_bytes(&self) -> &[u8] {
        &self.ip[..usize::from(self.ip_len)]
    }

    /// Returns the IP; `None` when it is unset. A mapped address comes back as IPv4.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.ip_bytes() {
            [a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d))),
            [] => None,
            _ => Some(Ipv6Addr::from(self.ip).to_canonical()),
        }
    }

    /// Returns the address to send to. A zone counts only when it is a number: resolving interface names is for the
    /// caller.
    pub fn to_socket_addr(&self) -> Option<SocketAddr> {
        Some(match self.ip()? {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.zone.parse().unwrap_or(0)).into(),
        })
    }
}

/// An IPv4 address gets four bytes, as from a socket bound to IPv4; a scope becomes a numeric zone.
impl From<SocketAddr> for UdpAddr {
    fn from(addr: SocketAddr) -> Self {
        let zone = match addr {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => v6.scope_id().to_string(),
            _ => String::new(),
        };
        let mut ip = [0; 16];
        let ip_len = match addr.ip() {
            IpAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                ip = v6.octets();
                16
            }
        };
        Self {
            ip,
            ip_len,
            port: addr.port(),
            zone,
        }
    }
}

impl fmt::Debug for UdpAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip() {
            None => write!(f, "unset:{}", self.port),
            Some(ip) if self.zone.is_empty() => write!(f, "{}", SocketAddr::new(ip, self.port)),
            Some(ip) => write!(f, "[{ip}%{}]:{}", self.zone, self.port),
        }
    }
}
