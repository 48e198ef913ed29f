//! A server with two users and two clients, and ways to speak to it.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::DateTime;
use reqwest::{Client, Method, RequestBuilder, Response};
use rport_domain::{ClientDetails, ClientRecord, PortSet};
use rport_http::{Api, ApiOptions};
use rport_runtime::{Clock, Secret, Tasks};
use rport_server::{
    About, AuditOptions, ClientAuthSource, ClientsOptions, JobsOptions, ListenerOptions, LoginOptions,
    Options, Parts, Server, TunnelsOptions, UserSource, VaultOptions,
};
use rport_store::{Store, StoreOptions};
use rport_transport::HostKey;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing in these tests takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Administrator.
pub(crate) const ADMIN: (&str, &str) = ("admin", "password of admin");
/// Member of the group `ops`, which may access the client `open` only.
pub(crate) const OPS: (&str, &str) = ("olga", "password of olga");

/// A running server with its API.
pub(crate) struct Rig {
    pub(crate) api: SocketAddr,
    pub(crate) port: Api,
    pub(crate) agents: SocketAddr,
    pub(crate) server: Server,
    http: Client,
    tasks: Tasks,
    _dir: TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// Starts with other options. Bans and waits are off unless asked for: most tests fail logins on purpose.
    pub(crate) async fn with(change: impl FnOnce(&mut Options, &mut ApiOptions)) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let users = dir.path().join("users.json");
        std::fs::write(&users, users_json()).expect("user file");
        let mut options = Options {
            listener: ListenerOptions::default(),
            client_auth: ClientAuthSource::Single {
                id: "agent".to_owned(),
                password: Secret::new("agent password"),
            }
            .into(),
            audit: AuditOptions::default(),
            jobs: JobsOptions::default(),
            clients: ClientsOptions::default(),
            tunnels: TunnelsOptions {
                ports: PortSet::range(61_001..=65_000),
                check_port_timeout: PATIENCE,
                proxy: None,
            },
            users: Some(UserSource::File(users).into()),
            login: LoginOptions {
                user_wait: Duration::ZERO,
                ban: None,
                ..LoginOptions::default()
            },
            trusted_proxies: Vec::new(),
            vault: VaultOptions::default(),
            about: About {
                version: "1.2.3".to_owned(),
                ..About::default()
            },
        };
        let mut api_options = ApiOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut options, &mut api_options);

        let store = Store::open(&StoreOptions {
            data_dir: dir.path().to_owned(),
            wal: true,
        })
        .expect("store opens");
        for (id, groups) in [("open", vec!["ops"]), ("shut", vec![]), ("with/slash", vec![])] {
            store
                .clients()
                .save(&record(id, &groups))
                .await
                .expect("record is saved");
        }
        let tasks = Tasks::new();
        let clock = Clock::system();
        let host_key = HostKey::from_seed("rig").expect("host key");
        let parts = Parts {
            store,
            host_key,
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let server = Server::start(options, parts).await.expect("server starts");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let agents = listener.local_addr().expect("bound");
        server.listen(listener);
        let api = Api::start(api_options, server.clone(), clock, &tasks)
            .await
            .expect("API starts");
        let http = rport_testkit::tls::client_builder(&[])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        let http = http.build().expect("HTTP client");
        Self {
            api: api.local_addr(),
            port: api,
            agents,
            server,
            http,
            tasks,
            _dir: dir,
        }
    }

    /// A request without credentials. `path` is below the API's base unless it starts with `//`.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/').filter(|path| path.starts_with('/')) {
            Some(path) => format!("http://{}{path}", self.api),
            None => format!("http://{}/api/v1{path}", self.api),
        };
        self.http.request(method, url)
    }

    pub(crate) fn as_user(&self, user: (&str, &str), method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).basic_auth(user.0, Some(user.1))
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.as_user(ADMIN, Method::GET, path)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// Status and body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = sent(request).await;
    let status = response.status().as_u16();
    let text = response.text().await.expect("body");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, body)
}

/// Status, and the title of the first error.
pub(crate) async fn refusal(request: RequestBuilder) -> (u16, String) {
    let (status, body) = answer(request).await;
    (
        status,
        body["errors"][0]["title"].as_str().unwrap_or_default().to_owned(),
    )
}

pub(crate) async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("the API answers")
}

fn record(id: &str, groups: &[&str]) -> ClientRecord {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    ClientRecord {
        id: id.into(),
        client_auth_id: "agent".into(),
        disconnected_at: Some(DateTime::parse_from_rfc3339("2024-03-05T09:07:01+02:00").expect("time")),
        details: ClientDetails {
            name: format!("name of {id}"),
            hostname: format!("host-{id}"),
            os: "Linux <x86> & more".to_owned(),
            allowed_user_groups: (!groups.is_empty()).then_some(groups),
            ..ClientDetails::default()
        },
    }
}

/// The weakest hash bcrypt knows, so that tests need not wait for it.
fn hash(password: &str) -> String {
    let parts = bcrypt::hash_with_result(password, 4).expect("hashes");
    parts.format_for_version(bcrypt::Version::TwoY)
}

fn users_json() -> String {
    let user = |(name, password): (&str, &str), groups: &[&str], expired: bool| {
        serde_json::json!({
            "username": name, "password": hash(password), "groups": groups, "password_expired": expired,
            "two_fa_send_to": if name == OPS.0 { "olga@example.com" } else { "" },
        })
    };
    let users = [
        user(ADMIN, &["Administrators"], false),
        user(OPS, &["ops"], false),
        user(("expired", "password of expired"), &["ops"], true),
    ];
    serde_json::to_string(&users).expect("JSON")
}
