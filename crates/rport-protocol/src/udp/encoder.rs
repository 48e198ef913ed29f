//! Frames to gob.

use super::frame::{UdpAddr, UdpFrame};

/// The definitions of type 64, `UDPMessage {Addr 65, Data bytes}`, and 65, `UDPAddr {IP bytes, Port int, Zone
/// string}`, as two messages. Ids from 64 on are free for the taking; these need the fewest bytes.
const DEFINITIONS: &[u8] =
    b"\x2a\x7f\x03\x01\x01\x0aUDPMessage\x01\xff\x80\x00\x01\x02\x01\x04Addr\x01\xff\x82\x00\
    \x01\x04Data\x01\x0a\x00\x00\x00\
    \x2e\xff\x81\x03\x01\x01\x07UDPAddr\x01\xff\x82\x00\x01\x03\x01\x02IP\x01\x0a\x00\x01\x04Port\x01\x04\x00\
    \x01\x04Zone\x01\x0c\x00\x00\x00";

/// Id 64 as a signed number.
const MESSAGE_ID: &[u8] = b"\xff\x80";

/// Writes one gob stream. Keep one per channel and direction.
#[derive(Debug, Default)]
pub struct UdpEncoder {
    defined: bool,
}

impl UdpEncoder {
    /// Makes the encoder of a fresh stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a frame; before the first one, the definitions of the types.
    pub fn encode(&mut self, frame: &UdpFrame, out: &mut Vec<u8>) {
        self.encode_parts(frame.addr.as_ref(), &frame.data, out);
    }

    /// Appends a frame from its parts, without copying the payload first.
    pub fn encode_parts(&mut self, addr: Option<&UdpAddr>, data: &[u8], out: &mut Vec<u8>) {
        if !self.defined {
            out.extend_from_slice(DEFINITIONS);
            self.defined = true;
        }
        let addr_len = addr.map(addr_len);
        let body = MESSAGE_ID.len()
            + addr_len.map_or(0, |len| 1 + len)
            + if data.is_empty() { 0 } else { 1 + bytes_len(data) }
            + 1;
        out.reserve(uint_len(body as u64) + body);
        put_uint(body as u64, out);
        out.extend_from_slice(MESSAGE_ID);
        // Fields are numbered from the previous one; zero values are left out.
        if let Some(addr) = addr {
            out.push(1);
            put_addr(addr, out);
        }
        if !data.is_empty() {
            out.push(if addr.is_some() { 1 } else { 2 });
            put_bytes(data, out);
        }
        out.push(0);
    }
}

/// Numbers the fields of one struct value.
struct Deltas {
    last: u8,
}

impl Deltas {
    fn next(&mut self, field: u8) -> u8 {
        let delta = field - self.last;
        self.last = field;
        delta
    }
}

fn put_addr(addr: &UdpAddr, out: &mut Vec<u8>) {
    let mut deltas = Deltas { last: 0 };
    if !addr.ip_bytes().is_empty() {
        out.push(deltas.next(1));
        put_bytes(addr.ip_bytes(), out);
    }
    if addr.port != 0 {
        out.push(deltas.next(2));
        // A signed number: shifted, with the sign in the lowest bit.
        put_uint(u64::from(addr.port) << 1, out);
    }
    if !addr.zone.is_empty() {
        out.push(deltas.next(3));
        put_bytes(addr.zone.as_bytes(), out);
    }
    out.push(0);
}

fn addr_len(addr: &UdpAddr) -> usize {
    let field = |present: bool, len: usize| if present { 1 + len } else { 0 };
    field(!addr.ip_bytes().is_empty(), bytes_len(addr.ip_bytes()))
        + field(addr.port != 0, uint_len(u64::from(addr.port) << 1))
        + field(!addr.zone.is_empty(), bytes_len(addr.zone.as_bytes()))
        + 1
}

fn bytes_len(bytes: &[u8]) -> usize {
    uint_len(bytes.len() as u64) + bytes.len()
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_uint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn uint_len(value: u64) -> usize {
    if value < 128 {
        1
    } else {
        1 + significant_bytes(value)
    }
}

fn significant_bytes(value: u64) -> usize {
    8 - value.leading_zeros() as usize / 8
}

/// Up to 127 the byte itself; above, the negated number of bytes and then the bytes, largest first.
fn put_uint(value: u64, out: &mut Vec<u8>) {
    if value < 128 {
        out.push(value as u8);
    } else {
        let count = significant_bytes(value);
        out.push((count as u8).wrapping_neg());
        out.extend_from_slice(&value.to_be_bytes()[8 - count..]);
    }
}
