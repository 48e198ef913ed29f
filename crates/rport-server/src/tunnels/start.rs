//! Starting and ending listeners, whoever asked for the tunnel.

use std::sync::Arc;
use std::time::Duration;

use rport_domain::{ClientId, ConnectionId, Error, TunnelAcl, TunnelAclError, TunnelId, TunnelRecord};
use rport_protocol::{GoTime, Remote};
use rport_tunnel::{EndReason, Front, PortError, ProxyLogin, ProxySpec, Tunnel, TunnelSpec};

use super::service::{Inner, Running, Tunnels};
use crate::clients::{Client, ClientLink};
use crate::events::EventKind;
use crate::options::TunnelProxyOptions;

/// How long the listeners of a closed tunnel may take to be gone.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Why a tunnel did not start. The texts go to agents as they are; those of the Go server are kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    /// The local port is not a number.
    #[error("strconv.Atoi: parsing {text:?}: {problem}")]
    BadPort {
        /// What stood there.
        text: String,
        /// Go's words for it.
        problem: &'static str,
    },
    /// The list of allowed visitors cannot be read.
    #[error(transparent)]
    BadAcl(#[from] TunnelAclError),
    /// An HTTPS proxy is wanted.
    #[error("creation of tunnel proxy not enabled")]
    Proxy,
    /// An HTTPS proxy is wanted that there is not, or whose options make no sense.
    #[error("{0}")]
    ProxyOptions(String),
    /// No port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The operating system has no room for the sockets.
    #[error("unable to start tunnel: {0}")]
    Io(#[from] std::io::Error),
}

impl From<TunnelError> for Error {
    fn from(error: TunnelError) -> Self {
        match error {
            TunnelError::Port(error) => error.into(),
            TunnelError::Io(error) => Self::conflict(format!("unable to start tunnel: {error}")),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl Tunnels {
    /// Starts the listeners of a tunnel and returns what to remember of it. The caller puts it into the client's
    /// record, or ends the tunnel again.
    pub(crate) async fn start(
        &self,
        client: &Client,
        link: &ClientLink,
        mut remote: Remote,
    ) -> Result<TunnelRecord, TunnelError> {
        let inner = &self.inner;
        let proxy = if remote.http_proxy {
            let options = inner.proxy.as_ref().ok_or(TunnelError::Proxy)?;
            Some(front(options, &remote)?)
        } else {
            None
        };
        let acl = TunnelAcl::parse(remote.acl.as_deref())?;
        let wanted = remote
            .is_local_specified()
            .then(|| parse_port(&remote.lport))
            .transpose()?;
        let host = if wanted.is_some() {
            remote.lhost.clone()
        } else {
            "0.0.0.0".to_owned()
        };
        let bound = inner.pool.lease(wanted, remote.protocol, &host).await?;
        remote.lport_random |= wanted.is_none();
        remote.lhost = host;
        remote.lport = bound.port().to_string();
        let id = TunnelId::new(client.next_tunnel().to_string());
        let spec = TunnelSpec {
            acl,
            proxy,
            idle: minutes(remote.idle_timeout_minutes),
            auto_close: Some(remote.auto_close).filter(|limit| !limit.is_zero()),
            ..TunnelSpec::new(format!("{}/{id}", client.id), &remote.rhost, &remote.rport)
        };
        let tunnel = rport_tunnel::spawn(spec, bound, Arc::new(link.connection.clone()), &inner.tasks)?;
        tracing::info!(client.id = %client.id, tunnel.id = %id, tunnel = remote.canonical(), "tunnel opened");
        self.watch(client.id.clone(), id.clone(), &tunnel);
        let running = Running {
            id: id.clone(),
            connection: link.id,
            tunnel: Arc::new(tunnel),
        };
        inner
            .running
            .lock()
            .entry(client.id.clone())
            .or_default()
            .push(running);
        Ok(TunnelRecord {
            id,
            remote,
            created_at: GoTime(inner.clock.now_local()),
        })
    }

    /// Forgets a tunnel that ends by itself.
    fn watch(&self, client: ClientId, id: TunnelId, tunnel: &Tunnel) {
        let ended = tunnel.ended();
        let inner = Arc::downgrade(&self.inner);
        self.inner.tasks.spawn("tunnel_watch", async move {
            // Who closes a tunnel also forgets it.
            if !matches!(ended.await, EndReason::Idle | EndReason::AutoClose) {
                return;
            }
            let Some(inner) = inner.upgrade() else { return };
            if inner.take(&client, &id).is_some() {
                inner.forget(&client, &id).await;
            }
        });
    }

    /// Ends every tunnel of a connection and waits until their ports are free. The records stay with the client, to
    /// be opened again when it returns.
    pub(crate) async fn end_all(&self, client: &ClientId, connection: ConnectionId) {
        let ended = self.inner.take_all(client, connection);
        for running in &ended {
            let _ = running.tunnel.close(true); // forced: cannot be refused
        }
        let all = async {
            for running in &ended {
                running.tunnel.ended().await;
            }
        };
        if tokio::time::timeout(END_LIMIT, all).await.is_err() {
            tracing::error!(client.id = %client, "the tunnels of a lost connection did not end in time");
        }
    }

    /// Ends every tunnel of a connection without waiting; for the moments where nobody can wait.
    pub(crate) fn drop_all(&self, client: &ClientId, connection: ConnectionId) {
        drop(self.inner.take_all(client, connection));
    }
}

impl Inner {
    /// Takes a running tunnel out of the table.
    pub(super) fn take(&self, client: &ClientId, id: &TunnelId) -> Option<Running> {
        let mut running = self.running.lock();
        let tunnels = running.get_mut(client)?;
        let position = tunnels.iter().position(|running| running.id == *id)?;
        let taken = tunnels.swap_remove(position);
        if tunnels.is_empty() {
            running.remove(client);
        }
        Some(taken)
    }

    fn take_all(&self, client: &ClientId, connection: ConnectionId) -> Vec<Running> {
        let mut running = self.running.lock();
        let Some(tunnels) = running.get_mut(client) else {
            return Vec::new();
        };
        let (taken, rest) = std::mem::take(tunnels)
            .into_iter()
            .partition(|running| running.connection == connection);
        *tunnels = rest;
        if tunnels.is_empty() {
            running.remove(client);
        }
        taken
    }

    /// Takes a tunnel out of the client's record.
    pub(super) async fn forget(&self, id: &ClientId, tunnel: &TunnelId) {
        let Some(client) = self.registry.find(id) else {
            return;
        };
        client.update(|record| record.details.tunnels.retain(|known| known.id != *tunnel));
        self.registry
            .events()
            .tunnel(EventKind::TunnelClosed, tunnel, &client);
        if let Err(error) = self.registry.save(id).await {
            tracing::error!(client.id = %id, tunnel.id = %tunnel, %error, "the end of a tunnel was not saved");
        }
    }
}

/// The HTTPS front a remote asks for. Agents may ask for one, too, so nothing is taken for granted.
fn front(options: &TunnelProxyOptions, remote: &Remote) -> Result<ProxySpec, TunnelError> {
    let front = match remote.scheme.as_deref() {
        Some("http") => Front::Http,
        Some("https") => Front::Https,
        scheme => {
            let scheme = scheme.unwrap_or_default();
            return Err(TunnelError::ProxyOptions(format!(
                "tunnel proxy not allowed with scheme {scheme}"
            )));
        }
    };
    if !remote.protocol.has_tcp() {
        return Err(TunnelError::ProxyOptions(format!(
            "tunnel proxy not allowed with protcol {}",
            remote.protocol
        )));
    }
    let host_header = match remote.host_header.as_str() {
        "" => None,
        host => Some(
            http::HeaderValue::from_str(host)
                .map_err(|_| TunnelError::ProxyOptions(format!("host_header {host:?} is no host")))?,
        ),
    };
    let has_login = !remote.auth_user.is_empty() && !remote.auth_password.is_empty();
    Ok(ProxySpec {
        tls: options.tls.clone(),
        front,
        host_header,
        login: has_login.then(|| ProxyLogin {
            user: remote.auth_user.clone(),
            password: remote.auth_password.as_str().into(),
        }),
        trusted_proxies: options.trusted_proxies.clone(),
        cors: options.cors.clone(),
    })
}

fn parse_port(text: &str) -> Result<u16, TunnelError> {
    let problem = |problem| TunnelError::BadPort {
        text: text.to_owned(),
        problem,
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(problem("invalid syntax"));
    }
    text.parse().map_err(|_| problem("value out of range"))
}

fn minutes(count: i64) -> Option<Duration> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(count.saturating_mul(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers() {
        let text = |port: &str| parse_port(port).map_err(|error| error.to_string());
        assert_eq!(text("3000"), Ok(3000));
        assert_eq!(
            text("x"),
            Err("strconv.Atoi: parsing \"x\": invalid syntax".to_owned())
        );
        assert_eq!(
            text("70000"),
            Err("strconv.Atoi: parsing \"70000\": value out of range".to_owned())
        );
        assert!(text("+1").is_err() && text("").is_err());
    }
}
