//! The metrics of this crate.

use metrics::{Unit, describe_counter, describe_gauge};

/// Handshakes on the agents' listener by result.
pub(crate) const HANDSHAKES_TOTAL: &str = "rport_handshakes_total";
/// Connection requests of agents by result.
pub(crate) const CONNECTION_REQUESTS_TOTAL: &str = "rport_connection_requests_total";
/// Passwords and tokens of users by result.
pub(crate) const LOGINS_TOTAL: &str = "rport_logins_total";
/// Clients that are connected now.
pub(crate) const CLIENTS_CONNECTED: &str = "rport_clients_connected";
/// Clients known to the server.
pub(crate) const CLIENTS_KNOWN: &str = "rport_clients_known";

/// Tells the metrics recorder what the figures of the server mean. Call it once after a recorder was installed.
pub fn describe_metrics() {
    describe_counter!(
        HANDSHAKES_TOTAL,
        Unit::Count,
        "Handshakes on the agents' listener by result: accepted, refused (wrong password), failed, timeout, evicted"
    );
    describe_counter!(
        CONNECTION_REQUESTS_TOTAL,
        Unit::Count,
        "Connection requests of agents by result: accepted, refused, late"
    );
    describe_counter!(
        LOGINS_TOTAL,
        Unit::Count,
        "Users who asked for a token or sent wrong credentials, by result: accepted, refused, banned"
    );
    describe_gauge!(CLIENTS_CONNECTED, Unit::Count, "Clients connected now");
    describe_gauge!(CLIENTS_KNOWN, Unit::Count, "Clients known, connected or not");
    rport_tunnel::describe_metrics();
}
