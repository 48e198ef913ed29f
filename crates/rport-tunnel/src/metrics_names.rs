//! Names of the metrics this crate counts.

use metrics::{Unit, describe_counter, describe_gauge};

pub(crate) const TUNNELS: &str = "rport_tunnels";
pub(crate) const VISITORS: &str = "rport_tunnel_visitors";
pub(crate) const VISITORS_TOTAL: &str = "rport_tunnel_visitors_total";
pub(crate) const REFUSED_TOTAL: &str = "rport_tunnel_refused_total";
pub(crate) const BYTES_TOTAL: &str = "rport_tunnel_bytes_total";
pub(crate) const DROPPED_TOTAL: &str = "rport_tunnel_datagrams_dropped_total";
pub(crate) const LEASED_PORTS: &str = "rport_tunnel_leased_ports";

/// Describes this crate's metrics to the installed recorder. Call once, after installing it.
pub fn describe_metrics() {
    describe_gauge!(TUNNELS, "Tunnels that are listening.");
    describe_gauge!(VISITORS, "TCP connections open to tunnel ports.");
    describe_counter!(VISITORS_TOTAL, "TCP connections accepted on tunnel ports.");
    describe_counter!(
        REFUSED_TOTAL,
        "TCP connections closed unserved, by reason (acl, full, client)."
    );
    describe_counter!(
        BYTES_TOTAL,
        Unit::Bytes,
        "Bytes carried, by direction (to_client, from_client); TCP counts when a connection ends."
    );
    describe_counter!(
        DROPPED_TOTAL,
        "UDP datagrams not carried, by reason (acl, queue, address, send)."
    );
    describe_gauge!(
        LEASED_PORTS,
        "Ports leased to tunnels, TCP and UDP counted apart."
    );
}
