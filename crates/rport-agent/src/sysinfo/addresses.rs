//! The addresses of the network interfaces.

use std::net::IpAddr;

/// Lists IPv4 and IPv6 addresses of all interfaces, without prefix length and without loopback addresses.
///
/// Both are `None` when the system refuses to list them, which the wire shows as `null`.
pub(super) fn list() -> (Option<Vec<String>>, Option<Vec<String>>) {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => {
            let (v4, v6) = split(interfaces.into_iter().map(|interface| interface.ip()));
            (Some(v4), Some(v6))
        }
        Err(_) => (None, None),
    }
}

pub(super) fn split(addresses: impl Iterator<Item = IpAddr>) -> (Vec<String>, Vec<String>) {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for address in addresses.filter(|address| !address.is_loopback()) {
        match address {
            IpAddr::V4(address) => v4.push(address.to_string()),
            IpAddr::V6(address) => v6.push(address.to_string()),
        }
    }
    (v4, v6)
}
