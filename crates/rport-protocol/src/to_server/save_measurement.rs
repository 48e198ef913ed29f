//! Request `save_measurement`.

use serde::{Deserialize, Serialize};

use crate::{
    json::GoTime,
    request::{Request, no_reply},
};

/// Reports one monitoring sample.
///
/// Wire: global request `save_measurement`, client to server, no reply wanted, only to servers that announced
/// `MonitoringVersion`. Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SaveMeasurement {
    /// Empty on the wire; the server fills it.
    pub client_id: String,
    /// The agent's clock, UTC. Servers overwrite it with their own from 0.9.7 on.
    pub timestamp: GoTime,
    /// 0–100, since the previous sample.
    pub cpu_usage_percent: f64,
    /// 0–100.
    pub memory_usage_percent: f64,
    /// 0–100, share of time waiting for I/O.
    pub io_usage_percent: f64,
    /// A JSON array *as text*; `[]` when off, empty on error.
    pub processes: String,
    /// A JSON object *as text*; empty on error.
    pub mountpoints: String,
    /// Traffic of the configured LAN card.
    pub net_lan: Option<NetUsage>,
    /// Traffic of the configured WAN card.
    pub net_wan: Option<NetUsage>,
}

/// Traffic of one network card, in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetUsage {
    /// Received.
    #[serde(rename = "in")]
    pub bytes_in: i64,
    /// Sent.
    #[serde(rename = "out")]
    pub bytes_out: i64,
}

impl Request for SaveMeasurement {
    const NAME: &'static str = "save_measurement";
    no_reply!();
}
