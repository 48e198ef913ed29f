//! Datagrams on the channel of a UDP tunnel, as Go `gob` streams of `{Addr {IP, Port, Zone}, Data}`.
//!
//! Source: wire notes, section 9; golden: `gob-udp.json`. Each direction of a channel is one stream: the definitions
//! of the two types come first, once; every datagram is one value message. Type ids differ between peers, so the
//! decoder learns them, and the order of the fields, from the stream.

mod decoder;
mod encoder;
mod frame;
mod types;
mod value;

pub use decoder::{UdpDecoder, UdpLimits};
pub use encoder::UdpEncoder;
pub use frame::{UdpAddr, UdpFrame};

/// A byte stream that is not what a Go peer would send. Nothing can be read from the channel after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GobError {
    /// A message longer than the limit.
    #[error("datagram message of {size} bytes; at most {max} are accepted")]
    MessageTooLarge {
        /// Announced size.
        size: u64,
        /// The limit.
        max: usize,
    },
    /// More type definitions than two types need, by far.
    #[error("more than {0} type definitions")]
    TooManyTypes(usize),
    /// A value nested deeper than any datagram.
    #[error("value nested too deeply")]
    TooDeep,
    /// A message ended in the middle of a value.
    #[error("message ends in the middle of a value")]
    Truncated,
    /// Bytes were left over behind a value.
    #[error("{0} bytes left over behind a value")]
    TrailingBytes(usize),
    /// A number out of range.
    #[error("{0} out of range")]
    OutOfRange(&'static str),
    /// A type id nobody defined.
    #[error("undefined type id {0}")]
    UndefinedType(i64),
    /// A type id that was defined before, or belongs to Go.
    #[error("type id {0} cannot be defined")]
    BadDefinition(i64),
    /// A field that is not of the expected type.
    #[error("{0} has an unexpected type")]
    WrongType(&'static str),
}

#[cfg(test)]
mod tests;
