//! Request `run_cmd`.

use serde::{Deserialize, Serialize};

use crate::{job::Job, json::GoTime, request::Request};

/// Asks the client to start a command or script.
///
/// Wire: global request `run_cmd`, server to client, reply wanted. The result comes as `cmd_result`, for very short
/// commands even before the reply. Golden: `messages.json`.
///
/// Our own agents start a job id at most once. Asked again for one that runs, or whose result is on its way, they
/// answer as they did at first; asked for one whose result was acknowledged, they refuse with
/// [`ALREADY_RUN_PREFIX`](crate::texts::ALREADY_RUN_PREFIX). So a server that lost the answer may simply ask again.
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
