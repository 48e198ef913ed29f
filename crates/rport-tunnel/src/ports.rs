//! Hands out the node's public ports.
//!
//! Nothing is looked up in kernel tables: a port is free when binding it works. The table here only counts what our
//! own tunnels hold, to find random ports quickly and to prove that none leaks.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use metrics::gauge;
use parking_lot::Mutex;
use rport_domain::{Error, Kind, PortSet};
use rport_protocol::Protocol;

use crate::listen::Host;
use crate::metrics_names::LEASED_PORTS;

/// Blind attempts before the whole set is walked. A set that is half full needs about two.
const RANDOM_ATTEMPTS: usize = 32;

/// The ports tunnels may listen on. Clones share one table.
#[derive(Clone, Debug)]
pub struct PortPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    allowed: PortSet,
    leased: Mutex<Leased>,
}

/// How many tunnels hold a port. More than one can, on different addresses of the machine.
#[derive(Debug, Default)]
struct Leased {
    tcp: HashMap<u16, usize>,
    udp: HashMap<u16, usize>,
}

/// Why no port was handed out.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The port is not in the configured set.
    #[error("Local port {0} is not among allowed ports.")]
    NotAllowed(u16),
    /// Another tunnel or another program has the port.
    #[error("Local port {0} already in use.")]
    InUse(u16),
    /// Every port of the set is taken.
    #[error("no ports available")]
    Exhausted,
    /// The operating system refused, or the local host is not an address of this machine.
    #[error("unable to start tunnel: listen {host}:{port}: {source}")]
    Listen {
        /// Local host as asked for.
        host: String,
        /// Local port.
        port: u16,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl From<PortError> for Error {
    /// Kinds as in the original API: a port outside the set is the caller's fault, a busy one a conflict, an empty
    /// set ours.
    fn from(error: PortError) -> Self {
        let title = error.to_string();
        match error {
            PortError::NotAllowed(_) => Self::invalid(title).code("ERR_CODE_LOCAL_PORT_NOT_ALLOWED"),
            PortError::InUse(_) => Self::conflict(title).code("ERR_CODE_LOCAL_PORT_IN_USE"),
            PortError::Exhausted => Self::new(Kind::Internal, title),
            PortError::Listen { .. } => Self::conflict(title),
        }
    }
}

impl PortPool {
    /// Makes a pool of the allowed ports.
    #[must_use]
    pub fn new(allowed: PortSet) -> Self {
        Self {
            shared: Arc::new(Shared {
                allowed,
                leased: Mutex::default(),
            }),
        }
    }

    /// Binds a local port, the given one or any free one of the set, for TCP, UDP or both.
    ///
    /// `host` is the tunnel's local host: an address of this machine, a name, or `0.0.0.0` for every address (IPv6
    /// too, where the machine has it). TCP listens from here on; visitors wait in the backlog until the tunnel is
    /// spawned. Async only because a name may have to be resolved.
    ///
    /// # Errors
    /// See [`PortError`].
    pub async fn lease(
        &self,
        port: Option<u16>,
        protocol: Protocol,
        host: &str,
    ) -> Result<BoundPort, PortError> {
        let failed = |port, source| PortError::Listen {
            host: host.to_owned(),
            port,
            source,
        };
        let address = Host::resolve(host)
            .await
            .map_err(|source| failed(port.unwrap_or(0), source))?;
        if let Some(port) = port {
            if !self.shared.allowed.contains(port) {
                return Err(PortError::NotAllowed(port));
            }
            return self
                .bind(address, port, protocol)
                .map_err(|source| match source.kind() {
                    io::ErrorKind::AddrInUse => PortError::InUse(port),
                    _ => failed(port, source),
                });
        }
        for port in self.random_candidates(protocol) {
            match self.bind(address, port, protocol) {
                Ok(bound) => return Ok(bound),
                // Somebody else's port, or one this process may not bind: the next may do.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
                    ) => {}
                Err(source) => return Err(failed(port, source)),
            }
        }
        Err(PortError::Exhausted)
    }

    /// Number of ports leased now, TCP and UDP counted apart.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.shared.leased.lock().count()
    }

    /// Free ports in random order: a few blind draws, then every port from a random place on.
    fn random_candidates(&self, protocol: Protocol) -> impl Iterator<Item = u16> {
        let allowed = &self.shared.allowed;
        let draw = move || {
            let number = rport_runtime::rng::u64() % allowed.len().max(1) as u64;
            usize::try_from(number).unwrap_or(0)
        };
        let start = draw();
        std::iter::repeat_with(move || allowed.nth(draw()))
            .take(RANDOM_ATTEMPTS)
            .flatten()
            .chain(allowed.iter().skip(start))
            .chain(allowed.iter().take(start))
            .filter(move |port| !self.shared.leased.lock().holds(*port, protocol))
    }

    fn bind(&self, host: Host, port: u16, protocol: Protocol) -> io::Result<BoundPort> {
        let tcp = protocol.has_tcp().then(|| host.listen_tcp(port)).transpose()?;
        let port = match &tcp {
            Some(listener) => listener.local_addr()?.port(), // differs when the set holds 0
            None => port,
        };
        let udp = protocol.has_udp().then(|| host.bind_udp(port)).transpose()?;
        let port = match &udp {
            Some(socket) => socket.local_addr()?.port(),
            None => port,
        };
        Ok(BoundPort {
            tcp,
            udp,
            lease: Lease::new(&self.shared, port, protocol),
        })
    }
}

impl Leased {
    fn tables(&mut self, protocol: Protocol) -> impl Iterator<Item = &mut HashMap<u16, usize>> {
        let Self { tcp, udp } = self;
        [
            protocol.has_tcp().then_some(tcp),
            protocol.has_udp().then_some(udp),
        ]
        .into_iter()
        .flatten()
    }

    fn holds(&mut self, port: u16, protocol: Protocol) -> bool {
        self.tables(protocol).any(|table| table.contains_key(&port))
    }

    fn add(&mut self, port: u16, protocol: Protocol) {
        for table in self.tables(protocol) {
            *table.entry(port).or_default() += 1;
        }
    }

    fn remove(&mut self, port: u16, protocol: Protocol) {
        for table in self.tables(protocol) {
            if let Some(count) = table.get_mut(&port) {
                *count -= 1;
                if *count == 0 {
                    table.remove(&port);
                }
            }
        }
    }

    fn count(&self) -> usize {
        self.tcp.values().sum::<usize>() + self.udp.values().sum::<usize>()
    }
}

/// A leased port with its sockets. Dropping it closes them and returns the port.
#[derive(Debug)]
pub struct BoundPort {
    pub(crate) tcp: Option<TcpListener>,
    pub(crate) udp: Option<UdpSocket>,
    // Last, so that the port counts as free only after its sockets are closed.
    pub(crate) lease: Lease,
}

impl BoundPort {
    /// The port number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port
    }

    /// The address the sockets are bound to.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let tcp = self.tcp.as_ref().and_then(|listener| listener.local_addr().ok());
        tcp.or_else(|| self.udp.as_ref().and_then(|socket| socket.local_addr().ok()))
    }
}

/// The pool's note that a port is held.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    port: u16,
    protocol: Protocol,
}

impl Lease {
    fn new(shared: &Arc<Shared>, port: u16, protocol: Protocol) -> Self {
        let mut leased = shared.leased.lock();
        leased.add(port, protocol);
        gauge!(LEASED_PORTS).set(leased.count() as f64);
        Self {
            shared: Arc::clone(shared),
            port,
            protocol,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leased = self.shared.leased.lock();
        leased.remove(self.port, self.protocol);
        gauge!(LEASED_PORTS).set(leased.count() as f64);
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
