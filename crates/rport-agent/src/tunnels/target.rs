//! From `host:port` to addresses: lookup, rules, and the fastest way to a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rport_protocol::channel::REJECT_NOT_ALLOWED;
use rport_protocol::{HostPortError, TunnelAllowed, split_host_port};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

/// How long a target may take to answer. A Go agent waits for as long as its kernel does, some two minutes.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to give an address before the next one of the same name is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

/// How long a name may take to resolve.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Why a target cannot be used. Texts reach the users of old servers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// Not `host:port`.
    #[error(transparent)]
    Address(#[from] HostPortError),
    /// The port is no number from 0 to 65535.
    #[error("address {0}: invalid port")]
    Port(String),
    /// The name does not resolve.
    #[error("lookup {host}: {problem}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        problem: String,
    },
    /// The rules forbid it.
    #[error("{REJECT_NOT_ALLOWED}")]
    NotAllowed,
    /// The connection failed.
    #[error("{0}")]
    Socket(io::Error),
}

/// Looks a target up. Literal addresses do not touch the resolver.
pub(crate) async fn addresses(host_port: &str) -> Result<Vec<SocketAddr>, TargetError> {
    let (host, port_text) = split_host_port(host_port)?;
    let port: u16 = port_text
        .parse()
        .map_err(|_| TargetError::Port(host_port.to_owned()))?;
    if host.is_empty() {
        // Go dials the own machine then.
        return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::from((address, port))]);
    }
    let fail = |problem: String| TargetError::Lookup {
        host: host.to_owned(),
        problem,
    };
    let found: Vec<SocketAddr> = timeout(LOOKUP_TIMEOUT, lookup_host((host, port)))
        .await
        .map_err(|_| fail("i/o timeout".to_owned()))?
        .map_err(|error| fail(error.to_string()))?
        .collect();
    if found.is_empty() {
        Err(fail("no such host".to_owned()))
    } else {
        Ok(found)
    }
}

/// Looks a target up and holds every address against the rules.
///
/// What is returned is what may be dialled: a name that resolves to something else a moment later does not slip
/// through.
pub(super) async fn allowed_addresses(
    host_port: &str,
    allowed: &TunnelAllowed,
) -> Result<Vec<SocketAddr>, TargetError> {
    let addresses = addresses(host_port).await?;
    if addresses
        .iter()
        .all(|address| allowed.allows(address.ip(), address.port()))
    {
        Ok(addresses)
    } else {
        Err(TargetError::NotAllowed)
    }
}

/// Tells whether the rules let a tunnel lead to a target. Without rules the target is not even looked at.
pub(crate) async fn is_allowed(host_port: &str, allowed: &TunnelAllowed) -> Result<bool, TargetError> {
    if allowed.is_empty() {
        return Ok(true);
    }
    match allowed_addresses(host_port, allowed).await {
        Ok(_) => Ok(true),
        Err(TargetError::NotAllowed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Connects to a target and hangs up again.
pub(crate) async fn check_port(
    host_port: &str,
    allowed: &TunnelAllowed,
    limit: Duration,
) -> Result<(), TargetError> {
    let work = async {
        let addresses = if allowed.is_empty() {
            addresses(host_port).await?
        } else {
            allowed_addresses(host_port, allowed).await?
        };
        connect(&addresses, limit)
            .await
            .map(drop)
            .map_err(TargetError::Socket)
    };
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(TargetError::Socket(io::ErrorKind::TimedOut.into())))
}

/// Connects to the first address that answers. The next address is tried as soon as one fails, or beside it when it
/// keeps silent for a moment.
pub(super) async fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    timeout(limit, race(addresses))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().take(MAX_ADDRESSES);
    let mut running = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next();
        let exhausted = next.is_none();
        running.extend(next.map(|address| TcpStream::connect(*address)));
        tokio::select! {
            attempt = running.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last_error = error,
                None => return Err(last_error),
            },
            () = sleep(STAGGER), if !exhausted => {}
        }
    }
}
