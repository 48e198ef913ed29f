//! Request `refresh_updates_status`.

use serde::{Deserialize, Serialize};

use crate::{json::PayloadError, request::Request};

/// Asks the client to look for operating system updates; the result comes later as `updates_status`.
///
/// Wire: global request `refresh_updates_status`, server to client, reply wanted; both payloads are the four bytes
/// `null`. Golden: `messages.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefreshUpdatesStatus;

impl Request for RefreshUpdatesStatus {
    const NAME: &'static str = "refresh_updates_status";
    type Reply = ();

    fn decode(_payload: &[u8]) -> Result<Self, PayloadError> {
        Ok(Self)
    }

    fn decode_reply(_payload: &[u8]) -> Result<(), PayloadError> {
        Ok(())
    }
}
