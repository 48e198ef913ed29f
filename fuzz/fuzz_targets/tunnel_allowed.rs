#![no_main]
//! The agent's rules for targets and the server's lists of visitors.

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use rport_domain::TunnelAcl;
use rport_protocol::TunnelAllowed;

fuzz_target!(|input: (&str, [u8; 16], u16)| {
    let (text, address, port) = input;
    let address = IpAddr::from(address);
    let entries: Vec<&str> = text.split('\n').collect();
    if let Ok(rules) = TunnelAllowed::parse(&entries) {
        rules.allows(address, port);
    }
    if let Ok(acl) = text.parse::<TunnelAcl>() {
        acl.allows(address);
    }
});
