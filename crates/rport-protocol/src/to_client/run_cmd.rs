//! Request `run_cmd`.

use serde::{Deserialize, Serialize};

use crate::{job::Job, json::GoTime, request::Request};

/// Asks the client to start a command or script.
///
/// Wire: global request `run_cmd`, server to client, reply wanted. The result comes as `cmd_result`, for very short
/// commands even before the reply. Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunCmd(pub Job);

/// The process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RunCmdReply {
    /// Process id on the client.
    pub pid: i64,
    /// When it was started, on the client's clock.
    pub started_at: GoTime,
}

impl Request for RunCmd {
    const NAME: &'static str = "run_cmd";
    type Reply = RunCmdReply;
}
