//! JSON as Go peers write and read it.
//!
//! Writing ([`encode()`]) equals Go byte for byte for our types: `<`, `>`, `&`, U+2028 and U+2029 are escaped, floats
//! have Go's form, durations are integer nanoseconds, absent lists are `null`.
//!
//! Reading ([`decode()`]) has Go's tolerance: unknown members are ignored, member names match case-insensitively,
//! `null` and missing leave the zero value, the last duplicate wins, invalid UTF-8 and lone surrogates become U+FFFD.
//! Derived serde code does none of this, so every payload is read into a small borrowed tree first and decoded from
//! there. A plain decode as a first try was considered and dropped: it would *succeed* on a payload with other
//! capitalisation and silently lose its members. The tree costs less than a tenth of a millisecond for a whole `new_connection`.
//!
//! Wire structs carry `#[serde(default)]` and a `Default` equal to Go's zero value.

mod decode;
mod encode;
pub mod go_nanos;
mod go_time;
mod node;

pub use decode::{PayloadError, decode, decode_or_without, decode_str, decode_with_rest};
pub use encode::{encode, encode_string};
pub use go_time::GoTime;

#[cfg(test)]
mod tests;
