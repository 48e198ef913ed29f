//! Packet protection: the three AEAD ciphers, and the clear text before the first NEWKEYS.
//!
//! A packet on the wire is `length(4) padding_length(1) payload padding tag(16)`. Under AES-GCM the length travels in
//! clear and is authenticated; under chacha20-poly1305@openssh.com it is encrypted with a key of its own.

use aws_lc_rs::aead::chacha20_poly1305_openssh as chacha;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Largest packet length accepted, as Go peers have it (wire-protocol facts, section 3.4).
pub(crate) const MAX_PACKET_LENGTH: usize = 256 * 1024;
/// Largest payload that surely fits a packet of [`MAX_PACKET_LENGTH`].
pub(crate) const MAX_PAYLOAD: usize = MAX_PACKET_LENGTH - 64;
/// Room that [`Sealer::seal`] needs in front of the payload: packet length and padding length.
pub(crate) const HEAD: usize = 5;
const TAG: usize = 16;

/// A supported cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CipherKind {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl CipherKind {
    /// In our order of preference; every Go release shares the first one.
    pub(crate) const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "aes128-gcm@openssh.com",
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
            Self::ChaCha20Poly1305 => "chacha20-poly1305@openssh.com",
        }
    }

    /// Bytes of key material.
    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
            Self::ChaCha20Poly1305 => 64,
        }
    }

    /// Bytes of initial vector.
    pub(crate) fn iv_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 0,
            _ => 12,
        }
    }

    /// Bytes after which the key should be renewed: 64 GiB for AES, 1 GiB for ChaCha20 (RFC 4344, as Go does).
    pub(crate) fn rekey_bytes(self) -> u64 {
        match self {
            Self::ChaCha20Poly1305 => 1 << 30,
            _ => 64 << 30,
        }
    }
}

/// A packet that cannot be opened: wrong tag, impossible length or padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("packet of {0} bytes is over the limit of {MAX_PACKET_LENGTH}")]
    TooLarge(usize),
    #[error("packet length {0} is impossible")]
    BadLength(usize),
    #[error("packet is not authentic")]
    NotAuthentic,
    #[error("packet padding is impossible")]
    BadPadding,
}

/// Key material is missing or refused by the cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cipher refused the key")]
pub(crate) struct BadKey;

/// The GCM nonce: four fixed bytes and a counter of eight (RFC 5647, section 7.1).
struct GcmNonce([u8; 12]);

impl GcmNonce {
    fn take(&mut self) -> Nonce {
        let now = Nonce::assume_unique_for_key(self.0);
        let (_, counter) = self.0.split_at_mut(4);
        for byte in counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        now
    }
}

enum SealState {
    Clear,
    Gcm { key: Box<LessSafeKey>, nonce: GcmNonce },
    ChaCha(Box<chacha::SealingKey>),
}

/// Protects outgoing packets.
pub(crate) struct Sealer {
    state: SealState,
    seq: u32,
}

fn gcm_key(kind: CipherKind, key: &[u8]) -> Result<Box<LessSafeKey>, BadKey> {
    let alg = if kind == CipherKind::Aes128Gcm {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    Ok(Box::new(LessSafeKey::new(
        UnboundKey::new(alg, key).map_err(|_| BadKey)?,
    )))
}

impl Sealer {
    /// The state before the first key exchange.
    pub(crate) fn clear() -> Self {
        Self {
            state: SealState::Clear,
            seq: 0,
        }
    }

    /// Takes new keys into use; the sequence number runs on unless strict key exchange resets it.
    pub(crate) fn rekey(
        &mut self,
        kind: CipherKind,
        key: &[u8],
        iv: &[u8],
        reset: bool,
    ) -> Result<(), BadKey> {
        self.state = match kind {
            CipherKind::ChaCha20Poly1305 => SealState::ChaCha(Box::new(chacha::SealingKey::new(
                key.try_into().map_err(|_| BadKey)?,
            ))),
            _ => SealState::Gcm {
                key: gcm_key(kind, key)?,
                nonce: GcmNonce(iv.try_into().map_err(|_| BadKey)?),
            },
        };
        if reset {
            self.seq = 0;
        }
        Ok(())
    }

    /// Padding length and tag length for a payload of `n` bytes.
    fn layout(&self, n: usize) -> (usize, usize) {
        // The four length bytes count for the block size only while there is no AEAD.
        let (block, counted, tag) = match self.state {
            SealState::Clear => (8, n + HEAD, 0),
            SealState::Gcm { .. } => (16, n + 1, TAG),
            SealState::ChaCha(_) => (8, n + 1, TAG),
        };
        let mut pad = block - counted % block;
        if pad < 4 {
            pad += block;
        }
        (pad, tag)
    }

    /// Bytes that a payload of `n` bytes takes on the wire.
    pub(crate) fn sealed_len(&self, n: usize) -> usize {
        let (pad, tag) = self.layout(n);
        HEAD + n + pad + tag
    }

    /// Turns `buf[start..]`, which holds [`HEAD`] spare bytes and the payload, into a packet in place.
    ///
    /// Fails only if the cipher refuses, which means the link cannot go on.
    pub(crate) fn seal(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), BadKey> {
        let n = buf.len().checked_sub(start + HEAD).ok_or(BadKey)?;
        let (pad, tag) = self.layout(n);
        let length = u32::try_from(1 + n + pad).map_err(|_| BadKey)?;
        buf.resize(buf.len() + pad + tag, 0);
        let packet = &mut buf[start..];
        packet[..4].copy_from_slice(&length.to_be_bytes());
        packet[4] = u8::try_from(pad).map_err(|_| BadKey)?;
        match &mut self.state {
            SealState::Clear => {}
            SealState::Gcm { key, nonce } => {
                let (head, rest) = packet.split_at_mut(4);
                let (body, room) = rest.split_at_mut(1 + n + pad);
                let made = key
                    .seal_in_place_separate_tag(nonce.take(), Aad::from(&*head), body)
                    .map_err(|_| BadKey)?;
                room.copy_from_slice(made.as_ref());
            }
            SealState::ChaCha(key) => {
                let (body, room) = packet.split_at_mut(HEAD + n + pad);
                let room: &mut [u8; TAG] = room.try_into().map_err(|_| BadKey)?;
                key.seal_in_place(self.seq, body, room);
            }
        }
        self.seq = self.seq.wrapping_add(1);
        Ok(())
    }
}

enum OpenState {
    Clear,
    Gcm { key: Box<LessSafeKey>, nonce: GcmNonce },
    ChaCha(Box<chacha::OpeningKey>),
}

/// Opens incoming packets.
pub(crate) struct Opener {
    state: OpenState,
    seq: u32,
}

impl Opener {
    /// The state before the first key exchange.
    pub(crate) fn clear() -> Self {
        Self {
            state: OpenState::Clear,
            seq: 0,
        }
    }

    /// Takes new keys into use; see [`Sealer::rekey`].
    pub(crate) fn rekey(
        &mut self,
        kind: CipherKind,
        key: &[u8],
        iv: &[u8],
        reset: bool,
    ) -> Result<(), BadKey> {
        self.state = match kind {
            CipherKind::ChaCha20Poly1305 => OpenState::ChaCha(Box::new(chacha::OpeningKey::new(
                key.try_into().map_err(|_| BadKey)?,
            ))),
            _ => OpenState::Gcm {
                key: gcm_key(kind, key)?,
                nonce: GcmNonce(iv.try_into().map_err(|_| BadKey)?),
            },
        };
        if reset {
            self.seq = 0;
        }
        Ok(())
    }

    /// Bytes of the whole packet that starts with `head`, the first four bytes as received.
    pub(crate) fn packet_len(&self, head: [u8; 4]) -> Result<usize, OpenError> {
        let (clear, block, counted, tag) = match &self.state {
            OpenState::Clear => (head, 8, 4, 0),
            OpenState::Gcm { .. } => (head, 16, 0, TAG),
            OpenState::ChaCha(key) => (key.decrypt_packet_length(self.seq, head), 8, 0, TAG),
        };
        let length = u32::from_be_bytes(clear) as usize;
        if length > MAX_PACKET_LENGTH {
            return Err(OpenError::TooLarge(length));
        }
        if length < 5 || !(length + counted).is_multiple_of(block) {
            return Err(OpenError::BadLength(length));
        }
        Ok(4 + length + tag)
    }

    /// Opens the whole packet in place; returns where in it the payload lies.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Result<std::ops::Range<usize>, OpenError> {
        let end = match &mut self.state {
            OpenState::Clear => packet.len(),
            OpenState::Gcm { key, nonce } => {
                let (head, body) = packet.split_at_mut(4);
                key.open_in_place(nonce.take(), Aad::from(&*head), body)
                    .map_err(|_| OpenError::NotAuthentic)?;
                packet.len() - TAG
            }
            OpenState::ChaCha(key) => {
                let at = packet
                    .len()
                    .checked_sub(TAG)
                    .ok_or(OpenError::BadLength(packet.len()))?;
                let (body, tag) = packet.split_at_mut(at);
                let tag: &[u8; TAG] = (&*tag).try_into().map_err(|_| OpenError::NotAuthentic)?;
                key.open_in_place(self.seq, body, tag)
                    .map_err(|_| OpenError::NotAuthentic)?;
                at
            }
        };
        self.seq = self.seq.wrapping_add(1);
        let pad = usize::from(*packet.get(4).ok_or(OpenError::BadPadding)?);
        let stop = end.checked_sub(pad).ok_or(OpenError::BadPadding)?;
        if pad < 4 || stop <= HEAD {
            return Err(OpenError::BadPadding);
        }
        Ok(HEAD..stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(kind: CipherKind) -> (Sealer, Opener) {
        let key = vec![7; kind.key_len()];
        let iv = vec![9; kind.iv_len()];
        let (mut s, mut o) = (Sealer::clear(), Opener::clear());
        s.rekey(kind, &key, &iv, false).expect("key");
        o.rekey(kind, &key, &iv, false).expect("key");
        (s, o)
    }

    fn sealed(s: &mut Sealer, payload: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; HEAD];
        buf.extend_from_slice(payload);
        let expected = s.sealed_len(payload.len());
        s.seal(&mut buf, 0).expect("seal");
        assert_eq!(buf.len(), expected);
        buf
    }

    #[test]
    fn packets_open_in_order_and_not_after_tampering() {
        for kind in CipherKind::ALL {
            let (mut s, mut o) = pair(kind);
            for n in [1, 11, 16, 32_768] {
                let payload = vec![n as u8; n];
                let mut wire = sealed(&mut s, &payload);
                let head = wire[..4].try_into().expect("four bytes");
                assert_eq!(o.packet_len(head), Ok(wire.len()), "{kind:?}");
                let at = o.open(&mut wire).expect("opens");
                assert_eq!(&wire[at], payload, "{kind:?}");
            }
            let mut wire = sealed(&mut s, b"payload");
            let last = wire.len() - 1;
            wire[last] ^= 1;
            assert_eq!(o.open(&mut wire), Err(OpenError::NotAuthentic), "{kind:?}");
        }
    }

    #[test]
    fn gcm_counter_carries() {
        let mut nonce = GcmNonce([1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 255, 255]);
        let _ = nonce.take();
        assert_eq!(nonce.0, [1, 2, 3, 4, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn foreign_packets_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 4..300)) {
            for kind in CipherKind::ALL {
                let (_, mut o) = pair(kind);
                let head = bytes[..4].try_into().expect("four bytes");
                let _ = o.packet_len(head);
                let _ = o.open(&mut bytes);
            }
            let mut o = Opener::clear();
            let _ = o.open(&mut bytes);
        }
    }
}
