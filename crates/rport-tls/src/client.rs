//! TLS towards others: authorities of certificates and providers of identities.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Why nobody could be trusted.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file with further authorities cannot be read.
    #[error("cannot read the certificate authorities in {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no authorities at all.
    #[error("the system has no certificate authorities; install its package of CA certificates")]
    None,
    /// The provider refuses.
    #[error(transparent)]
    Provider(#[from] rustls::Error),
}

/// The settings of an outgoing TLS connection that trusts the system's authorities and those in the PEM file `ca`.
///
/// Blocks on the disk.
///
/// # Errors
/// See [`RootsError`].
pub fn client_config(ca: Option<&Path>) -> Result<ClientConfig, RootsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (mut known, _unusable) = roots.add_parsable_certificates(found.certs);
    if let Some(path) = ca {
        let failed = |reason: String| RootsError::File {
            path: path.to_owned(),
            reason,
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| failed(error.to_string()))?;
        if certificates.is_empty() {
            return Err(failed("it holds no certificate".to_owned()));
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| failed(error.to_string()))?;
            known += 1;
        }
    }
    if known == 0 {
        return Err(RootsError::None);
    }
    Ok(ClientConfig::builder_with_provider(crate::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::new(roots))
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ca.pem");
        for content in [
            None,
            Some("nothing"),
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ] {
            if let Some(content) = content {
                std::fs::write(&path, content).expect("file");
            }
            let error = client_config(Some(&path)).expect_err("no authority").to_string();
            assert!(error.contains("ca.pem"), "{error}");
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        std::fs::write(&path, made.cert.pem()).expect("file");
        client_config(Some(&path)).expect("one authority");
    }
}
