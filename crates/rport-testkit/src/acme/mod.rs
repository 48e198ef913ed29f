//! An ACME authority (RFC 8555) for tests, on loopback.
//!
//! It speaks the protocol as an authority in the world does: directory over TLS, nonces that are used once, signed
//! requests, accounts, orders, authorizations. A name is valid only after the proof was really fetched over HTTP, or
//! seen in a real TLS handshake; instead of looking names up it asks the addresses it was told.

mod csr;
mod jws;
mod proof;
mod routes;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rport_runtime::{Clock, Tasks, rng};

use crate::tls;

/// A running authority; it ends when this value is dropped.
pub struct AcmeServer {
    address: SocketAddr,
    state: Arc<State>,
    tasks: Tasks,
}

struct State {
    base: String,
    ca: CertifiedIssuer<'static, KeyPair>,
    clock: Clock,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    http_at: Option<SocketAddr>,
    tls_at: Option<SocketAddr>,
    life: Duration,
    nonces: HashSet<String>,
    accounts: Vec<Account>,
    orders: Vec<Order>,
    counts: AcmeCounts,
}

struct Account {
    jwk: jws::Jwk,
}

struct Order {
    account: usize,
    names: Vec<String>,
    authorizations: Vec<Authorization>,
    chain: Option<String>,
}

struct Authorization {
    name: String,
    token: String,
    status: &'static str,
    /// What was wrong, by kind of challenge.
    errors: HashMap<String, String>,
}

/// What an authority has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcmeCounts {
    /// Accounts it knows.
    pub accounts: usize,
    /// Certificates it issued.
    pub issued: usize,
    /// Names it could validate by HTTP-01.
    pub by_http: usize,
    /// Names it could validate by TLS-ALPN-01.
    pub by_tls: usize,
    /// Validations that failed.
    pub refused: usize,
}

impl AcmeServer {
    /// Starts an authority that issues for ninety days and can reach nobody yet.
    ///
    /// # Panics
    /// When no port or no certificate can be had.
    pub async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("certificate");
        let key = KeyPair::generate().expect("key");
        let own = CertificateParams::new(vec!["localhost".to_owned()]).expect("name");
        let own = own.signed_by(&key, &ca).expect("certificate");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            base: format!("https://localhost:{}", address.port()),
            ca,
            clock: Clock::system(),
            live: Mutex::new(Live {
                life: Duration::from_secs(90 * 24 * 3600),
                ..Live::default()
            }),
        });
        let tasks = Tasks::new();
        let config = tls::server_config(own.der().clone(), &key);
        let router = routes::router(Arc::clone(&state));
        tls::serve(listener, config, router, &tasks);
        Self {
            address,
            state,
            tasks,
        }
    }

    /// The directory.
    pub fn directory_url(&self) -> String {
        format!("{}/directory", self.state.base)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate everything it issues comes from, its own included, as PEM.
    pub fn root_pem(&self) -> String {
        self.state.ca.pem()
    }

    /// What to ask in place of port 80 of every name; nobody answers there by default.
    pub fn http_at(&self, address: Option<SocketAddr>) {
        self.state.live.lock().http_at = address;
    }

    /// What to ask in place of port 443 of every name; nobody answers there by default.
    pub fn tls_at(&self, address: Option<SocketAddr>) {
        self.state.live.lock().tls_at = address;
    }

    /// How long certificates issued from now on are valid.
    pub fn life(&self, life: Duration) {
        self.state.live.lock().life = life;
    }

    /// What it has done so far.
    pub fn counts(&self) -> AcmeCounts {
        self.state.live.lock().counts
    }
}

impl Drop for AcmeServer {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl State {
    fn nonce(&self) -> String {
        let nonce = rng::alphanumeric(22);
        self.live.lock().nonces.insert(nonce.clone());
        nonce
    }
}
