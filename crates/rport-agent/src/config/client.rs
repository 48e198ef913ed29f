//! `[client]`, checked.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rport_protocol::{Remote, ServerUrl, TunnelAllowed, split_host_port};
use rport_runtime::Secret;
use rport_transport::{AgentCredentials, FingerprintPin, ProxyUrl};

use super::sections::{ClientSection, TunnelsSection};
use super::{Invalid, Surroundings, auth_file};
use crate::attributes::Attributes;

/// Settings of the agent itself.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Main server.
    pub server: ServerUrl,
    /// Servers to try when the main one fails, in order.
    pub fallback_servers: Vec<ServerUrl>,
    /// How often to try the main server while on another.
    pub server_switchback_interval: Duration,
    /// Host key to insist on.
    pub fingerprint: Option<FingerprintPin>,
    /// The fingerprint as configured.
    pub fingerprint_text: String,
    /// What to log in with.
    pub credentials: AgentCredentials,
    /// Proxy on the way to the server.
    pub proxy: Option<ProxyUrl>,
    /// Whether the machine id stands in for an empty `id`.
    pub use_system_id: bool,
    /// Client id; may be empty.
    pub id: String,
    /// Whether the host's name stands in for an empty `name`.
    pub use_hostname: bool,
    /// Client name; may be empty.
    pub name: String,
    /// Tags and labels of the main configuration.
    pub attributes: Attributes,
    /// File with tags and labels that replace them.
    pub attributes_file: Option<PathBuf>,
    /// Remotes as configured.
    pub remotes: Vec<String>,
    /// Remotes to ask the server for.
    pub tunnels: Vec<Remote>,
    /// Where tunnels may lead.
    pub tunnel_allowed: TunnelAllowed,
    /// The same as configured.
    pub tunnel_allowed_texts: Vec<String>,
    /// Whether to run as root.
    pub allow_root: bool,
    /// How often to look for updates; zero for never.
    pub updates_interval: Duration,
    /// Directory of the agent's own files.
    pub data_dir: PathBuf,
    /// Network interface to connect from; may be empty.
    pub bind_interface: String,
    /// Where to ask for the external addresses; may be empty.
    pub ip_api_url: String,
    /// How often to ask, in minutes.
    pub ip_refresh_min: i64,
}

pub(super) fn server(section: &ClientSection) -> Result<ServerUrl, Invalid> {
    if section.server.is_empty() {
        return Err(Invalid::new(
            "client.server",
            "server address is required: set 'server' in the [client] section or name it on the command line",
        ));
    }
    section
        .server
        .parse()
        .map_err(|error| Invalid::new("client.server", format!("invalid server address: {error}")))
}

pub(super) fn fallback_servers(section: &ClientSection) -> Result<Vec<ServerUrl>, Invalid> {
    let parse = |server: &String| server.parse();
    section
        .fallback_servers
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(|error| {
            Invalid::new(
                "client.fallback_servers",
                format!("invalid fallback server address: {error}"),
            )
        })
}

pub(super) fn proxy(section: &ClientSection) -> Result<Option<ProxyUrl>, Invalid> {
    let text = section.proxy.expose();
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("https://") {
        return Err(Invalid::new("client.proxy", "https proxies not (yet) supported"));
    }
    text.parse()
        .map(Some)
        .map_err(|error| Invalid::new("client.proxy", format!("invalid proxy URL: {error}")))
}

pub(super) fn fingerprint(section: &ClientSection) -> Result<Option<FingerprintPin>, Invalid> {
    if section.fingerprint.is_empty() {
        return Ok(None);
    }
    section
        .fingerprint
        .parse()
        .map(Some)
        .map_err(|error| Invalid::new("client.fingerprint", format!("invalid fingerprint: {error}")))
}

pub(super) fn tunnel_allowed(section: &ClientSection) -> Result<TunnelAllowed, Invalid> {
    TunnelAllowed::parse(&section.tunnel_allowed).map_err(|error| {
        Invalid::new(
            "client.tunnel_allowed",
            format!("invalid \"tunnel_allowed\" config: {error}"),
        )
    })
}

/// Checks the options that apply to all remotes given at start.
pub(super) fn tunnels_section(section: &TunnelsSection) -> Result<(), Invalid> {
    if !section.host_header.is_empty() && !section.reverse_proxy {
        return Err(Invalid::new(
            "tunnels.hostheader",
            "invalid tunnels config: host-header requires enabled reverse-proxy",
        ));
    }
    Ok(())
}

/// Reads the remotes and holds them against the rules.
///
/// Differs from RPort: a name that cannot be resolved now is no error. It may well resolve later, an agent that
/// refuses to start because of it could not be reached at all, and each channel is checked again anyway.
pub(super) fn remotes(
    section: &ClientSection,
    options: &TunnelsSection,
    allowed: &TunnelAllowed,
) -> Result<Vec<Remote>, Invalid> {
    section
        .remotes
        .iter()
        .map(|text| {
            let mut remote: Remote = text.parse().map_err(|error| {
                Invalid::new(
                    "client.remotes",
                    format!("failed to decode remote \"{text}\": {error}"),
                )
            })?;
            check_allowed(text, &remote, allowed)?;
            if !options.scheme.is_empty() {
                remote.scheme = Some(options.scheme.clone());
            }
            remote.http_proxy = options.reverse_proxy;
            remote.host_header.clone_from(&options.host_header);
            Ok(remote)
        })
        .collect()
}

fn check_allowed(text: &str, remote: &Remote, allowed: &TunnelAllowed) -> Result<(), Invalid> {
    if allowed.is_empty() {
        return Ok(());
    }
    let target = remote.target();
    let (host, port) = split_host_port(&target).map_err(|error| {
        Invalid::new(
            "client.remotes",
            format!("failed to check if remote \"{text}\" is allowed: {error}"),
        )
    })?;
    let Ok(addresses) = (host, 0).to_socket_addrs() else {
        return Ok(());
    };
    let port: Option<u16> = port.parse().ok();
    let mut addresses = addresses.map(|address| address.ip());
    if addresses.all(|address| port.is_some_and(|port| allowed.allows(address, port))) {
        Ok(())
    } else {
        Err(Invalid::new(
            "client.remotes",
            format!("remote \"{text}\" is not allowed by \"tunnel_allowed\" config"),
        ))
    }
}

pub(super) fn data_dir(section: &ClientSection) -> Result<PathBuf, Invalid> {
    if section.data_dir.is_empty() {
        return Err(Invalid::new(
            "client.data_dir",
            "'data directory path' cannot be empty",
        ));
    }
    Ok(PathBuf::from(&section.data_dir))
}

pub(super) fn ip_api_url(section: &ClientSection) -> Result<(), Invalid> {
    let url = section.ip_api_url.as_str();
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if url.is_empty() || matches!(scheme, "http" | "https") {
        return Ok(());
    }
    Err(Invalid::new(
        "client.ip_api_url",
        format!("invalid ip_api_url. only http(s):// supported, '{scheme}' given"),
    ))
}

/// Finds the credentials: what `auth` or its flag says, else the file named by `auth_file_path`, else what systemd
/// passes, else `RPORT_AUTH`. Only the source that counts is read, so that mistakes in the others do not matter.
pub(super) fn credentials(
    section: &ClientSection,
    surroundings: &Surroundings,
) -> Result<AgentCredentials, Invalid> {
    if !section.auth.expose().is_empty() {
        return Ok(split(&section.auth));
    }
    if !section.auth_file_path.is_empty() {
        return auth_file::read(Path::new(&section.auth_file_path)).map(|auth| split(&auth));
    }
    if let Some(directory) = &surroundings.credentials_dir
        && let Some(auth) = auth_file::systemd(directory)?
    {
        return Ok(split(&auth));
    }
    Ok(split(surroundings.auth.as_ref().unwrap_or(&Secret::new(""))))
}

/// Splits `id:password` at the first colon; without one there are no credentials, which is no error.
fn split(auth: &Secret) -> AgentCredentials {
    let (user, password) = auth.expose().split_once(':').unwrap_or_default();
    AgentCredentials {
        user: user.to_owned(),
        password: Secret::new(password),
    }
}

/// Tags and labels of the main configuration; lists that are not set stay absent on the wire.
pub(super) fn attributes(section: &ClientSection) -> Attributes {
    let some = |empty: bool| (!empty).then_some(());
    Attributes {
        tags: some(section.tags.is_empty()).map(|()| section.tags.clone()),
        labels: some(section.labels.is_empty()).map(|()| BTreeMap::clone(&section.labels)),
    }
}
