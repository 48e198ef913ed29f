//! Request `check_tunnel_allowed`.

use serde::{Deserialize, Serialize};

use crate::request::Request;

/// Asks the client whether its `tunnel_allowed` rules let a tunnel lead to an address.
///
/// Wire: global request `check_tunnel_allowed`, server to client, reply wanted, known to agents from 0.6.4 on. Older
/// ones fail with [`crate::texts::UNKNOWN_REQUEST`], which counts as allowed. Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckTunnelAllowed {
    /// `host:port`, without protocol.
    pub remote: String,
}

/// The client's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckTunnelAllowedReply {
    /// Whether the rules allow it.
    pub is_allowed: bool,
}

impl Request for CheckTunnelAllowed {
    const NAME: &'static str = "check_tunnel_allowed";
    type Reply = CheckTunnelAllowedReply;
}
