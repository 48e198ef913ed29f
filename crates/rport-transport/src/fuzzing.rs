//! Doors for the fuzz targets in `fuzz/`: each takes foreign bytes to one parser. Not part of the library's face.

use crate::ssh::Role;
use crate::ssh::algorithms::{Offer, negotiate, our_kexinit};
use crate::ssh::cipher::{CipherKind, Opener};
use crate::ssh::messages::Message;
use crate::ws::{Deframer, Found, Side};

/// WebSocket frames, as both sides read them.
pub fn websocket(bytes: &[u8]) {
    for side in [Side::Client, Side::Server] {
        let mut deframer = Deframer::new(side);
        let mut raw = bytes.to_vec();
        while let Ok(found) = deframer.step(&mut raw) {
            match found {
                Found::NeedMore | Found::Close => break,
                Found::Header(n) | Found::Data(n) | Found::Pong(n) => drop(raw.drain(..n)),
                Found::Ping(at) => drop(raw.drain(..at.end)),
            }
        }
    }
}

/// SSH packets in clear and under every cipher.
pub fn packet(bytes: &[u8]) {
    let mut openers = vec![Opener::clear()];
    for kind in CipherKind::ALL {
        let mut opener = Opener::clear();
        if opener
            .rekey(kind, &vec![1; kind.key_len()], &vec![2; kind.iv_len()], false)
            .is_ok()
        {
            openers.push(opener);
        }
    }
    for mut opener in openers {
        let mut wire = bytes.to_vec();
        if let Some(head) = wire.first_chunk::<4>() {
            let _ = opener.packet_len(*head);
            let _ = opener.open(&mut wire);
        }
    }
}

/// Messages of the connection layer.
pub fn message(bytes: &[u8]) {
    let _ = Message::parse(bytes);
}

/// KEXINIT and the choice between two of them.
pub fn kexinit(bytes: &[u8]) {
    if let Ok(theirs) = Offer::parse(bytes) {
        for role in [Role::Client, Role::Server] {
            let ours = our_kexinit(role, [0; 16], true);
            if let Ok(ours) = Offer::parse(&ours) {
                let _ = negotiate(role, &ours, &theirs);
            }
        }
    }
}
