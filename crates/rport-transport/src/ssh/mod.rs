//! The SSH layer: RFC 4253, 4252 and 4254 as far as RPort needs them, and RPort's departures from them.
//!
//! Kept narrow on purpose: three AEAD ciphers, two key exchanges, one host key type, password authentication, no
//! compression. `docs/THREAT-MODEL.md` says what is defended and how.

pub(crate) mod algorithms;
pub(crate) mod channel;
mod chunks;
pub(crate) mod cipher;
pub(crate) mod inbound;
pub(crate) mod kex;
pub(crate) mod link;
pub(crate) mod messages;
pub(crate) mod outbound;
mod requests;
mod table;
mod window;
pub(crate) mod wire;

/// Which end of the link we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The agent: it dialled.
    Client,
    /// The server: it was dialled.
    Server,
}
