//! The short form of a remote: `[[lhost:]lport:][rhost:]rport[/protocol]`.

use std::{net::Ipv6Addr, str::FromStr};

use super::{Protocol, Remote};
use crate::url_reference::is_url_reference;

const ANY_HOST: &str = "0.0.0.0";
const DEFAULT_REMOTE_HOST: &str = "127.0.0.1";
const MAX_PARTS: usize = 4;

/// Why a text is no remote. The texts are those of Go peers; scripts may compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Five or more parts.
    #[error("Invalid remote")]
    InvalidRemote,
    /// The last part is no port.
    #[error("Missing ports")]
    MissingPorts,
    /// A host holds control characters or broken percent escapes.
    #[error("Invalid host")]
    InvalidHost,
}

/// Source: wire notes, section 11.1; golden: `remotes.json`, key `remotes`.
///
/// Differs from RPort: a host may be a bracketed IPv6 address, as in `[::1]:80`. RPort either refuses such a text
/// or reads it as nonsense (listen on host `[`, dial host `1]`), so nothing that worked changes its meaning.
impl FromStr for Remote {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, protocol) = split_protocol(text);
        let mut remote = Self {
            protocol,
            ..Self::default()
        };
        for part in split_parts(address)?.into_iter().rev() {
            match part {
                Part::Plain(port) if is_port(port) => {
                    if remote.rport.is_empty() {
                        &mut remote.rport
                    } else {
                        &mut remote.lport
                    }
                    .replace_range(.., port);
                }
                Part::Plain(_) | Part::Ipv6(_) if remote.rport.is_empty() => {
                    return Err(RemoteError::MissingPorts);
                }
                Part::Plain(host) if !is_url_reference(host) => return Err(RemoteError::InvalidHost),
                // An empty remote host is filled again by the next part: `a::80` leads to host `a`.
                Part::Plain(host) | Part::Ipv6(host) => {
                    if remote.rhost.is_empty() {
                        &mut remote.rhost
                    } else {
                        &mut remote.lhost
                    }
                    .replace_range(.., host);
                }
            }
        }
        if remote.lhost.is_empty() && !remote.lport.is_empty() {
            ANY_HOST.clone_into(&mut remote.lhost);
        }
        if remote.rhost.is_empty() {
            DEFAULT_REMOTE_HOST.clone_into(&mut remote.rhost);
        }
        Ok(remote)
    }
}

fn split_protocol(text: &str) -> (&str, Protocol) {
    for protocol in Protocol::ALL {
        let address = text
            .strip_suffix(protocol.as_str())
            .and_then(|rest| rest.strip_suffix('/'));
        // Go's pattern has a dot for the rest, which matches no line break.
        if let Some(address) = address.filter(|address| !address.contains('\n')) {
            return (address, protocol);
        }
    }
    (text, Protocol::Tcp)
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Plain(&'a str),
    /// A literal that stood in brackets, without them.
    Ipv6(&'a str),
}

fn split_parts(address: &str) -> Result<Vec<Part<'_>>, RemoteError> {
    let mut parts = Vec::with_capacity(MAX_PARTS);
    let mut rest = Some(address);
    while let Some(text) = rest {
        if parts.len() == MAX_PARTS {
            return Err(RemoteError::InvalidRemote);
        }
        let part;
        (part, rest) = split_ipv6(text).unwrap_or_else(|| match text.split_once(':') {
            Some((part, rest)) => (Part::Plain(part), Some(rest)),
            None => (Part::Plain(text), None),
        });
        parts.push(part);
    }
    Ok(parts)
}

/// Takes a bracketed IPv6 address, with or without zone, that fills its part.
fn split_ipv6(text: &str) -> Option<(Part<'_>, Option<&str>)> {
    let (host, rest) = text.strip_prefix('[')?.split_once(']')?;
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    let zone_is_sound = !zone.is_empty()
        && zone
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if address.parse::<Ipv6Addr>().is_err() || !zone_is_sound {
        return None;
    }
    match rest.strip_prefix(':') {
        Some(rest) => Some((Part::Ipv6(host), Some(rest))),
        None => rest.is_empty().then_some((Part::Ipv6(host), None)),
    }
}

fn is_port(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}
