//! Frame headers, masks, and the state between two reads.

use std::ops::Range;

use super::Side;

/// Longest header that [`Framer::frame`] writes: two bytes, an eight-byte length, four mask bytes.
pub(crate) const MAX_HEADER: usize = 14;
const MAX_CONTROL: u64 = 125;
const MASKS_AT_ONCE: usize = 64;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A violation of RFC 6455 by the peer; the link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WsError {
    #[error("WebSocket frame with reserved bits")]
    ReservedBits,
    #[error("WebSocket frame with unknown opcode {0}")]
    UnknownOpcode(u8),
    #[error("WebSocket frame masked the wrong way")]
    WrongMasking,
    #[error("WebSocket continuation out of place")]
    OutOfPlace,
    #[error("WebSocket control frame too long or in fragments")]
    BadControl,
    #[error("WebSocket frame of impossible length")]
    BadLength,
}

/// What a call of [`Deframer::step`] found in the raw bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing whole is there: read more first.
    NeedMore,
    /// A header of this many bytes; drop them.
    Header(usize),
    /// Stream bytes, already unmasked in place.
    Data(usize),
    /// A ping; echo these bytes (of the given range of the raw bytes), then drop everything up to its end.
    Ping(Range<usize>),
    /// A pong of this many bytes in all; drop them.
    Pong(usize),
    /// The peer closes the WebSocket.
    Close,
}

struct Header {
    opcode: u8,
    fin: bool,
    mask: Option<[u8; 4]>,
    length: u64,
    size: usize,
}

/// Takes frames apart; keeps the state between reads.
pub(crate) struct Deframer {
    side: Side,
    /// Inside a fragmented message, so that the next data frame must be a continuation.
    in_message: bool,
    /// Payload bytes of the current data frame still to come.
    remaining: u64,
    mask: [u8; 4],
}

impl Deframer {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            in_message: false,
            remaining: 0,
            mask: [0; 4],
        }
    }

    /// Looks at the start of `raw`; call again after dropping what was found.
    pub(crate) fn step(&mut self, raw: &mut [u8]) -> Result<Found, WsError> {
        if raw.is_empty() {
            return Ok(Found::NeedMore);
        }
        if self.remaining > 0 {
            let n = usize::try_from(self.remaining)
                .unwrap_or(usize::MAX)
                .min(raw.len());
            if self.side == Side::Server {
                apply_mask(&mut raw[..n], self.mask);
                self.mask.rotate_left(n % 4);
            }
            self.remaining -= n as u64;
            return Ok(Found::Data(n));
        }
        let Some(header) = parse(raw)? else {
            return Ok(Found::NeedMore);
        };
        if header.mask.is_some() != (self.side == Side::Server) {
            return Err(WsError::WrongMasking);
        }
        match header.opcode {
            CONTINUATION | TEXT | BINARY => {
                if (header.opcode == CONTINUATION) != self.in_message {
                    return Err(WsError::OutOfPlace);
                }
                self.in_message = !header.fin;
                self.remaining = header.length;
                self.mask = header.mask.unwrap_or_default();
                Ok(Found::Header(header.size))
            }
            CLOSE | PING | PONG => {
                if header.length > MAX_CONTROL || !header.fin {
                    return Err(WsError::BadControl);
                }
                let end = header.size + header.length as usize;
                if raw.len() < end {
                    return Ok(Found::NeedMore);
                }
                Ok(match header.opcode {
                    CLOSE => Found::Close,
                    PONG => Found::Pong(end),
                    _ => {
                        if let Some(mask) = header.mask {
                            apply_mask(&mut raw[header.size..end], mask);
                        }
                        Found::Ping(header.size..end)
                    }
                })
            }
            other => Err(WsError::UnknownOpcode(other)),
        }
    }
}

/// Reads a frame header; `None` if it is not complete.
fn parse(raw: &[u8]) -> Result<Option<Header>, WsError> {
    let [first, second, ..] = *raw else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(WsError::ReservedBits);
    }
    let (length, size) = match second & 0x7f {
        126 => match raw.get(2..4) {
            Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
            _ => return Ok(None),
        },
        127 => match raw.get(2..10).and_then(|b| <[u8; 8]>::try_from(b).ok()) {
            Some(b) => (u64::from_be_bytes(b), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    if length >> 63 != 0 {
        return Err(WsError::BadLength);
    }
    let mask = if second & 0x80 == 0 {
        None
    } else {
        match raw.get(size..size + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()) {
            Some(mask) => Some(mask),
            None => return Ok(None),
        }
    };
    let size = size + if mask.is_some() { 4 } else { 0 };
    Ok(Some(Header {
        opcode: first & 0x0f,
        fin: first & 0x80 != 0,
        mask,
        length,
        size,
    }))
}

/// XORs `bytes` with the repeated mask; written in words so that the compiler uses vector instructions.
fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Frames what we send.
pub(crate) struct Framer {
    side: Side,
    masks: Vec<[u8; 4]>,
}

impl Framer {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            masks: Vec::new(),
        }
    }

    /// Frames `buf[payload_at..]` as one binary message, in place, and returns where the frame begins.
    ///
    /// The [`MAX_HEADER`] bytes before `payload_at` must be free. Fails only if the system has no random numbers.
    pub(crate) fn frame(&mut self, buf: &mut [u8], payload_at: usize) -> Result<usize, WsError> {
        self.frame_as(BINARY, buf, payload_at)
    }

    /// A whole pong frame with the bytes of the ping.
    pub(crate) fn pong(&mut self, data: &[u8]) -> Result<Vec<u8>, WsError> {
        let mut buf = vec![0; MAX_HEADER];
        buf.extend_from_slice(data);
        let start = self.frame_as(PONG, &mut buf, MAX_HEADER)?;
        Ok(buf.split_off(start))
    }

    fn frame_as(&mut self, opcode: u8, buf: &mut [u8], payload_at: usize) -> Result<usize, WsError> {
        let (room, payload) = buf.split_at_mut_checked(payload_at).ok_or(WsError::BadLength)?;
        let mut header = [0u8; MAX_HEADER];
        header[0] = 0x80 | opcode;
        let mut size = match payload.len() {
            n @ 0..126 => {
                header[1] = n as u8;
                2
            }
            n @ 126..=0xffff => {
                header[1] = 126;
                header[2..4].copy_from_slice(&(n as u16).to_be_bytes());
                4
            }
            n => {
                header[1] = 127;
                header[2..10].copy_from_slice(&(n as u64).to_be_bytes());
                10
            }
        };
        if self.side == Side::Client {
            header[1] |= 0x80;
            let mask = self.next_mask()?;
            header[size..size + 4].copy_from_slice(&mask);
            size += 4;
            apply_mask(payload, mask);
        }
        let start = payload_at.checked_sub(size).ok_or(WsError::BadLength)?;
        room[start..].copy_from_slice(&header[..size]);
        Ok(start)
    }

    /// A fresh unpredictable mask (RFC 6455, section 10.3), drawn in batches because the generator is a system call
    /// away from cheap.
    fn next_mask(&mut self) -> Result<[u8; 4], WsError> {
        if self.masks.is_empty() {
            let mut random = [0u8; 4 * MASKS_AT_ONCE];
            aws_lc_rs::rand::fill(&mut random).map_err(|_| WsError::BadLength)?;
            self.masks.extend_from_slice(random.as_chunks::<4>().0);
        }
        self.masks.pop().ok_or(WsError::BadLength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `wire` in the given piece sizes; returns the stream bytes and the pings.
    fn read(side: Side, wire: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, Vec<Vec<u8>>), WsError> {
        let mut deframer = Deframer::new(side);
        let (mut stream, mut pings, mut raw, mut rest) = (Vec::new(), Vec::new(), Vec::new(), wire);
        for piece in pieces.iter().copied().chain(std::iter::repeat(wire.len())) {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            raw.extend_from_slice(now);
            rest = later;
            loop {
                match deframer.step(&mut raw)? {
                    Found::NeedMore => break,
                    Found::Header(n) | Found::Pong(n) => drop(raw.drain(..n)),
                    Found::Data(n) => stream.extend(raw.drain(..n)),
                    Found::Ping(at) => {
                        pings.push(raw[at.clone()].to_vec());
                        raw.drain(..at.end);
                    }
                    Found::Close => return Ok((stream, pings)),
                }
            }
            if rest.is_empty() {
                return Ok((stream, pings));
            }
        }
        Ok((stream, pings))
    }

    fn framed(side: Side, payload: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; MAX_HEADER];
        buf.extend_from_slice(payload);
        let start = Framer::new(side).frame(&mut buf, MAX_HEADER).expect("frame");
        buf.split_off(start)
    }

    #[test]
    fn fragments_of_a_go_agent_are_a_stream() {
        // A message of 1500 bytes as gorilla's client sends it with its 1 KiB buffer.
        let body: Vec<u8> = (0..1500u32).map(|i| i as u8).collect();
        let mut wire = Vec::new();
        for (first, chunk) in [(0x02u8, &body[..1024]), (0x80, &body[1024..])] {
            let mask = [1, 2, 3, first];
            wire.extend([first, 0x80 | 126]);
            wire.extend((chunk.len() as u16).to_be_bytes());
            wire.extend(mask);
            let mut masked = chunk.to_vec();
            apply_mask(&mut masked, mask);
            wire.extend(masked);
        }
        assert_eq!(read(Side::Server, &wire, &[3, 1, 700, 5]).expect("valid").0, body);
    }

    #[test]
    fn violations_are_named() {
        let check = |side, wire: &[u8], want| assert_eq!(read(side, wire, &[]).err(), Some(want), "{wire:?}");
        check(Side::Client, &[0xc2, 0], WsError::ReservedBits);
        check(Side::Client, &[0x83, 0], WsError::UnknownOpcode(3));
        check(Side::Client, &[0x82, 0x80, 1, 2, 3, 4], WsError::WrongMasking);
        check(Side::Server, &[0x82, 0x01, 1], WsError::WrongMasking);
        check(Side::Client, &[0x80, 0x01, 1], WsError::OutOfPlace);
        check(Side::Client, &[0x02, 0x00, 0x82, 0x00], WsError::OutOfPlace);
        check(Side::Client, &[0x89, 126, 0, 126], WsError::BadControl);
        check(Side::Client, &[0x09, 0x00], WsError::BadControl);
        check(
            Side::Client,
            &[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0],
            WsError::BadLength,
        );
    }

    #[test]
    fn pings_are_handed_out_between_fragments() {
        let mut wire = vec![0x02, 1, b'a'];
        wire.extend(Framer::new(Side::Server).pong(b"x").expect("pong"));
        wire.extend([0x89, 2, b'h', b'i', 0x80, 1, b'b']);
        assert_eq!(
            read(Side::Client, &wire, &[1]).expect("valid"),
            (b"ab".to_vec(), vec![b"hi".to_vec()])
        );
    }

    proptest! {
        #[test]
        fn frames_come_back(payload in proptest::collection::vec(any::<u8>(), 0..70_000), cut in 1usize..4000) {
            for (from, to) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
                let wire = framed(from, &payload);
                prop_assert_eq!(&read(to, &wire, &[cut, cut, 1]).expect("own frame").0, &payload);
            }
        }

        #[test]
        fn foreign_bytes_never_panic(wire: Vec<u8>, cut in 1usize..20) {
            let _ = read(Side::Server, &wire, &[cut, cut]);
            let _ = read(Side::Client, &wire, &[cut, cut]);
        }
    }
}
