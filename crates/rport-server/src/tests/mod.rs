//! The server as a whole: real sockets, real handshakes, real files, agents that do as they are told.

mod agent;
mod agents;
mod audit;
mod client_auth;
mod jobs;
mod listener;
mod liveness;
mod login;
mod schedules;
mod tunnels;
mod vault;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use rport_domain::{CLIENT_LIST, ClientId, ClientView, ListQuery, Permissions, PortSet};
use rport_runtime::{Clock, Tasks};
use rport_store::{Store, StoreOptions};
use rport_transport::HostKey;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::actor::Actor;
use crate::{
    About, AuditOptions, ClientAuthSource, ClientsOptions, JobsOptions, ListenerOptions, LoginOptions,
    Options, Parts, Server, TunnelsOptions, UserSource, VaultOptions,
};

/// No state takes longer to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port with a database of its own.
struct TestServer {
    server: Server,
    address: SocketAddr,
    clock: Clock,
    tasks: Tasks,
    directory: Option<TempDir>,
}

fn options() -> Options {
    Options {
        listener: ListenerOptions::default(),
        client_auth: ClientAuthSource::Single {
            id: "rport".into(),
            password: "s3cret".into(),
        }
        .into(),
        audit: AuditOptions::default(),
        clients: ClientsOptions::default(),
        tunnels: TunnelsOptions {
            ports: PortSet::range(21_000..=32_000),
            check_port_timeout: Duration::from_secs(2),
            proxy: None,
        },
        jobs: JobsOptions {
            sweep: Duration::from_millis(20),
            ..JobsOptions::default()
        },
        users: Some(
            UserSource::Single {
                name: "admin".into(),
                password: "foobaz".into(),
            }
            .into(),
        ),
        login: LoginOptions::default(),
        trusted_proxies: Vec::new(),
        vault: VaultOptions::default(),
        about: About {
            version: "1.0.0".into(),
            ..About::default()
        },
    }
}

fn start_time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0)
        .single()
        .expect("a time")
}

impl TestServer {
    async fn start() -> Self {
        Self::start_with(options()).await
    }

    async fn start_with(options: Options) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), options).await
    }

    async fn start_in(directory: TempDir, options: Options) -> Self {
        let clock = Clock::manual(start_time());
        let tasks = Tasks::new();
        let store = StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        };
        let parts = Parts {
            store: Store::open(&store).expect("the store opens"),
            host_key: HostKey::from_seed("test").expect("a key"),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let server = Server::start(options, parts).await.expect("starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        server.listen(listener);
        Self {
            server,
            address,
            clock,
            tasks,
            directory: Some(directory),
        }
    }

    /// Stops in order and returns the data directory.
    async fn stop(mut self) -> TempDir {
        self.server.stop(PATIENCE).await;
        assert_eq!(
            self.tasks.count(),
            0,
            "tasks outlive the server: {:?}",
            self.tasks.counts()
        );
        assert_eq!(
            self.server.tunnels().leased_ports(),
            0,
            "ports outlive the server"
        );
        self.directory.take().expect("stopped once")
    }

    fn client(&self, id: &str) -> Option<ClientView> {
        self.server.clients().get(&admin(), &ClientId::new(id)).ok()
    }

    fn is_connected(&self, id: &str) -> bool {
        self.client(id)
            .is_some_and(|client| client.record.disconnected_at.is_none())
    }

    fn ids(&self) -> Vec<String> {
        let query = ListQuery::parse::<&str, &str>(&[], &CLIENT_LIST).expect("valid");
        let page = self.server.clients().list(&admin(), &query).expect("lists");
        page.items
            .iter()
            .map(|client| client.record.id.to_string())
            .collect()
    }

    fn connected(&self) -> usize {
        self.server.status(&admin()).clients_connected
    }
}

fn admin() -> Actor {
    Actor::new(
        "admin".into(),
        &["Administrators".to_owned()],
        Permissions::all(),
        IpAddr::from([127, 0, 0, 1]),
    )
}

fn member_of(groups: &[&str]) -> Actor {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let address = IpAddr::from([127, 0, 0, 1]);
    Actor::new("member".into(), &groups, Permissions::all(), address)
}

/// Waits until a state has come about.
async fn eventually(what: &str, mut state: impl FnMut() -> bool) {
    let reached = async {
        while !state() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(|_| panic!("never came about: {what}"));
}

/// Waits for something that must not take long.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("took too long: {what}"))
}
