//! Request `cmd_result`.

use serde::{Deserialize, Serialize};

use crate::{
    job::Job,
    request::{Request, no_reply},
};

/// Reports the end of a job.
///
/// Wire: global request `cmd_result`, client to server. Cut the output so that the payload stays below
/// [`crate::version::MAX_PACKET`]: Go servers drop the link otherwise. Golden: `messages.json`.
///
/// Go peers want no reply and send none; a Go server serves requests in order, so a `ping` that it answers
/// afterwards tells that it has handled the result. Our own agents do want a reply from our own servers: success,
/// sent once the result is stored for good, lets the agent forget it. A failure that starts with
/// [`TRY_LATER_PREFIX`](crate::texts::TRY_LATER_PREFIX), or is [`UNKNOWN_REQUEST`](crate::texts::UNKNOWN_REQUEST),
/// makes it try again; after any other it gives up. A result may come more than once, so storing must be idempotent
/// by job id. Results too large for a request come through a channel, see
/// [`KIND_CMD_RESULT`](crate::channel::KIND_CMD_RESULT).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CmdResult(pub Job);

impl Request for CmdResult {
    const NAME: &'static str = "cmd_result";
    no_reply!();
}
