//! Whether an ID token is genuine (OpenID Connect Core, section 3.1.3.7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Alg,
};
use openidconnect::{ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError};
use rport_runtime::Clock;
use serde_json::{Map, Value};

use super::http::Problem;

/// Signatures by keys that only the provider has. Never `none`, and no shared secrets: those could be confused with
/// public keys.
const ALGORITHMS: [Alg; 8] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
];

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// Why a token is not believed.
pub(super) enum Doubt {
    /// It was signed by a key that is not among these. The provider may have new ones.
    UnknownKey,
    /// Anything else.
    Other(String),
}

impl From<Doubt> for Problem {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::UnknownKey => Self::refused("the ID token is signed by an unknown key"),
            Doubt::Other(text) => Self::refused(format!("the ID token is refused: {text}")),
        }
    }
}

/// Checks signature, issuer, audience, times and nonce. `nonce` is `None` where the flow has none.
pub(super) fn verify(
    token: &str,
    issuer: &str,
    client_id: &str,
    keys: &CoreJsonWebKeySet,
    nonce: Option<&str>,
    clock: &Clock,
) -> Result<Claims, Doubt> {
    let other = |error: &dyn std::fmt::Display| Doubt::Other(error.to_string());
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|error| other(&error))?;
    let clock = clock.clone();
    let verifier =
        CoreIdTokenVerifier::new_public_client(ClientId::new(client_id.to_owned()), issuer, keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || clock.now());
    let parsed: CoreIdToken = token.parse().map_err(|error| other(&error))?;
    let verified = match nonce {
        Some(nonce) => parsed.claims(&verifier, &Nonce::new(nonce.to_owned())).map(drop),
        None => parsed
            .claims(&verifier, |_: Option<&Nonce>| Ok::<_, String>(()))
            .map(drop),
    };
    verified.map_err(|error| match &error {
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
        ) => Doubt::UnknownKey,
        _ => other(&error),
    })?;
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|error| other(&error))?;
    serde_json::from_slice(&payload).map_err(|error| other(&error))
}
