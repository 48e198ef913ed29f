//! Stored tunnels: saved definitions that front ends read and apply. They open nothing by themselves.
//!
//! Source: rest-api.md 12, storage.md 4.4.

use chrono::{DateTime, FixedOffset};

use crate::{
    Error, Result, StoredTunnelId,
    list::{FilterSpec, ListSpec},
};

/// Most stored tunnels of one client. Differs from RPort, which knows no limit; so do the sizes below.
pub const MAX_STORED_TUNNELS: usize = 1000;
/// Longest name, in bytes.
const MAX_NAME: usize = 500;
/// Longest scheme, in bytes; that of a tunnel to open.
const MAX_SCHEME: usize = 15;
/// Longest host name there is.
const MAX_REMOTE_IP: usize = 255;
/// Longest list of visitors, in bytes.
const MAX_ACL: usize = 16 * 1024;
/// Largest further options, in bytes of JSON.
const MAX_OPTIONS: usize = 64 * 1024;

/// What a list of stored tunnels allows. Without a wish they come in the order of their creation.
pub static STORED_TUNNEL_LIST: ListSpec = ListSpec {
    default_limit: 10,
    max_limit: 100,
    sorts: &["created_at", "name", "scheme", "remote_ip", "remote_port"],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec::matching("name"),
        FilterSpec::matching("scheme"),
        FilterSpec::matching("remote_ip"),
        FilterSpec::matching("remote_port"),
    ],
    fields: None,
};

/// A stored tunnel of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTunnel {
    /// Its id.
    pub id: StoredTunnelId,
    /// When it was stored.
    pub created_at: DateTime<FixedOffset>,
    /// What it is.
    pub definition: TunnelDefinition,
}

/// What a stored tunnel says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TunnelDefinition {
    /// What people call it.
    pub name: String,
    /// Such as `ssh`.
    pub scheme: Option<String>,
    /// The target, as the client sees it: an address or a host name.
    pub remote_ip: Option<String>,
    /// The target's port.
    pub remote_port: Option<i64>,
    /// The port on the server; none for a random one.
    pub public_port: Option<i64>,
    /// Who may visit.
    pub acl: Option<String>,
    /// Anything a front end wants to keep. Never read by the server.
    pub further_options: Option<serde_json::Value>,
}

impl TunnelDefinition {
    /// Checks sizes and ranges; the rest is between those who store and those who apply.
    ///
    /// # Errors
    /// `Invalid`, naming the member.
    pub fn check(&self) -> Result<()> {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let options = self
            .further_options
            .as_ref()
            .map_or(0, |options| options.to_string().len());
        for (member, size, limit) in [
            ("name", self.name.len(), MAX_NAME),
            ("scheme", length(&self.scheme), MAX_SCHEME),
            ("remote_ip", length(&self.remote_ip), MAX_REMOTE_IP),
            ("acl", length(&self.acl), MAX_ACL),
            ("further_options", options, MAX_OPTIONS),
        ] {
            if size > limit {
                return Err(invalid(format!("{member} has {size} bytes, {limit} are allowed")));
            }
        }
        for (member, port, lowest) in [
            ("remote_port", self.remote_port, 1),
            // Zero asks for a random one.
            ("public_port", self.public_port, 0),
        ] {
            if port.is_some_and(|port| !(lowest..=65_535).contains(&port)) {
                return Err(invalid(format!("{member} must lie between {lowest} and 65535")));
            }
        }
        Ok(())
    }
}

fn invalid(detail: String) -> Error {
    Error::invalid("Invalid stored tunnel.").detail(detail)
}

/// Makes the answer for a stored tunnel that does not exist.
pub fn stored_tunnel_not_found(id: &StoredTunnelId) -> Error {
    Error::not_found(format!("Stored tunnel with id={:?} not found.", id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut TunnelDefinition), refusal: Option<&str>) {
        let mut definition = TunnelDefinition::default();
        change(&mut definition);
        let found = definition.check().err().map(|error| error.detail);
        assert_eq!(found.as_deref(), refusal);
    }

    #[test]
    fn ranges() {
        check(|_| {}, None);
        check(|tunnel| tunnel.remote_port = Some(65_535), None);
        check(|tunnel| tunnel.public_port = Some(0), None);
        let text = "remote_port must lie between 1 and 65535";
        check(|tunnel| tunnel.remote_port = Some(0), Some(text));
        check(|tunnel| tunnel.remote_port = Some(65_536), Some(text));
        check(|tunnel| tunnel.remote_port = Some(i64::MIN), Some(text));
        let text = "public_port must lie between 0 and 65535";
        check(|tunnel| tunnel.public_port = Some(-1), Some(text));
    }

    #[test]
    fn sizes() {
        check(|tunnel| tunnel.name = "x".repeat(500), None);
        let text = "name has 501 bytes, 500 are allowed";
        check(|tunnel| tunnel.name = "x".repeat(501), Some(text));
        let text = "further_options has 70002 bytes, 65536 are allowed";
        let large = Some("x".repeat(70_000).into());
        check(|tunnel| tunnel.further_options = large, Some(text));
    }
}
