#![no_main]
//! The gob stream of a UDP tunnel: the first byte is the size of the pieces.

use libfuzzer_sys::fuzz_target;
use rport_protocol::udp::{GobError, UdpDecoder, UdpEncoder, UdpFrame};

fn decode(bytes: &[u8], piece: usize) -> Result<Vec<UdpFrame>, GobError> {
    let mut decoder = UdpDecoder::new();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(whole, decode(bytes, usize::from(*piece).max(1)));
    if let Ok(frames) = whole {
        let (mut encoder, mut stream) = (UdpEncoder::new(), Vec::new());
        for frame in &frames {
            encoder.encode(frame, &mut stream);
        }
        assert_eq!(decode(&stream, 64), Ok(frames));
    }
});
