//! Certificates obtained from an authority that speaks the protocol and really looks for the proofs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rport_runtime::{Clock, Tasks};
use rport_testkit::acme::{AcmeCounts, AcmeServer};
use rport_testkit::{eventually, tls};
use rport_tls::{Acme, AcmeHost, AcmeOptions, TlsMin};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const HOST: &str = "api.example.org";
const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    authority: AcmeServer,
    folder: tempfile::TempDir,
    tasks: Tasks,
}

/// A client with its ports for HTTPS and for HTTP-01.
struct Client {
    https: SocketAddr,
    http: SocketAddr,
}

impl Rig {
    async fn new() -> Self {
        let rig = Self {
            authority: AcmeServer::start().await,
            folder: tempfile::tempdir().expect("folder"),
            tasks: Tasks::new(),
        };
        std::fs::write(rig.folder.path().join("ca.pem"), rig.authority.root_pem()).expect("file");
        rig
    }

    fn acme_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("acme")
    }

    async fn client(&self, with_http: bool, tasks: &Tasks) -> Client {
        let mut options = AcmeOptions::new(self.acme_folder());
        options.directory_url = self.authority.directory_url();
        options.ca_file = Some(self.folder.path().join("ca.pem"));
        options.hosts = vec![AcmeHost {
            name: HOST.to_owned(),
            https_port: None,
        }];
        options.http = with_http;
        options.retry = (Duration::from_millis(20), Duration::from_millis(50));
        let acme = Acme::open(options, Clock::system()).expect("folder");
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("a port") };
        let (https, http) = (bind().await, bind().await);
        let client = Client {
            https: https.local_addr().expect("bound"),
            http: http.local_addr().expect("bound"),
        };
        acme.serve_http(http, tasks);
        let config = acme
            .certificates(HOST)
            .expect("known")
            .server_config(TlsMin::V1_3);
        let (acceptor, connections) = (TlsAcceptor::from(config), tasks.clone());
        tasks.spawn("https", async move {
            while let Ok((socket, _)) = https.accept().await {
                let acceptor = acceptor.clone();
                // Handshakes are all there is to see.
                connections.spawn("handshake", async move { _ = acceptor.accept(socket).await });
            }
        });
        acme.start(tasks);
        client
    }

    /// The leaf that the client serves to a visitor who trusts the authority.
    async fn served(&self, client: &Client) -> Option<CertificateDer<'static>> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.root_pem().as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(client.https).await.ok()?;
        let name = ServerName::try_from(HOST).expect("name");
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .ok()?;
        stream.get_ref().1.peer_certificates()?.first().cloned()
    }

    async fn first_certificate(&self, client: &Client) -> CertificateDer<'static> {
        eventually("a certificate", PATIENCE, || self.served(client)).await
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_is_obtained_by_http_and_used_again_after_a_restart() {
    let rig = Rig::new().await;
    let first = rig.tasks.child();
    let client = rig.client(true, &first).await;
    rig.authority.http_at(Some(client.http));
    let leaf = rig.first_certificate(&client).await;
    let counts = rig.authority.counts();
    assert_eq!((counts.issued, counts.accounts, counts.by_http), (1, 1, 1));
    let folder = rig.acme_folder();
    let modes = [&folder, &folder.join(HOST), &folder.join("acme_account+key")].map(|path| mode(path));
    assert_eq!(modes, [0o700, 0o600, 0o600]);
    first.shutdown(Duration::from_secs(5)).await;

    // The authority is gone: what is on the disk must do.
    rig.authority.http_at(None);
    let client = rig.client(true, &rig.tasks).await;
    assert_eq!(rig.served(&client).await, Some(leaf));
    assert_eq!(rig.authority.counts(), counts);
}

#[tokio::test]
async fn a_certificate_is_obtained_by_a_tls_handshake() {
    let rig = Rig::new().await;
    let client = rig.client(false, &rig.tasks).await;
    rig.authority.tls_at(Some(client.https));
    rig.first_certificate(&client).await;
    let counts = rig.authority.counts();
    assert_eq!((counts.issued, counts.by_tls, counts.by_http), (1, 1, 0));
}

#[tokio::test]
async fn the_other_proof_is_tried_when_one_fails() {
    let rig = Rig::new().await;
    let client = rig.client(true, &rig.tasks).await;
    rig.authority.tls_at(Some(client.https));
    rig.first_certificate(&client).await;
    let AcmeCounts {
        refused,
        by_tls,
        accounts,
        ..
    } = rig.authority.counts();
    assert!(refused >= 1 && by_tls == 1 && accounts == 1);
}

#[tokio::test]
async fn certificates_are_renewed_after_two_thirds_of_their_life() {
    let rig = Rig::new().await;
    rig.authority.life(Duration::from_secs(6));
    let client = rig.client(false, &rig.tasks).await;
    rig.authority.tls_at(Some(client.https));
    let old = rig.first_certificate(&client).await;
    rig.authority.life(Duration::from_secs(24 * 3600));
    let renewed = || async { rig.served(&client).await.filter(|leaf| *leaf != old) };
    eventually("a renewed certificate", PATIENCE, renewed).await;
    let counts = rig.authority.counts();
    assert_eq!((counts.issued, counts.accounts), (2, 1));
}
