//! Request `abort_cmd`.

use serde::{Deserialize, Serialize};

use crate::request::Request;

/// Asks the client to end a job that it runs.
///
/// Wire: global request `abort_cmd`, server to client, reply wanted. Between our own programs only: Go agents answer
/// [`crate::texts::UNKNOWN_REQUEST`]. The reply comes at once; the job's result follows as `cmd_result`, with status
/// `failed` and an error that says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AbortCmd {
    /// Job id.
    pub jid: String,
}

/// What the client found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AbortCmdReply {
    /// State of the job when the request came.
    pub state: AbortState,
}

/// State of a job that is to be aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortState {
    /// The client knows no such job, or forgot it long ago.
    #[default]
    Unknown,
    /// It ran and is being ended.
    Aborting,
    /// It had ended before; its result was sent or is on its way.
    Finished,
}

impl Request for AbortCmd {
    const NAME: &'static str = "abort_cmd";
    type Reply = AbortCmdReply;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_on_the_wire() {
        let request = AbortCmd { jid: "j1".to_owned() };
        assert_eq!(request.encode(), br#"{"jid":"j1"}"#);
        assert_eq!(AbortCmd::decode(br#"{"jid":"j1"}"#).unwrap(), request);
        for (state, word) in [
            (AbortState::Unknown, "unknown"),
            (AbortState::Aborting, "aborting"),
            (AbortState::Finished, "finished"),
        ] {
            let reply = AbortCmdReply { state };
            let bytes = AbortCmd::encode_reply(&reply);
            assert_eq!(bytes, format!(r#"{{"state":"{word}"}}"#).as_bytes());
            assert_eq!(AbortCmd::decode_reply(&bytes).unwrap(), reply);
        }
    }
}
