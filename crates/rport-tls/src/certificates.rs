//! What a TLS port asks for its certificate.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_runtime::Tasks;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;

use crate::acme::Challenges;
use crate::error::TlsError;
use crate::files::{Content, Files};
use crate::{ACME_ALPN, TlsMin, der};

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(5);

/// The certificate of one or several ports. Its content can change at any time; each handshake takes what is there.
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
    source: Source,
}

enum Source {
    Files(Box<Watched>),
    Acme(Arc<Challenges>),
}

struct Watched {
    files: Files,
    seen: Mutex<Seen>,
}

/// What the last look at the files found.
struct Seen {
    /// Content that was put to use, or that was refused and reported.
    settled: Content,
    /// Bad content that was found once. Certificate and key are seldom replaced at the same instant, so it is refused
    /// only when it is still there at the next look.
    doubtful: Option<Content>,
    /// Whether it was said that the files cannot be read.
    unreadable: bool,
}

impl Certificates {
    /// Reads a certificate chain and its private key from PEM files. Blocks on the disk.
    ///
    /// # Errors
    /// See [`TlsError`]; each text names the file to look at.
    pub fn from_files(cert: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let files = Files {
            cert: cert.to_owned(),
            key: key.to_owned(),
        };
        let settled = files.read()?;
        let certified = files.parse(&settled)?;
        let seen = Seen {
            settled,
            doubtful: None,
            unreadable: false,
        };
        Ok(Arc::new(Self {
            current: ArcSwapOption::new(Some(certified)),
            source: Source::Files(Box::new(Watched {
                files,
                seen: Mutex::new(seen),
            })),
        }))
    }

    /// Certificates that an ACME authority issues; none until the first has been loaded or obtained.
    pub(crate) fn from_acme(challenges: Arc<Challenges>) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwapOption::empty(),
            source: Source::Acme(challenges),
        })
    }

    pub(crate) fn set(&self, certified: Arc<CertifiedKey>) {
        self.current.store(Some(certified));
    }

    /// Looks at the files every few seconds and takes a new pair into use. A bad one is reported once and leaves the
    /// old pair in place. Certificates of an ACME authority need no watching.
    pub fn watch(self: &Arc<Self>, tasks: &Tasks) {
        self.watch_every(POLL, tasks);
    }

    fn watch_every(self: &Arc<Self>, pause: Duration, tasks: &Tasks) {
        if matches!(self.source, Source::Acme(_)) {
            return;
        }
        let (certificates, stop, blocking) = (Arc::clone(self), tasks.soft(), tasks.clone());
        tasks.spawn("certificate-files", async move {
            while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
                let certificates = Arc::clone(&certificates);
                // A panic inside has been logged; the old certificate stays.
                let _ = blocking
                    .spawn_blocking("read-certificate", move || certificates.look(false))
                    .await;
            }
        });
    }

    /// Reads the files again now, for an operator who asks for it. Blocks on the disk. A bad pair is reported in the
    /// log and leaves the old one in place.
    pub fn reload(&self) {
        self.look(true);
    }

    fn look(&self, at_once: bool) {
        let Source::Files(watched) = &self.source else {
            return;
        };
        let mut seen = watched.seen.lock();
        let content = match watched.files.read() {
            Ok(content) => content,
            Err(error) => {
                if !std::mem::replace(&mut seen.unreadable, true) || at_once {
                    tracing::error!(%error, "the certificate cannot be read again, the old one stays in use");
                }
                return;
            }
        };
        seen.unreadable = false;
        if content == seen.settled && !at_once {
            seen.doubtful = None;
            return;
        }
        match watched.files.parse(&content) {
            Ok(certified) => {
                let is_new = content != seen.settled;
                self.current.store(Some(certified));
                seen.settled = content;
                seen.doubtful = None;
                if is_new {
                    let until = self.not_after().map(|until| until.to_rfc3339());
                    tracing::info!(cert = %watched.files.cert.display(), until, "a new certificate is in use");
                }
            }
            Err(_) if !at_once && seen.doubtful.as_ref() != Some(&content) => seen.doubtful = Some(content),
            Err(error) => {
                tracing::error!(%error, "the new certificate is refused, the old one stays in use");
                seen.settled = content;
                seen.doubtful = None;
            }
        }
    }

    /// Until when the present certificate is valid; `None` without one.
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        der::validity(&self.leaf()?).map(|(_, until)| until)
    }

    /// The present certificate without its chain.
    pub(crate) fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.current.load().as_ref()?.cert.first().cloned()
    }

    /// The settings of a TLS port that serves these certificates and offers HTTP/2 and HTTP/1.1.
    pub fn server_config(self: &Arc<Self>, min: TlsMin) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(crate::provider())
            .with_protocol_versions(min.versions())
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if matches!(self.source, Source::Acme(_)) {
            config.alpn_protocols.push(ACME_ALPN.to_vec());
        }
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Source::Acme(challenges) = &self.source {
            // A validation offers this protocol alone (RFC 8737, section 3).
            let offered: Vec<&[u8]> = hello.alpn().map(Iterator::collect).unwrap_or_default();
            if offered == [ACME_ALPN] {
                return challenges.certificate(hello.server_name()?);
            }
        }
        self.current.load_full()
    }
}

/// Keys stay out of logs.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Files(watched) => watched.files.cert.display().to_string(),
            Source::Acme(_) => "ACME".to_owned(),
        };
        f.debug_struct("Certificates")
            .field("source", &source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Pair {
        _folder: tempfile::TempDir,
        cert: PathBuf,
        key: PathBuf,
    }

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    impl Pair {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("folder");
            let pair = Self {
                cert: folder.path().join("cert.pem"),
                key: folder.path().join("key.pem"),
                _folder: folder,
            };
            let (cert, key) = made();
            pair.write(&cert, &key);
            pair
        }

        fn write(&self, cert: &str, key: &str) {
            std::fs::write(&self.cert, cert).expect("file");
            std::fs::write(&self.key, key).expect("file");
        }

        fn load(&self) -> Arc<Certificates> {
            Certificates::from_files(&self.cert, &self.key).expect("usable")
        }
    }

    fn leaf(certificates: &Certificates) -> Vec<u8> {
        let current = certificates.current.load_full().expect("there is one");
        current.cert[0].to_vec()
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        let pair = Pair::new();
        let (cert, key) = made();
        let check = |cert: &str, key: &str, expected: &str| {
            pair.write(cert, key);
            let error = Certificates::from_files(&pair.cert, &pair.key).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&key, &key, "cert.pem holds no certificate");
        check("", &key, "cert.pem holds no certificate");
        check(&cert, &cert, "key.pem holds no private key");
        check(&cert, &made().1, "key.pem does not belong to the certificate");
        check(
            "-----BEGIN CERTIFICATE-----\nä\n-----END CERTIFICATE-----\n",
            &key,
            "cert.pem as PEM",
        );
        std::fs::remove_file(&pair.key).expect("removed");
        let error = Certificates::from_files(&pair.cert, &pair.key).expect_err("missing");
        assert!(error.to_string().contains("cannot read") && error.to_string().contains("key.pem"));
    }

    #[test]
    fn a_pair_that_is_replaced_in_two_steps_is_taken_when_it_is_whole() {
        let pair = Pair::new();
        let certificates = pair.load();
        let old = leaf(&certificates);
        let (cert, key) = made();
        std::fs::write(&pair.cert, &cert).expect("file");
        certificates.look(false);
        assert_eq!(leaf(&certificates), old, "half of a pair is not used");
        assert!(certificates.not_after().is_some());
        std::fs::write(&pair.key, &key).expect("file");
        certificates.look(false);
        assert_ne!(leaf(&certificates), old);
    }

    #[test]
    fn a_bad_pair_is_refused_once_and_a_later_good_one_taken() {
        let pair = Pair::new();
        let certificates = pair.load();
        let old = leaf(&certificates);
        pair.write("rubbish", "rubbish");
        for settled in [false, true, true] {
            certificates.look(false);
            let Source::Files(watched) = &certificates.source else {
                unreachable!("made from files")
            };
            let seen = watched.seen.lock();
            // Settled content is what was reported: another look stays silent.
            assert_eq!(seen.doubtful.is_none(), settled);
        }
        std::fs::remove_file(&pair.cert).expect("removed");
        certificates.look(false);
        assert_eq!(leaf(&certificates), old);
        let (cert, key) = made();
        pair.write(&cert, &key);
        certificates.reload();
        assert_ne!(leaf(&certificates), old);
    }

    #[tokio::test]
    async fn files_are_watched() {
        let pair = Pair::new();
        let certificates = pair.load();
        let (tasks, old) = (Tasks::new(), leaf(&certificates));
        certificates.watch_every(Duration::from_millis(10), &tasks);
        let (cert, key) = made();
        pair.write(&cert, &key);
        let changed = async {
            while leaf(&certificates) == old {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), changed)
            .await
            .expect("the new pair is taken");
        tasks.shutdown(Duration::from_secs(5)).await;
    }
}
