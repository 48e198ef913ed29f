//! WebSocket as a byte stream (RFC 6455): the upgrade, and the frames.
//!
//! SSH needs a stream, so frames are taken apart where they arrive and messages are never assembled. Go agents cut
//! each message into frames of 1 KiB; Go servers answer the upgrade without naming the subprotocol.

mod frame;
mod upgrade;

pub use crate::io::WsStream;
pub(crate) use frame::{Deframer, Found, Framer, MAX_HEADER, WsError};
pub use upgrade::{UpgradeVerdict, accept_key, check_upgrade};

/// Which end of the WebSocket we are: clients mask what they send, servers must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}
