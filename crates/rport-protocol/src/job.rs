//! The job: one execution of a command or script on one client.

use serde::{Deserialize, Serialize};

use crate::json::GoTime;

/// A job as the server orders it (`run_cmd`) and as the agent returns it (`cmd_result`), with the result filled in.
///
/// Source: wire notes, section 13.1. The agent returns the object it received, so a server can store a result for a
/// job it has forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Job id.
    pub jid: String,
    /// Empty in the order; `successful`, `failed` or `unknown` in the result.
    pub status: String,
    /// When observation ended.
    pub finished_at: Option<GoTime>,
    /// The client the job runs on.
    pub client_id: String,
    /// Its name when the job was ordered.
    pub client_name: String,
    /// The command line, or the plain text of the script.
    pub command: String,
    /// Working directory; empty means the agent's.
    pub cwd: String,
    /// Interpreter name or path; empty means the default.
    pub interpreter: String,
    /// Process id.
    pub pid: Option<i64>,
    /// Process start; Go's zero time in an order.
    pub started_at: GoTime,
    /// API user who ordered it.
    pub created_by: String,
    /// Seconds of observation; the process may live on after them.
    pub timeout_sec: i64,
    /// The multi-job it belongs to.
    pub multi_job_id: Option<String>,
    /// The schedule that started it.
    pub schedule_id: Option<String>,
    /// What went wrong, for people.
    pub error: String,
    /// Output; none in an order.
    pub result: Option<JobResult>,
    /// Run through `sudo -n`.
    pub is_sudo: bool,
    /// A script rather than a command; the allow and deny rules are for commands only.
    pub is_script: bool,
    /// Somebody waits for live output on `stdout` and `stderr` channels. From 0.8.9 on.
    pub stream_result: bool,
}

/// Output of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobResult {
    /// Standard output, up to the agent's limit.
    pub stdout: String,
    /// Standard error output, up to the agent's limit.
    pub stderr: String,
    /// What stood between `<summary>` and `</summary>` in the standard output. From 0.6.1 on.
    pub summary: String,
}
