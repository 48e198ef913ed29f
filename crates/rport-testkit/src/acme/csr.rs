//! Requests for certificates (RFC 2986), as far as an ACME client makes them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};

/// The point of a key on P-256 has this many bytes and is the end of its encoding.
const POINT: usize = 65;

/// The key a certificate is wanted for.
pub(super) struct RequestedKey {
    point: Vec<u8>,
}

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl RequestedKey {
    /// Reads a request, which must be signed by its own key and name `host`.
    pub(super) fn read(request: &[u8], host: &str) -> Option<Self> {
        let (_, request) = value(request)?;
        let (rest, _) = value(request)?;
        let info = &request[..request.len() - rest.len()];
        let (rest, _algorithm) = value(rest)?;
        let (_, signature) = value(rest)?;

        let (_, fields) = value(info)?;
        let (fields, _version) = value(fields)?;
        let (fields, _subject) = value(fields)?;
        let (attributes, key) = value(fields)?;
        let point = key.get(key.len().checked_sub(POINT)?..)?.to_vec();

        let is_named = attributes
            .windows(host.len())
            .any(|bytes| bytes == host.as_bytes());
        // The first byte of a bit string counts unused bits.
        let is_signed = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point)
            .verify(info, signature.get(1..)?)
            .is_ok();
        (is_named && is_signed).then_some(Self { point })
    }
}

/// Splits the first DER value off: what follows, and its content.
fn value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (
            usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?),
            rest.get(2..)?,
        ),
        short => (usize::from(short), rest),
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((rest, content))
}
