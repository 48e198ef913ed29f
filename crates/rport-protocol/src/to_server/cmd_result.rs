//! Request `cmd_result`.

use serde::{Deserialize, Serialize};

use crate::{
    job::Job,
    request::{Request, no_reply},
};

/// Reports the end of a job.
///
/// Wire: global request `cmd_result`, client to server, no reply wanted. Cut the output so that the payload stays
/// below [`crate::version::MAX_PACKET`]: Go servers drop the link otherwise. Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CmdResult(pub Job);

impl Request for CmdResult {
    const NAME: &'static str = "cmd_result";
    no_reply!();
}
