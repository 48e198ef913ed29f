//! Certificates from an ACME authority (RFC 8555), such as Let's Encrypt.
//!
//! The files below `data_dir/acme` are those of the Go server (storage.md 12): `acme_account+key`, and one file per host
//! with the private key followed by the chain. Nothing here ever blocks a start: what is on the disk is served at once,
//! everything else is obtained in the background.

mod cache;
mod challenges;
mod http01;
mod http_client;
mod order;
mod renewal;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rport_runtime::{Clock, Tasks};
use tokio::net::TcpListener;

use self::cache::Cache;
pub(crate) use self::challenges::Challenges;
use self::http_client::AcmeHttp;
use self::renewal::Renewal;
use crate::certificates::Certificates;
use crate::client::{RootsError, client_config};

/// Directory of the authority that is asked unless told otherwise.
pub const LETS_ENCRYPT: &str = instant_acme::LetsEncrypt::Production.url();

/// A name that certificates are obtained for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeHost {
    /// The DNS name, lower case.
    pub name: String,
    /// The port of its HTTPS, where that is not 443; visitors of plain HTTP are sent there.
    pub https_port: Option<u16>,
}

/// What is needed to obtain certificates.
#[derive(Clone, Debug)]
pub struct AcmeOptions {
    /// Directory of the authority, an https URL.
    pub directory_url: String,
    /// PEM file with further certificate authorities that the directory's own certificate may come from.
    pub ca_file: Option<PathBuf>,
    /// Where account and certificates are kept.
    pub folder: PathBuf,
    /// The names. One certificate each.
    pub hosts: Vec<AcmeHost>,
    /// Whether [`Acme::serve_http`] will answer on a port that the world reaches as port 80.
    pub http: bool,
    /// Pause after the first failure; it grows with each further one, up to the second value.
    pub retry: (Duration, Duration),
}

impl AcmeOptions {
    /// Options for Let's Encrypt without names.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            directory_url: LETS_ENCRYPT.to_owned(),
            ca_file: None,
            folder,
            hosts: Vec::new(),
            http: false,
            // The authority allows five failed validations an hour.
            retry: (Duration::from_secs(60), Duration::from_secs(6 * 3600)),
        }
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The folder of the files cannot be made or read.
    #[error("cannot use {} for ACME: {source}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else than expected.
    #[error("{} cannot be used: {reason}; remove it to have a new one made", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody could be trusted.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The client for HTTP cannot be made.
    #[error("cannot speak HTTPS: {0}")]
    Client(#[from] reqwest::Error),
    /// The authority refuses or cannot be reached.
    #[error("{step}: {source}")]
    Authority {
        /// What was tried.
        step: &'static str,
        /// What it said.
        source: instant_acme::Error,
    },
    /// The authority could not convince itself that the name is ours.
    #[error("the authority could not validate the name by {kind}: {reason}")]
    Validation {
        /// How it tried.
        kind: &'static str,
        /// What it said.
        reason: String,
    },
    /// The authority offers no way to prove the name that is available here.
    #[error("the authority offers neither http-01 nor tls-alpn-01 for this name")]
    NoChallenge,
    /// What was issued is of no use.
    #[error("the issued certificate is of no use: {0}")]
    Issued(String),
    /// It took too long.
    #[error("the authority did not answer in time")]
    Timeout,
    /// The key could not be made.
    #[error("cannot make a key: {0}")]
    Key(String),
}

/// Obtains and renews certificates. Cheap to clone.
#[derive(Clone)]
pub struct Acme {
    inner: Arc<Inner>,
}

struct Inner {
    options: AcmeOptions,
    cache: Cache,
    challenges: Arc<Challenges>,
    hosts: BTreeMap<String, Arc<Certificates>>,
    http: AcmeHttp,
    clock: Clock,
}

impl Acme {
    /// Prepares the folder and loads the certificates that are there. Blocks on the disk, never on the network.
    ///
    /// # Errors
    /// See [`AcmeError`]. A certificate that cannot be used is none: it is reported in the log.
    pub fn open(options: AcmeOptions, clock: Clock) -> Result<Self, AcmeError> {
        let cache = Cache::open(&options.folder)?;
        let http = AcmeHttp::new(client_config(options.ca_file.as_deref())?)?;
        let challenges = Arc::new(Challenges::default());
        let mut hosts = BTreeMap::new();
        for host in &options.hosts {
            let certificates = Certificates::from_acme(Arc::clone(&challenges));
            match cache.certificate(&host.name) {
                Ok(Some(certified)) => certificates.set(certified),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, host = host.name, "a stored certificate is not used"),
            }
            hosts.insert(host.name.clone(), certificates);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                cache,
                challenges,
                hosts,
                http,
                clock,
            }),
        })
    }

    /// The certificates of a name of the options.
    pub fn certificates(&self, host: &str) -> Option<Arc<Certificates>> {
        self.inner.hosts.get(host).cloned()
    }

    /// Starts obtaining and renewing, in the background.
    pub fn start(&self, tasks: &Tasks) {
        let renewal = Renewal::new(Arc::clone(&self.inner), tasks.clone());
        tasks.spawn("acme", renewal.run());
    }

    /// Answers validations on a port that the world reaches as port 80; every other visitor is sent to https.
    pub fn serve_http(&self, listener: TcpListener, tasks: &Tasks) {
        let acceptor = http01::Acceptor::new(listener, Arc::clone(&self.inner), tasks.clone());
        tasks.spawn("acme-http", acceptor.run());
    }
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
