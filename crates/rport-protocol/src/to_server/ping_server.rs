//! Request `ping`, client to server.

use serde::{Deserialize, Serialize};

use crate::{json::PayloadError, request::Request};

/// Tells the server that the client lives, and asks the same of the link.
///
/// Wire: global request `ping`, client to server, reply wanted, payloads empty. It sets the client's heartbeat.
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
