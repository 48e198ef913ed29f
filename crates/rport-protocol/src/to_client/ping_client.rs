//! Request `ping`, server to client.

use serde::{Deserialize, Serialize};

use crate::{json::PayloadError, request::Request};

/// Asks the client for a sign of life.
///
/// Wire: global request `ping`, server to client, reply wanted, payloads empty. Agents 0.8.2–0.9.6 answer twice, an
/// empty success and then `null`; drop replies nobody waits for. Older ones fail with
/// [`crate::texts::UNKNOWN_REQUEST`], which is a sign of life too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ping;

impl Request for Ping {
    const NAME: &'static str = "ping";
    type Reply = ();

    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    fn decode(_payload: &[u8]) -> Result<Self, PayloadError> {
        Ok(Self)
    }

    fn encode_reply((): &()) -> Vec<u8> {
        Vec::new()
    }

    fn decode_reply(_payload: &[u8]) -> Result<(), PayloadError> {
        Ok(())
    }
}
