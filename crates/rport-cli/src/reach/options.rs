//! What tunnels have in common on the command line and off it.

use reqwest::Url;

use crate::{
    client::{Api, Query},
    commands::clients::Found,
    failure::{Failure, Result},
};

/// Schemes and the ports they stand for, as the old rportcli knew them and front ends show them.
const WELL_KNOWN: [(&str, u16); 6] = [
    ("ssh", 22),
    ("rdp", 3389),
    ("vnc", 5900),
    ("http", 80),
    ("https", 443),
    ("realvnc", 5900),
];

/// The port of a scheme.
pub(crate) fn well_known_port(scheme: &str) -> Option<u16> {
    let same = |(name, port): (&str, u16)| name.eq_ignore_ascii_case(scheme).then_some(port);
    WELL_KNOWN.into_iter().find_map(same)
}

/// The scheme of a port.
pub(crate) fn well_known_scheme(port: u16) -> Option<&'static str> {
    let same = |(name, known): (&'static str, u16)| (known == port).then_some(name);
    WELL_KNOWN.into_iter().find_map(same)
}

/// Options of tunnels that live as long as a command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReachArgs {
    /// Addresses that may visit the tunnel instead of your own, with commas between
    #[arg(long, value_name = "ADDRESS,…")]
    acl: Option<String>,
    /// Minutes without use after which the server closes the tunnel by itself, should this program be killed
    #[arg(long, value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10080))]
    pub(crate) idle_timeout: u32,
    /// Do not check first whether something listens there
    #[arg(long)]
    pub(crate) no_check_port: bool,
}

impl ReachArgs {
    /// Who may visit the tunnel: whoever was named, or this machine as the server sees it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn acl(&self, api: &Api) -> Result<String> {
        match &self.acl {
            Some(acl) => Ok(acl.clone()),
            None => own_address(api).await,
        }
    }
}

/// This machine's address as the server sees it.
///
/// # Errors
/// Whatever the server or the way to it gives.
pub(crate) async fn own_address(api: &Api) -> Result<String> {
    let answer = api.get("/me/ip", &Query::new()).await?;
    let address = answer
        .get("ip")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    if address.parse::<std::net::IpAddr>().is_err() {
        return Err(Failure::error(format!(
            "the server does not know this machine's address: '{address}'"
        ))
        .hint("name it with --acl"));
    }
    Ok(address.to_owned())
}

/// The host that visitors of a tunnel connect to.
///
/// A tunnel on all addresses is visited where the server says, else where its API is. The answer ends up on command
/// lines, so nothing that looks like an option passes.
///
/// # Errors
/// When there is no sensible host.
pub(crate) fn visited_host(server: &Url, tunnel_host: &str, lhost: &str, client: &Found) -> Result<String> {
    let api_host = server.host_str().unwrap_or_default();
    let api_host = api_host.trim_start_matches('[').trim_end_matches(']');
    let host = match lhost {
        "" | "0.0.0.0" | "::" if tunnel_host.is_empty() => api_host,
        "" | "0.0.0.0" | "::" => tunnel_host,
        lhost => lhost,
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || host.starts_with('-') || !host.chars().all(sound) {
        return Err(Failure::error(format!(
            "the server names '{host}' as the host of the tunnel to {client}, which is no host"
        )));
    }
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_schemes() {
        assert_eq!(
            (
                well_known_port("ssh"),
                well_known_port("RDP"),
                well_known_port("x")
            ),
            (Some(22), Some(3389), None)
        );
        assert_eq!(
            (well_known_scheme(5900), well_known_scheme(81)),
            (Some("vnc"), None)
        );
    }

    #[test]
    fn where_tunnels_are_visited() {
        let client = Found {
            id: "c".to_owned(),
            name: String::new(),
        };
        let server = Url::parse("https://[2001:db8::1]:3000/rport").expect("an address");
        let host = |tunnel_host, lhost| visited_host(&server, tunnel_host, lhost, &client).ok();
        assert_eq!(host("", "0.0.0.0").as_deref(), Some("2001:db8::1"));
        assert_eq!(host("t.example", "::").as_deref(), Some("t.example"));
        assert_eq!(host("t.example", "127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(host("-oProxyCommand=x", "0.0.0.0"), None);
        assert_eq!(host("a b", ""), None);
    }
}
