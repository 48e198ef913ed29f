//! Request `ip_addresses`.

use serde::{Deserialize, Serialize};

use crate::{
    json::GoTime,
    request::{Request, no_reply},
};

/// Reports the public addresses of the client.
///
/// Wire: global request `ip_addresses`, client to server, no reply wanted, from 0.9.7 on, only to servers that
/// announced `IPAddressesVersion`. The same shape is stored with the client and shown by the API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IpAddresses {
    /// Public IPv4 address.
    pub ipv4: String,
    /// Public IPv6 address.
    pub ipv6: String,
    /// Zero on the wire; the server sets its own time.
    pub updated_at: GoTime,
    /// What went wrong, for people.
    pub error: String,
}

impl Request for IpAddresses {
    const NAME: &'static str = "ip_addresses";
    no_reply!();
}
