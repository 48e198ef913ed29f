//! Account and certificates on the disk, as the Go server's library keeps them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rport_runtime::fsutil;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};

use super::AcmeError;

/// The account's key, and the name older versions gave it.
const ACCOUNT: [&str; 2] = ["acme_account+key", "acme_account.key"];
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The folder. Every method blocks on the disk.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder where it is missing, readable by the server's user alone.
    pub(super) fn open(folder: &Path) -> Result<Self, AcmeError> {
        let failed = |source| AcmeError::Folder {
            path: folder.to_owned(),
            source,
        };
        fsutil::create_dir(folder, FOLDER_MODE).map_err(failed)?;
        fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The account's key; `None` when there is none yet.
    pub(super) fn account_key(&self) -> Result<Option<PrivatePkcs8KeyDer<'static>>, AcmeError> {
        for name in ACCOUNT {
            let path = self.folder.join(name);
            if let Some(pem) = read(&path)? {
                return pkcs8(&pem)
                    .map(Some)
                    .map_err(|reason| AcmeError::File { path, reason });
            }
        }
        Ok(None)
    }

    /// Keeps a new account's key.
    pub(super) fn save_account_key(&self, key: &PrivatePkcs8KeyDer<'_>) -> Result<(), AcmeError> {
        self.write(ACCOUNT[0], pem("PRIVATE KEY", key.secret_pkcs8_der()).as_bytes())
    }

    /// The certificate of a name; `None` when there is none yet.
    pub(super) fn certificate(&self, host: &str) -> Result<Option<Arc<CertifiedKey>>, AcmeError> {
        let path = self.folder.join(host);
        let Some(pem) = read(&path)? else {
            return Ok(None);
        };
        certified(&pem, host)
            .map(Some)
            .map_err(|reason| AcmeError::File { path, reason })
    }

    /// Keeps a certificate: the key first, then the chain.
    pub(super) fn save_certificate(&self, host: &str, key_and_chain: &str) -> Result<(), AcmeError> {
        self.write(host, key_and_chain.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AcmeError> {
        let path = self.folder.join(name);
        fsutil::atomic_write(&path, bytes, FILE_MODE).map_err(|source| AcmeError::Folder { path, source })
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AcmeError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AcmeError::Folder {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Makes a usable certificate of a key followed by a chain. The text says why it cannot be used.
pub(super) fn certified(key_and_chain: &[u8], host: &str) -> Result<Arc<CertifiedKey>, String> {
    let key =
        PrivateKeyDer::from_pem_slice(key_and_chain).map_err(|error| format!("no private key: {error}"))?;
    let chain = CertificateDer::pem_slice_iter(key_and_chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let leaf = chain.first().ok_or("it holds no certificate")?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    ParsedCertificate::try_from(leaf)
        .and_then(|leaf| verify_server_name(&leaf, &name))
        .map_err(|error| error.to_string())?;
    CertifiedKey::from_der(chain, key, &crate::provider())
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// The Go library writes SEC 1 keys, which our client for the protocol does not take.
fn pkcs8(pem: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
    if let PrivateKeyDer::Pkcs8(key) = key {
        return Ok(key);
    }
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der());
    let pair = pair.map_err(|_| "it is no key of the curve P-256".to_owned())?;
    let document = pair
        .to_pkcs8v1()
        .map_err(|_| "it cannot be converted".to_owned())?;
    Ok(PrivatePkcs8KeyDer::from(document.as_ref().to_vec()))
}

/// PEM with lines of 64 characters (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_comes_back_and_must_fit_its_name() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("acme");
        let cache = Cache::open(&path).expect("folder");
        let made =
            rcgen::generate_simple_self_signed(vec!["api.example.org".to_owned()]).expect("certificate");
        let text = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        assert!(cache.certificate("api.example.org").expect("readable").is_none());
        cache.save_certificate("api.example.org", &text).expect("written");
        cache
            .save_certificate("other.example.org", &text)
            .expect("written");
        assert!(cache.certificate("api.example.org").expect("usable").is_some());
        let error = cache
            .certificate("other.example.org")
            .expect_err("another name")
            .to_string();
        assert!(
            error.contains("other.example.org") && error.contains("remove it"),
            "{error}"
        );
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("api.example.org"))), (0o700, 0o600));
    }

    #[test]
    fn the_account_key_of_the_go_server_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let cache = Cache::open(folder.path()).expect("folder");
        assert!(cache.account_key().expect("readable").is_none());
        // Made with `openssl ecparam -name prime256v1 -genkey -noout`, the form that Go writes.
        let sec1 = "-----BEGIN EC PRIVATE KEY-----\n\
                    MHcCAQEEIBTL6YoTsJ7EY2hFG8GzrxqCv2M8CbAxJEsyyvPEKWASoAoGCCqGSM49\n\
                    AwEHoUQDQgAE\n-----END EC PRIVATE KEY-----\n";
        fs::write(folder.path().join("acme_account.key"), sec1).expect("file");
        let error = cache.account_key().expect_err("cut short").to_string();
        assert!(error.contains("acme_account.key"), "{error}");

        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
        let sec1 = {
            use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
            let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().expect("DER");
            pem("EC PRIVATE KEY", der.as_ref())
        };
        fs::write(folder.path().join("acme_account.key"), sec1).expect("file");
        let old = cache.account_key().expect("readable").expect("there");
        instant_acme::Key::from_pkcs8_der(old.clone_key()).expect("usable");
        cache.save_account_key(&old).expect("written");
        fs::remove_file(folder.path().join("acme_account.key")).expect("removed");
        let new = cache.account_key().expect("readable").expect("there");
        assert_eq!(old.secret_pkcs8_der(), new.secret_pkcs8_der());
    }
}
