//! Signed requests (RFC 8555, section 6.2): ES256 alone, which is what every client in use speaks.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// A public key as the request carries it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Jwk {
    crv: String,
    kty: String,
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct Envelope {
    protected: String,
    payload: String,
    signature: String,
}

/// The protected header.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) nonce: String,
    pub(super) url: String,
    pub(super) jwk: Option<Jwk>,
    pub(super) kid: Option<String>,
}

/// A request whose signature has not been checked.
pub(super) struct Signed {
    pub(super) header: Header,
    /// `Null` for a request that only reads.
    pub(super) payload: Value,
    text: String,
    signature: Vec<u8>,
}

impl Signed {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let payload = decode(&envelope.payload)?;
        Some(Self {
            header: serde_json::from_slice(&decode(&envelope.protected)?).ok()?,
            payload: match payload.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&payload).ok()?,
            },
            text: format!("{}.{}", envelope.protected, envelope.payload),
            signature: decode(&envelope.signature)?,
        })
    }

    pub(super) fn is_signed_by(&self, key: &Jwk) -> bool {
        let Some(point) = key.point().filter(|_| self.header.alg == "ES256") else {
            return false;
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(self.text.as_bytes(), &self.signature)
            .is_ok()
    }
}

impl Jwk {
    fn point(&self) -> Option<Vec<u8>> {
        if self.crv != "P-256" || self.kty != "EC" {
            return None;
        }
        Some([vec![4], decode(&self.x)?, decode(&self.y)?].concat())
    }

    /// RFC 7638.
    fn thumbprint(&self) -> String {
        let Self { crv, kty, x, y } = self;
        let text = format!("{{\"crv\":\"{crv}\",\"kty\":\"{kty}\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    /// What a client has to show for a token (RFC 8555, section 8.1).
    pub(super) fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint())
    }
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
