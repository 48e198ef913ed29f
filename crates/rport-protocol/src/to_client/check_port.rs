//! Request `check_port`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{json::go_nanos, request::Request};

/// Asks the client whether one of its ports accepts TCP connections.
///
/// Wire: global request `check_port`, server to client, reply wanted. Golden: `messages.json`. The keys are
/// capitalised because the Go type has no JSON names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckPort {
    /// `host:port` as the client would dial it.
    pub host_port: String,
    /// How long the client may try; Go servers ask for two seconds.
    #[serde(with = "go_nanos")]
    pub timeout: Duration,
}

/// What the client found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckPortReply {
    /// Whether the port accepted.
    pub open: bool,
    /// Why it did not, for people; empty when open.
    pub err_msg: String,
}

impl Request for CheckPort {
    const NAME: &'static str = "check_port";
    type Reply = CheckPortReply;
}
