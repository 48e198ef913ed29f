//! What the authority will look for, while an order is under way.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use super::AcmeError;

/// Longest token that is looked up; the authority's have 43 characters.
const TOKEN_LIMIT: usize = 256;

/// The open challenges.
#[derive(Default)]
pub(crate) struct Challenges {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// Token to what stands under its path (RFC 8555, section 8.3).
    http: HashMap<String, String>,
    /// Name to the certificate with the proof (RFC 8737, section 3).
    tls: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// What stands under `/.well-known/acme-challenge/TOKEN`.
    pub(super) fn text(&self, token: &str) -> Option<String> {
        if token.len() > TOKEN_LIMIT {
            return None;
        }
        self.open.lock().http.get(token).cloned()
    }

    /// The certificate that proves a name.
    pub(crate) fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.open.lock().tls.get(host).cloned()
    }

    /// Answers HTTP-01 until the result is dropped.
    pub(super) fn open_http(self: &Arc<Self>, token: &str, text: &str) -> OpenChallenge {
        self.open.lock().http.insert(token.to_owned(), text.to_owned());
        OpenChallenge {
            challenges: Arc::clone(self),
            key: Key::Http(token.to_owned()),
        }
    }

    /// Answers TLS-ALPN-01 until the result is dropped. `digest` is the SHA-256 of the key authorization.
    pub(super) fn open_tls(self: &Arc<Self>, host: &str, digest: &[u8]) -> Result<OpenChallenge, AcmeError> {
        let failed = |error: &dyn fmt::Display| AcmeError::Key(error.to_string());
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(|error| failed(&error))?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| failed(&error))?;
        // Not the usual way to make one: that refuses the extension, which has to be marked critical.
        let private = crate::provider()
            .key_provider
            .load_private_key(private)
            .map_err(|error| failed(&error))?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], private);
        self.open.lock().tls.insert(host.to_owned(), Arc::new(certified));
        Ok(OpenChallenge {
            challenges: Arc::clone(self),
            key: Key::Tls(host.to_owned()),
        })
    }
}

/// A challenge that is being answered.
#[must_use]
pub(super) struct OpenChallenge {
    challenges: Arc<Challenges>,
    key: Key,
}

enum Key {
    Http(String),
    Tls(String),
}

impl Drop for OpenChallenge {
    fn drop(&mut self) {
        let mut open = self.challenges.open.lock();
        match &self.key {
            Key::Http(token) => drop(open.http.remove(token)),
            Key::Tls(host) => drop(open.tls.remove(host)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_with_the_order() {
        let challenges = Arc::new(Challenges::default());
        let http = challenges.open_http("token", "text");
        let tls = challenges.open_tls("example.org", &[7; 32]).expect("certificate");
        assert_eq!(challenges.text("token").as_deref(), Some("text"));
        assert!(challenges.text("other").is_none() && challenges.certificate("other").is_none());
        assert!(challenges.certificate("example.org").is_some());
        drop((http, tls));
        assert!(challenges.text("token").is_none() && challenges.certificate("example.org").is_none());
    }
}
