//! What the configuration says about jobs.

use std::time::Duration;

/// Jobs.
#[derive(Debug, Clone)]
pub struct JobsOptions {
    /// Time limit of orders that come without one (`run_remote_cmd_timeout_sec`).
    pub default_timeout: Duration,
    /// How many jobs that have ended are kept (`jobs_max_results`).
    pub max_results: usize,
    /// How often the server looks for jobs whose time is over.
    pub sweep: Duration,
    /// How often jobs beyond `max_results` are deleted.
    pub retention: Duration,
}

impl Default for JobsOptions {
    fn default() -> Self {
        Self {
            default_timeout: Duration::from_secs(60),
            max_results: 10_000,
            sweep: Duration::from_secs(1),
            retention: Duration::from_secs(3600),
        }
    }
}
