//! Request `put_capabilities`.

use serde::{Deserialize, Serialize};

use crate::request::{Request, no_reply};

/// Tells the client what the server can take.
///
/// Wire: global request `put_capabilities`, server to client, **no** reply wanted. Send it exactly once per
/// connection, after the reply to `new_connection`: each receipt starts another measuring loop in a Go agent.
/// Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PutCapabilities {
    /// Version of the server program, for people.
    pub server_version: String,
    /// Above 0 the agent sends `save_measurement`; 0 when monitoring is off.
    pub monitoring_version: i64,
    /// Above 0 the agent sends `ip_addresses`. Absent before 0.9.7.
    #[serde(rename = "IPAddressesVersion")]
    pub ip_addresses_version: i64,
}

impl Request for PutCapabilities {
    const NAME: &'static str = "put_capabilities";
    no_reply!();
}
