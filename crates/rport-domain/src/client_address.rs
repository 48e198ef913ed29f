//! Where a request comes from when proxies stand in between.

use std::net::IpAddr;

use ipnet::IpNet;

/// Which address a request comes from, for bans and records.
///
/// The peer's own, unless the peer is a trusted proxy: then the last address in `X-Forwarded-For` that is not itself
/// a trusted proxy's. Differs from RPort, which believes that header from anyone and takes the first public address,
/// so that an attacker chooses whom to get banned.
pub fn client_address(peer: IpAddr, forwarded_for: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let peer = peer.to_canonical();
    let mut address = peer;
    let mut hops = forwarded_for.iter().flat_map(|value| value.split(',')).rev();
    while is_trusted(address) {
        match hops.next().map(|hop| parse_hop(hop.trim())) {
            Some(Some(hop)) => address = hop,
            // Garbage from a trusted proxy, or nothing more: the last address that is known for sure.
            _ => break,
        }
    }
    address
}

/// An address, with or without brackets and port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let bare = text.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = [
            "10.0.0.0/8".parse().expect("a network"),
            "::1/128".parse().expect("a network"),
        ];
        let address = client_address(peer.parse().expect("an address"), forwarded, &trusted);
        assert_eq!(
            address,
            expected.parse::<IpAddr>().expect("an address"),
            "{peer} {forwarded:?}"
        );
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    }

    #[test]
    fn the_last_untrusted_hop_counts() {
        check("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"], "198.51.100.1");
        check("10.0.0.1", &["1.2.3.4", "198.51.100.1"], "198.51.100.1");
        check("::1", &["[2001:db8::7]:4711"], "2001:db8::7");
    }

    #[test]
    fn garbage_and_nothing_leave_the_proxy() {
        check("10.0.0.1", &["unknown"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2");
    }
}
