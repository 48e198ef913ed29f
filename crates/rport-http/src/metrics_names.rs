//! Names of the metrics this crate counts.

use metrics::{describe_counter, describe_gauge};

pub(crate) const REQUESTS_TOTAL: &str = "rport_api_requests_total";
pub(crate) const CONNECTIONS: &str = "rport_api_connections";
pub(crate) const LOG_LINES_LOST_TOTAL: &str = "rport_access_log_lines_lost_total";
pub(crate) const TASKS: &str = "rport_tasks";

/// Describes this crate's metrics to the installed recorder. Call once, after installing it.
pub fn describe_metrics() {
    describe_counter!(REQUESTS_TOTAL, "API requests answered, by method and status.");
    describe_gauge!(CONNECTIONS, "Connections open to the API port.");
    describe_counter!(
        LOG_LINES_LOST_TOTAL,
        "Access log lines lost because the disk was too slow."
    );
    describe_gauge!(TASKS, "Tasks running in the server, by name.");
}
