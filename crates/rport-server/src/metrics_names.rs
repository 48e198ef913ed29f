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
/// Jobs that clients have started.
pub(crate) const JOBS_STARTED_TOTAL: &str = "rport_jobs_started_total";
/// Jobs that have ended, by status.
pub(crate) const JOBS_FINISHED_TOTAL: &str = "rport_jobs_finished_total";
/// Jobs that their clients were not asked for yet.
pub(crate) const JOBS_WAITING: &str = "rport_jobs_waiting";
/// Jobs that are with their clients.
pub(crate) const JOBS_RUNNING: &str = "rport_jobs_running";

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
    describe_counter!(JOBS_STARTED_TOTAL, Unit::Count, "Jobs that clients have started");
    describe_counter!(
        JOBS_FINISHED_TOTAL,
        Unit::Count,
        "Jobs that have ended by status: successful, failed (also never started), unknown"
    );
    describe_gauge!(
        JOBS_WAITING,
        Unit::Count,
        "Jobs that wait for their client or their turn"
    );
    describe_gauge!(JOBS_RUNNING, Unit::Count, "Jobs that are with their clients");
    rport_tunnel::describe_metrics();
}
