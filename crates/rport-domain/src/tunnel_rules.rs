//! What a client's tunnels allow: duplicates, re-opening, and the refusals of `PUT /clients/{id}/tunnels`.

use rport_protocol::{Protocol, Remote};

use crate::{Error, Result, TunnelRecord};

/// Refuses a tunnel the client has already.
///
/// # Errors
/// [`crate::Kind::Invalid`]: the same tunnel exists, or one with the same target, a protocol in common and the same
/// ACL.
pub fn check_duplicate(existing: &[TunnelRecord], wanted: &Remote) -> Result<()> {
    if existing
        .iter()
        .any(|tunnel| tunnel.remote.canonical() == wanted.canonical())
    {
        return Err(Error::invalid("Tunnel already exist.").code("ERR_CODE_TUNNEL_EXIST"));
    }
    let same_target = |tunnel: &TunnelRecord| {
        tunnel.remote.target() == wanted.target()
            && tunnel.remote.acl == wanted.acl
            && overlap(tunnel.remote.protocol, wanted.protocol)
    };
    if existing.iter().any(same_target) {
        return Err(
            Error::invalid(format!("Tunnel to port {} already exists.", wanted.rport))
                .code("ERR_CODE_TUNNEL_TO_PORT_EXIST"),
        );
    }
    Ok(())
}

fn overlap(a: Protocol, b: Protocol) -> bool {
    (a.has_tcp() && b.has_tcp()) || (a.has_udp() && b.has_udp())
}

/// Chooses the earlier tunnels of a reconnecting client that shall be opened again, beside those it asks for.
///
/// Source: wire notes, section 11.5. If the agent asks for something it did not have before, its configuration has
/// changed and nothing is re-opened. Tunnels on a picked port come back without local side, to get a new one.
pub fn to_reopen(earlier: &[TunnelRecord], requested: &[Remote]) -> Vec<Remote> {
    if requested.len() > earlier.len() {
        return Vec::new();
    }
    let mut left: Vec<&Remote> = earlier.iter().map(|tunnel| &tunnel.remote).collect();
    for wanted in requested {
        let canonical = wanted.canonical();
        let matches = |old: &&Remote| {
            if wanted.is_local_specified() {
                old.canonical() == canonical
            } else {
                old.lport_random && without_local(old).canonical() == canonical
            }
        };
        let Some(found) = left.iter().position(matches) else {
            return Vec::new();
        };
        left.remove(found);
    }
    left.into_iter()
        .map(|old| {
            if old.lport_random {
                without_local(old)
            } else {
                old.clone()
            }
        })
        .collect()
}

fn without_local(remote: &Remote) -> Remote {
    Remote {
        lhost: String::new(),
        lport: String::new(),
        lport_random: false,
        ..remote.clone()
    }
}

/// The client's `tunnel_allowed` rules forbid the target.
pub fn destination_not_allowed() -> Error {
    Error::invalid("Tunnel destination is not allowed by client configuration.")
}

/// Nothing listens on the target port; `reason` are the agent's words.
pub fn not_listening(port: &str, reason: &str) -> Error {
    Error::invalid(format!("Port {port} is not in listening state."))
        .detail(reason)
        .code("ERR_CODE_REMOTE_PORT_NOT_OPEN")
}

/// Something else listens on the wanted port of the server.
pub fn port_in_use(port: &str) -> Error {
    Error::invalid(format!("Port {port} already in use.")).code("ERR_CODE_LOCAL_PORT_IN_USE")
}

/// The wanted port does not belong to the ports for tunnels.
pub fn port_not_allowed(port: &str) -> Error {
    Error::invalid(format!("Local port {port} is not among allowed ports."))
}

/// Somebody else took the port between the check and the start.
pub fn port_taken(port: &str) -> Error {
    Error::conflict(format!("Local port {port} already in use.")).code("ERR_CODE_LOCAL_PORT_IN_USE")
}

/// The tunnel could not be started; `reason` is public.
pub fn not_started(reason: &str) -> Error {
    Error::conflict(format!("unable to start tunnel: {reason}"))
}

/// All ports for tunnels are taken. An internal error in the Go server; here the caller may try again later.
pub fn no_ports() -> Error {
    Error::unavailable("no ports available")
}

/// The tunnel is unknown.
pub fn tunnel_not_found() -> Error {
    Error::not_found("tunnel not found")
}

/// Visitors are connected, and the caller did not insist.
pub fn still_active(connections: usize) -> Error {
    Error::conflict(format!("tunnel has {connections} active connection(s)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Remote {
        text.parse().expect("remote")
    }

    fn fixed(text: &str) -> TunnelRecord {
        TunnelRecord {
            id: "1".into(),
            remote: remote(text),
            created_at: Default::default(),
        }
    }

    fn random(text: &str) -> TunnelRecord {
        let mut record = fixed(text);
        record.remote.lport_random = true;
        record
    }

    fn reopened(earlier: &[TunnelRecord], requested: &[&str]) -> Vec<String> {
        let requested: Vec<_> = requested.iter().map(|text| remote(text)).collect();
        to_reopen(earlier, &requested)
            .iter()
            .map(Remote::canonical)
            .collect()
    }

    #[test]
    fn finds_duplicates() {
        let code = |existing: &str, wanted: &str| {
            check_duplicate(&[fixed(existing)], &remote(wanted))
                .err()
                .map_or("", |error| error.code)
        };
        assert_eq!(code("3000:80", "3000:80"), "ERR_CODE_TUNNEL_EXIST");
        assert_eq!(code("3000:80", "3001:80"), "ERR_CODE_TUNNEL_TO_PORT_EXIST");
        assert_eq!(code("3000:80/tcp+udp", "80/udp"), "ERR_CODE_TUNNEL_TO_PORT_EXIST");
        assert_eq!(code("3000:80/tcp", "80/udp"), "");
        assert_eq!(code("3000:80", "81"), "");
        let wanted = Remote {
            acl: Some("10.0.0.1".into()),
            ..remote("3001:80")
        };
        assert!(check_duplicate(&[fixed("3000:80")], &wanted).is_ok());
    }

    #[test]
    fn reopens_what_was_not_asked_for() {
        let earlier = [fixed("3000:80"), random("23456:22"), fixed("3001:53/udp")];
        assert_eq!(
            reopened(&earlier, &[]),
            [
                "0.0.0.0:3000:127.0.0.1:80",
                "::127.0.0.1:22",
                "0.0.0.0:3001:127.0.0.1:53/udp"
            ]
        );
        assert_eq!(
            reopened(&earlier, &["22", "3000:80"]),
            ["0.0.0.0:3001:127.0.0.1:53/udp"]
        );
    }

    #[test]
    fn reopens_nothing_when_the_configuration_changed() {
        let earlier = [fixed("3000:80"), random("23456:22")];
        assert!(reopened(&earlier, &["3000:81"]).is_empty());
        assert!(reopened(&earlier, &["80"]).is_empty());
        assert!(reopened(&earlier, &["22/udp"]).is_empty());
        assert!(reopened(&earlier, &["22", "22"]).is_empty());
        assert!(reopened(&earlier, &["22", "3000:80", "99"]).is_empty());
    }
}
