//! A tunnel of one's own.

use std::time::Duration;

use reqwest::Method;
use rport_runtime::rng;
use serde_json::Value;

use super::{Stop, options::visited_host, until_stopped};
use crate::{
    client::{Api, Query, segment},
    commands::clients::Found,
    failure::{Exit, Failure, Result},
};

/// How tunnels of this program are recognised. What follows tells one from the other.
const NAME: &str = "rportcli ";
/// How often and how long to wait for the server to see that the last visitor is gone.
const CLOSE_ATTEMPTS: u32 = 20;
const CLOSE_PAUSE: Duration = Duration::from_millis(100);

/// Where a tunnel leads and who may use it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The far host as the client resolves it; empty for the client itself.
    pub(crate) host: String,
    /// The far port.
    pub(crate) port: u16,
    /// `tcp` or `udp`.
    pub(crate) protocol: &'static str,
    /// Hint for user interfaces.
    pub(crate) scheme: Option<&'static str>,
    /// Who may visit it.
    pub(crate) acl: String,
    /// Minutes without use after which the server closes it.
    pub(crate) idle_timeout: u32,
    /// Whether the client tries the target first.
    pub(crate) check_port: bool,
}

impl Target {
    fn host(&self) -> &str {
        // What the server puts in when none is named (reference `rest-api.md`, section 11.1).
        if self.host.is_empty() {
            "127.0.0.1"
        } else {
            &self.host
        }
    }

    fn remote(&self) -> String {
        match self.host.as_str() {
            "" => self.port.to_string(),
            host if host.contains(':') => format!("[{host}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

/// An open tunnel.
pub(crate) struct PrivateTunnel {
    api: Api,
    client: Found,
    target: Target,
    tunnel_host: String,
    name: String,
    id: String,
    host: String,
    port: u16,
}

impl PrivateTunnel {
    /// Opens it. When the server has one to the same target for the same visitors already, that one is shared: it does
    /// not allow a second.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn open(api: &Api, client: &Found, target: Target) -> Result<Self> {
        let status = api.get("/status", &Query::new()).await?;
        let tunnel_host = status
            .get("tunnel_host")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut tunnel = Self {
            api: api.clone(),
            client: client.clone(),
            target,
            tunnel_host: tunnel_host.to_owned(),
            name: format!("{NAME}{}", rng::alphanumeric(8)),
            id: String::new(),
            host: String::new(),
            port: 0,
        };
        tunnel.reopen().await?;
        Ok(tunnel)
    }

    /// Opens it again after the server closed it: idle for too long, or the client was away and the port is another now.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn reopen(&mut self) -> Result<()> {
        let target = &self.target;
        let mut query = Query::new()
            .with("remote", target.remote())
            .with("protocol", target.protocol)
            .with("acl", &target.acl)
            .with("name", &self.name)
            .with("idle-timeout-minutes", target.idle_timeout.to_string());
        query.add_some("scheme", target.scheme);
        if !target.check_port {
            query.add("check_port", "0");
        }
        let path = self.client.path("/tunnels");
        let opened = match put(&self.api, &path, &query).await {
            Err(failure) if already_there(&failure) => match self.existing().await? {
                Some(tunnel) => tunnel,
                None => return Err(failure),
            },
            opened => opened?,
        };
        self.take(&opened)
    }

    fn take(&mut self, tunnel: &Value) -> Result<()> {
        let text = |key: &str| tunnel.get(key).and_then(Value::as_str).unwrap_or_default();
        self.id = text("id").to_owned();
        self.name = text("name").to_owned();
        self.host = visited_host(self.api.server(), &self.tunnel_host, text("lhost"), &self.client)?;
        self.port = text("lport").parse().map_err(|_| {
            Failure::error(format!(
                "the server names '{}' as the port of the tunnel",
                text("lport")
            ))
        })?;
        Ok(())
    }

    /// The tunnel that the server takes for the same as ours, among those that a program like this one opened.
    async fn existing(&self) -> Result<Option<Value>> {
        let tunnels = self.tunnels().await?;
        let text = |tunnel: &Value, key: &str| {
            tunnel
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let same = |tunnel: &&Value| {
            text(tunnel, "rhost") == self.target.host()
                && text(tunnel, "rport") == self.target.port.to_string()
                && text(tunnel, "protocol").contains(self.target.protocol)
                && text(tunnel, "acl") == self.target.acl
                && tunnel.get("http_proxy").and_then(Value::as_bool) != Some(true)
        };
        let mut fitting: Vec<&Value> = tunnels.iter().filter(same).collect();
        fitting.sort_by_key(|tunnel| text(tunnel, "name") != self.name);
        Ok(fitting.first().map(|tunnel| (*tunnel).clone()))
    }

    async fn tunnels(&self) -> Result<Vec<Value>> {
        let query = Query::new().with("fields[clients]", "tunnels");
        let client = self.api.get(&self.client.path(""), &query).await?;
        let tunnels = client.get("tunnels").and_then(Value::as_array);
        Ok(tunnels.cloned().unwrap_or_default())
    }

    /// The host that visitors connect to.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port that visitors connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Closes it, unless somebody else uses it, or opened it by hand. Whoever shares it closes it after their own use,
    /// and the server closes it when it is idle.
    ///
    /// # Errors
    /// When the server cannot be told.
    pub(crate) async fn close(&self) -> Result<()> {
        if !self.name.starts_with(NAME) {
            return Ok(());
        }
        let mut id = self.id.clone();
        for attempt in 1.. {
            let path = self.client.path(&format!("/tunnels/{}", segment(&id)));
            match self.api.delete(&path, &Query::new()).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.exit() == Exit::Conflict && attempt < CLOSE_ATTEMPTS => {
                    tokio::time::sleep(CLOSE_PAUSE).await;
                }
                Err(failure) if failure.exit() == Exit::Conflict => return Ok(()),
                Err(failure) if failure.exit() == Exit::NotFound && attempt < CLOSE_ATTEMPTS => {
                    // After the client was away its tunnels have other ids.
                    match self.tunnels().await {
                        Ok(tunnels) => match tunnels.iter().find_map(|tunnel| self.id_of(tunnel)) {
                            Some(other) if other != id => id = other,
                            _ => return Ok(()),
                        },
                        Err(failure) if failure.exit() == Exit::NotFound => return Ok(()),
                        Err(failure) => return Err(failure),
                    }
                }
                Err(failure) => {
                    return Err(failure.hint("the server closes the tunnel itself when it is idle"));
                }
            }
        }
        Ok(())
    }

    fn id_of(&self, tunnel: &Value) -> Option<String> {
        let text = |key: &str| tunnel.get(key).and_then(Value::as_str);
        (text("name")? == self.name).then_some(text("id")?.to_owned())
    }
}

/// Opens a tunnel; everything is in the query (reference `rest-api.md`, section 11.1).
///
/// # Errors
/// Whatever the server or the way to it gives.
pub(crate) async fn put(api: &Api, path: &str, query: &Query) -> Result<Value> {
    let place = format!("{} {}", Method::PUT, api.address(path));
    let response = api.respond(Method::PUT, path, query, None).await?;
    let mut body = api.body(response, &place).await?;
    Ok(body.get_mut("data").map(Value::take).unwrap_or_default())
}

/// The codes, and the words of servers that lose them (reference `rest-api.md`, section 2).
fn already_there(failure: &Failure) -> bool {
    failure.has_code("ERR_CODE_TUNNEL_TO_PORT_EXIST")
        || failure.has_code("ERR_CODE_TUNNEL_EXIST")
        || (failure.what().starts_with("Tunnel") && failure.what().contains("already exist"))
}

/// Opens a tunnel, uses it and closes it, whatever happens in between. Ctrl-C while it is being opened or closed waits
/// for that, a second one does not.
///
/// # Errors
/// Those of the use, and of opening and closing.
pub(crate) async fn with_tunnel<T>(
    api: &Api,
    client: &Found,
    target: Target,
    stop: &mut Stop,
    use_it: impl AsyncFnOnce(&PrivateTunnel, &mut Stop) -> Result<T>,
) -> Result<T> {
    let (tunnel, stopped) = until_stopped(stop, 1, PrivateTunnel::open(api, client, target)).await?;
    let result = if stopped {
        Err(Failure::interrupted())
    } else {
        use_it(&tunnel, stop).await
    };
    let closed = until_stopped(stop, 1, tunnel.close()).await;
    // What went wrong first is what the operator needs to know.
    let value = result?;
    closed.map(|_| value)
}
