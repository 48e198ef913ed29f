//! The parameters of `PUT /clients/{id}/tunnels` and their checks.

use std::time::Duration;

use rport_protocol::{Protocol, Remote};

use crate::{Error, Result, TunnelAcl, go_duration};

const DEFAULT_IDLE_MINUTES: i64 = 5;
const MAX_IDLE_MINUTES: i64 = 7 * 24 * 60;
const MAX_AUTO_CLOSE: Duration = Duration::from_secs(744 * 3600);
const MAX_SCHEME_BYTES: usize = 15;
const MAX_HOST_BYTES: usize = 261;
/// Of them, those that this server cannot serve.
const MISSING_SCHEMES: [&str; 2] = ["vnc", "rdp"];
/// Schemes the HTTPS proxy in front of a tunnel understands.
const PROXY_SCHEMES: [&str; 4] = ["http", "https", "vnc", "rdp"];

/// What an API caller asks for, as text. An empty text counts as not given; so scripts that always send all
/// parameters work.
///
/// Source: API notes, section 11.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    missing_docs,
    reason = "every member is the query parameter of the same name, described in the API document"
)]
pub struct TunnelRequest {
    pub remote: String,
    pub local: String,
    pub protocol: String,
    pub name: String,
    pub scheme: String,
    pub acl: String,
    pub check_port: String,
    pub idle_timeout_minutes: String,
    pub skip_idle_timeout: String,
    pub auto_close: String,
    pub http_proxy: String,
    pub host_header: String,
    pub auth_user: String,
    pub auth_password: TunnelPassword,
}

/// The password of a tunnel's proxy; stays out of logs.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TunnelPassword(pub String);

impl std::fmt::Debug for TunnelPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

/// A sound request. What depends on the client, its tunnels and the free ports is still to be checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTunnel {
    /// The tunnel to open. Without local side the server shall pick a port.
    pub remote: Remote,
    /// The parsed `remote.acl`.
    pub acl: Option<TunnelAcl>,
    /// Ask the client whether something listens on the target port.
    pub check_port: bool,
}

impl CheckedTunnel {
    /// Returns how long the tunnel may be without visitors; none means for ever.
    pub fn idle(&self) -> Option<Duration> {
        u64::try_from(self.remote.idle_timeout_minutes)
            .ok()
            .filter(|minutes| *minutes > 0)
            .map(|minutes| Duration::from_secs(minutes * 60))
    }

    /// Returns how long the tunnel may live; none means for ever.
    pub fn auto_close(&self) -> Option<Duration> {
        Some(self.remote.auto_close).filter(|limit| !limit.is_zero())
    }
}

impl TunnelRequest {
    /// Reads the parameters of a query; unknown ones are ignored, of repeated ones the first counts.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> Self {
        let get = |name: &str| {
            let pair = pairs.iter().find(|(key, _)| key.as_ref() == name);
            pair.map(|(_, value)| value.as_ref().to_owned())
                .unwrap_or_default()
        };
        Self {
            remote: get("remote"),
            local: get("local"),
            protocol: get("protocol"),
            name: get("name"),
            scheme: get("scheme"),
            acl: get("acl"),
            check_port: get("check_port"),
            idle_timeout_minutes: get("idle-timeout-minutes"),
            skip_idle_timeout: get("skip-idle-timeout"),
            auto_close: get("auto-close"),
            http_proxy: get("http_proxy"),
            host_header: get("host_header"),
            auth_user: get("auth_user"),
            auth_password: TunnelPassword(get("auth_password")),
        }
    }

    /// Checks everything that needs no client, in the order of the Go server, whose texts scripts may match.
    ///
    /// `proxy_enabled` says whether this server can put an HTTPS proxy in front of tunnels.
    ///
    /// Differs from RPort: `http_proxy` that is no boolean, or comes without scheme, is the caller's mistake and not
    /// a server error.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] with the first mistake.
    pub fn checked(&self, proxy_enabled: bool) -> Result<CheckedTunnel> {
        let mut remote = self.parse_remote()?;
        remote.name.clone_from(&self.name);
        if self.scheme.len() > MAX_SCHEME_BYTES {
            return Err(Error::invalid("Invalid URI scheme.")
                .detail("Exceeds the max length.")
                .code("ERR_CODE_URI_SCHEME_LENGTH_EXCEED"));
        }
        remote.scheme = Some(self.scheme.clone()).filter(|scheme| !scheme.is_empty());
        self.check_proxy(&mut remote, proxy_enabled)?;
        remote.idle_timeout_minutes = self.idle_minutes()?;
        remote.auto_close = self.parse_auto_close()?;
        let acl = TunnelAcl::parse(Some(&self.acl))
            .map_err(|error| Error::invalid(format!("Invalid ACL: {error}")).code("ERR_CODE_INVALID_ACL"))?;
        remote.acl = acl.as_ref().map(ToString::to_string);
        let check_port = self.check_port != "0" && remote.protocol.has_tcp();
        Ok(CheckedTunnel {
            remote,
            acl,
            check_port,
        })
    }

    /// Joins local and remote side and reads them by the remote grammar.
    ///
    /// Differs from RPort: with `local=HOST:PORT` and a bare port as remote, the Go server takes HOST for the far
    /// side and listens on all addresses. Here HOST is where the tunnel listens, as documented.
    fn parse_remote(&self) -> Result<Remote> {
        let mut text = self.remote.clone();
        if !self.local.is_empty() {
            text = format!("{}:{text}", self.local);
        }
        if !self.protocol.is_empty() {
            text = format!("{text}/{}", self.protocol);
        }
        let parse = |text: &str| text.parse::<Remote>();
        let mut remote =
            parse(&text).map_err(|error| Error::invalid(format!("failed to decode {text:?}: {error}")))?;
        if is_port(&self.remote)
            && let Some(host) = host_of(&self.local)
        {
            remote.lhost = host;
            remote.rhost = parse(&self.remote).map(|bare| bare.rhost).unwrap_or_default();
        }
        Ok(remote)
    }

    fn check_proxy(&self, remote: &mut Remote, proxy_enabled: bool) -> Result<()> {
        let refuse = |text: String| Err(Error::invalid(text));
        if !self.http_proxy.is_empty() {
            remote.http_proxy = parse_bool(&self.http_proxy).ok_or_else(|| {
                Error::invalid(format!(
                    "strconv.ParseBool: parsing {:?}: invalid syntax",
                    self.http_proxy
                ))
            })?;
        }
        let password = &self.auth_password.0;
        if remote.http_proxy {
            if !proxy_enabled {
                return refuse("creation of tunnel proxy not enabled".into());
            }
            match remote.scheme.as_deref() {
                Some(scheme) if PROXY_SCHEMES.contains(&scheme) => {}
                Some(scheme) => return refuse(format!("tunnel proxy not allowed with scheme {scheme}")),
                None => return refuse("tunnel proxy needs a scheme: http or https".into()),
            }
            if remote.protocol == Protocol::Udp {
                return refuse(format!(
                    "tunnel proxy not allowed with protcol {}",
                    remote.protocol
                ));
            }
            if let Some(scheme) = remote
                .scheme
                .as_deref()
                .filter(|scheme| MISSING_SCHEMES.contains(scheme))
            {
                return refuse(format!(
                    "this server has no tunnel proxy for {scheme}; open the tunnel without http_proxy"
                ));
            }
        } else if !self.host_header.is_empty() {
            return refuse("host_header not allowed when http_proxy is false".into());
        }
        match (self.auth_user.is_empty(), password.is_empty()) {
            (true, true) => {}
            _ if !remote.http_proxy => {
                return refuse(
                    "http basic authentication requires http_proxy to be activated on the requested tunnel"
                        .into(),
                );
            }
            (true, false) => return refuse("auth_password requires auth_user".into()),
            (false, true) => return refuse("auth_user requires auth_password".into()),
            (false, false) => {}
        }
        let is_host = |c: char| c.is_ascii_graphic() && !"/?#@\\".contains(c);
        if !self.host_header.chars().all(is_host) || self.host_header.len() > MAX_HOST_BYTES {
            return refuse(format!("invalid host_header {:?}", self.host_header));
        }
        if self.auth_user.contains(':') {
            return refuse("auth_user must not contain a colon".into());
        }
        remote.host_header.clone_from(&self.host_header);
        remote.auth_user.clone_from(&self.auth_user);
        remote.auth_password.clone_from(password);
        Ok(())
    }

    fn idle_minutes(&self) -> Result<i64> {
        let given = &self.idle_timeout_minutes;
        if parse_bool(&self.skip_idle_timeout).unwrap_or(false) {
            if !given.is_empty() {
                return Err(Error::invalid(
                    "idle-timeout-minutes and skip-idle-timeout exclude each other; give only one of them",
                ));
            }
            return Ok(0);
        }
        if given.is_empty() {
            return Ok(DEFAULT_IDLE_MINUTES);
        }
        let minutes = given
            .parse::<i64>()
            .map_err(|_| Error::invalid("invalid idle timeout param"))?;
        if !(0..=MAX_IDLE_MINUTES).contains(&minutes) {
            // The Go server prints its limit in nanoseconds.
            let limit = Duration::from_secs(MAX_IDLE_MINUTES.unsigned_abs() * 60).as_nanos();
            return Err(Error::invalid(format!(
                "idle timeoout param should be in range [0,{limit}]"
            )));
        }
        Ok(minutes)
    }

    fn parse_auto_close(&self) -> Result<Duration> {
        if self.auto_close.is_empty() {
            return Ok(Duration::ZERO);
        }
        match go_duration::parse(&self.auto_close) {
            None => Err(Error::invalid("invalid tunnel auto-close format")),
            Some(Err(_)) => Err(Error::invalid("tunnel auto-close value should be more than 0")),
            Some(Ok(limit)) if limit > MAX_AUTO_CLOSE => Err(Error::invalid(
                "tunnel auto-close value should not be more than 744h0m0s",
            )),
            Some(Ok(limit)) => Ok(limit),
        }
    }
}

/// Reads a boolean as Go does.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the host of `HOST:PORT`; `None` for a bare port.
fn host_of(local: &str) -> Option<String> {
    let (host, port) = rport_protocol::split_host_port(local).ok()?;
    (!host.is_empty() && !is_port(host) && is_port(port)).then(|| host.to_owned())
}

#[cfg(test)]
mod tests;
