//! Requests of features this version does not offer yet.
//!
//! They are answered as a Go agent answers with the feature switched off, which servers and their users know how to
//! read, and as [`AgentConfig::report`](crate::AgentConfig::report) announces: the answer must not depend on a file
//! that says `enabled = true` for a feature that is not there.

use super::Answer;

/// Refuses a file.
pub(super) fn upload() -> Answer {
    Err("uploads are disabled on this client, check [file-reception] enabled option".to_owned())
}

/// Does nothing, successfully: that is how a Go agent with `updates_interval = 0` answers.
pub(super) fn refresh_updates_status() -> Answer {
    Ok(b"null".to_vec())
}
