//! Request `updates_status`.

use serde::{Deserialize, Serialize};

use crate::{
    json::GoTime,
    request::{Request, no_reply},
};

/// Reports which operating system updates the client could install.
///
/// Wire: global request `updates_status`, client to server, no reply wanted. Agents do not repeat it when they
/// reconnect, so the server keeps the last one; the same shape is stored and shown by the API.
/// Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatesStatus {
    /// When the client looked.
    pub refreshed: GoTime,
    /// Number of updates.
    pub updates_available: i64,
    /// How many of them mend security problems.
    pub security_updates_available: i64,
    /// One entry per update.
    pub update_summaries: Option<Vec<UpdateSummary>>,
    /// Whether an earlier update waits for a reboot.
    pub reboot_pending: bool,
    /// What went wrong, for people; then only `refreshed` means something.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How to get better results, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// One update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateSummary {
    /// Package or update name.
    pub title: String,
    /// More about it.
    pub description: String,
    /// Whether it needs a reboot.
    pub reboot_required: bool,
    /// Whether it mends a security problem.
    pub is_security_update: bool,
}

impl Request for UpdatesStatus {
    const NAME: &'static str = "updates_status";
    no_reply!();
}
