//! The server's ECDSA P-256 host key, made from `key_seed`, and its fingerprints.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::{Digest as _, Md5};
use p256::elliptic_curve::bigint::{Encoding as _, U256, U512};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use zeroize::Zeroizing;

use crate::ssh::wire::{Reader, put_mpint, put_string};

/// The one host key algorithm that RPort servers have.
pub(crate) const ALGORITHM: &str = "ecdsa-sha2-nistp256";
/// Order of P-256 minus one; the seeded scalar is reduced by it.
const ORDER_MINUS_ONE: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
/// Rounds of SHA-512 over the seed (openrport `share/determ_rand.go`).
const ROUNDS: usize = 2048;

/// A host key that could not be made. Cannot happen with a working crypto library.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the SSH host key: {0}")]
pub struct HostKeyError(&'static str);

/// The server's host key.
pub struct HostKey {
    pair: EcdsaKeyPair,
    blob: Vec<u8>,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKey")
            .field("fingerprint", &self.fingerprint().to_string())
            .finish_non_exhaustive()
    }
}

impl HostKey {
    /// Makes the key of a `key_seed`; an empty seed gives a random key.
    ///
    /// The procedure equals Go 1.19's key generation over RPort's seeded stream, so the key (and with it every pinned
    /// fingerprint) is the one a Go server has for the same seed. Source: wire-protocol facts, section 4.1.
    pub fn from_seed(seed: &str) -> Result<Self, HostKeyError> {
        let material = if seed.is_empty() {
            let mut random = Zeroizing::new([0; 40]);
            aws_lc_rs::rand::fill(random.as_mut()).map_err(|_| HostKeyError("no random numbers"))?;
            random
        } else {
            seeded_material(seed.as_bytes())
        };
        let scalar = scalar_of(&material);
        Self::from_scalar(&scalar)
    }

    fn from_scalar(scalar: &[u8; 32]) -> Result<Self, HostKeyError> {
        let secret = p256::SecretKey::from_slice(scalar).map_err(|_| HostKeyError("scalar out of range"))?;
        let point = secret.public_key().to_encoded_point(false);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar,
            point.as_bytes(),
        )
        .map_err(|_| HostKeyError("key pair refused"))?;
        Ok(Self {
            pair,
            blob: blob_of(point.as_bytes()),
        })
    }

    /// The public key as SSH sends it (RFC 5656, section 3.1).
    pub(crate) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Signs an exchange hash; returns the SSH signature blob.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HostKeyError> {
        let fixed = self
            .pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| HostKeyError("signing failed"))?;
        let (r, s) = fixed
            .as_ref()
            .split_at_checked(32)
            .ok_or(HostKeyError("odd signature"))?;
        let mut numbers = Vec::with_capacity(74);
        put_mpint(&mut numbers, r);
        put_mpint(&mut numbers, s);
        let mut out = Vec::with_capacity(104);
        put_string(&mut out, ALGORITHM.as_bytes());
        put_string(&mut out, &numbers);
        Ok(out)
    }

    /// The fingerprints that operators compare and agents pin.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_blob(&self.blob)
    }
}

/// The forty bytes that the seeded stream yields.
fn seeded_material(seed: &[u8]) -> Zeroizing<[u8; 40]> {
    let mut state = Zeroizing::new(seed.to_vec());
    for _ in 0..ROUNDS {
        let hash = digest::digest(&digest::SHA512, &state);
        *state = hash.as_ref()[..32].to_vec();
    }
    let mut out = Zeroizing::new([0; 40]);
    let first = digest::digest(&digest::SHA512, &state);
    out[..32].copy_from_slice(&first.as_ref()[32..]);
    let second = digest::digest(&digest::SHA512, &first.as_ref()[..32]);
    out[32..].copy_from_slice(&second.as_ref()[32..40]);
    out
}

/// `(material mod (n - 1)) + 1`, big-endian.
fn scalar_of(material: &[u8; 40]) -> Zeroizing<[u8; 32]> {
    let mut wide = Zeroizing::new([0; 64]);
    wide[24..].copy_from_slice(material);
    let modulus = U512::from_be_hex(&format!("{:0>128}", ORDER_MINUS_ONE));
    let modulus = p256::elliptic_curve::bigint::NonZero::new(modulus);
    let modulus = Option::<p256::elliptic_curve::bigint::NonZero<U512>>::from(modulus);
    let reduced = match modulus {
        Some(m) => U512::from_be_slice(wide.as_ref()).rem(&m),
        None => U512::ZERO,
    };
    let low = U256::from_be_slice(&reduced.to_be_bytes()[32..]);
    Zeroizing::new(low.wrapping_add(&U256::ONE).to_be_bytes())
}

/// The SSH public key blob of an uncompressed P-256 point.
fn blob_of(point: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(104);
    put_string(&mut out, ALGORITHM.as_bytes());
    put_string(&mut out, b"nistp256");
    put_string(&mut out, point);
    out
}

/// The uncompressed point inside a P-256 public key blob, or `None` for any other key.
pub(crate) fn point_of_blob(blob: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(blob, "host key");
    let known = r.string().ok()? == ALGORITHM.as_bytes() && r.string().ok()? == b"nistp256";
    let point = r.string().ok()?;
    (known && point.len() == 65 && r.rest().is_empty()).then_some(point)
}

/// Fingerprints of a host key.
///
/// `Display` gives the MD5 form, the one that the Go programs print, store and pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    md5: String,
    sha256: String,
}

impl Fingerprint {
    pub(crate) fn of_blob(blob: &[u8]) -> Self {
        let md5: Vec<String> = Md5::digest(blob).iter().map(|b| format!("{b:02x}")).collect();
        let sha256 = digest::digest(&digest::SHA256, blob);
        Self {
            md5: md5.join(":"),
            sha256: format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256)),
        }
    }

    /// Sixteen lower-case hex pairs joined with `:`.
    pub fn md5(&self) -> &str {
        &self.md5
    }

    /// `SHA256:` and unpadded base64, as OpenSSH prints it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.md5)
    }
}

/// A pinned fingerprint: the beginning of an MD5 fingerprint (as Go agents allow), or a whole SHA256 one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerprintPin(String);

/// A pin that no key can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fingerprint: expected hex pairs joined with ':' (the whole MD5 fingerprint or its beginning), \
     or 'SHA256:' followed by 43 base64 characters"
)]
pub struct BadPin;

impl FromStr for FingerprintPin {
    type Err = BadPin;

    /// Accepts `aa:bb:…` (upper case too, whole or a beginning) and `SHA256:…`.
    fn from_str(s: &str) -> Result<Self, BadPin> {
        let s = s.trim();
        if let Some(b64) = s.strip_prefix("SHA256:") {
            let b64 = b64.trim_end_matches('=');
            let whole = STANDARD_NO_PAD.decode(b64).is_ok_and(|bytes| bytes.len() == 32);
            return if whole {
                Ok(Self(format!("SHA256:{b64}")))
            } else {
                Err(BadPin)
            };
        }
        let fits = !s.is_empty() && s.len() <= 47 && s.bytes().all(|b| b == b':' || b.is_ascii_hexdigit());
        if fits {
            Ok(Self(s.to_ascii_lowercase()))
        } else {
            Err(BadPin)
        }
    }
}

impl FingerprintPin {
    /// Whether the key with this fingerprint is the pinned one.
    pub fn matches(&self, fingerprint: &Fingerprint) -> bool {
        if self.0.starts_with("SHA256:") {
            self.0 == fingerprint.sha256
        } else {
            fingerprint.md5.starts_with(&self.0)
        }
    }
}

#[cfg(test)]
mod tests;
