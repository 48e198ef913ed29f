//! A `serde_json` formatter that writes what Go's `encoding/json` writes.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Encodes a value as Go would.
///
/// # Panics
/// Never for the types of this workspace: they have string keys and no failing `Serialize`.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, GoFormatter))
        .expect("wire types always serialise");
    out
}

/// Encodes a value as Go would, as text.
pub fn encode_string<T: Serialize + ?Sized>(value: &T) -> String {
    String::from_utf8(encode(value)).expect("JSON is UTF-8")
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            out.write_all(&rest.as_bytes()[..at])?;
            let mut chars = rest[at..].chars();
            let special = chars.next().unwrap_or_default();
            write!(out, "\\u{:04x}", u32::from(special))?;
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        // Source: Go `encoding/json`, `floatEncoder`: plain digits within [1e-6, 1e21), else with an exponent.
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            match text.split_once('e') {
                Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
                _ => out.write_all(text.as_bytes()),
            }
        } else {
            write!(out, "{value}")
        }
    }
}
