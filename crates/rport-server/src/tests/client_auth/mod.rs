//! Credentials of agents: what administrators do with them, and what agents notice of it.

mod manage;
mod revoke;
mod sources;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rport_domain::{CLIENT_AUTH_LIST, ClientAuthView, Error};
use rport_runtime::Secret;
use rusqlite::Connection as Sqlite;

use super::agent::{Agent, hello, log_in};
use super::*;
use crate::client_auth::Verdict;
use crate::{
    ClientAuthChange, ClientAuthOptions, ClientAuthOutcome, ClientIdBinding, DatabaseOptions, NewClientAuth,
    NewPassword, PasswordHashing,
};

const DOCUMENTED: &str =
    r#"{"clientAuth1": "1234", "admin": "123456", "client1": "yienei5Ch", "client2": "ieRi1Noo2"}"#;

/// A server with the documented credentials in a file of its data directory.
struct Fixture {
    server: TestServer,
    file: PathBuf,
}

async fn start() -> Fixture {
    start_with(|_| {}).await
}

async fn start_with(adjust: impl FnOnce(&mut ClientAuthOptions)) -> Fixture {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("client-auth.json");
    std::fs::write(&file, DOCUMENTED).expect("writes");
    start_in(directory, ClientAuthSource::File(file), adjust).await
}

async fn start_in(
    directory: TempDir,
    source: ClientAuthSource,
    adjust: impl FnOnce(&mut ClientAuthOptions),
) -> Fixture {
    let file = directory.path().join("client-auth.json");
    let mut options = options();
    options.listener.login_wait = Duration::ZERO;
    options.listener.ban = None;
    options.client_auth = source.into();
    adjust(&mut options.client_auth);
    Fixture {
        server: TestServer::start_in(directory, options).await,
        file,
    }
}

fn new(id: &str, password: &str) -> NewClientAuth {
    NewClientAuth {
        id: id.into(),
        password: NewPassword::Given(Secret::from(password)),
        comment: String::new(),
        expires_at: None,
    }
}

fn rotate_to(password: &str) -> ClientAuthChange {
    ClientAuthChange {
        password: Some(NewPassword::Given(Secret::from(password))),
        ..ClientAuthChange::default()
    }
}

impl Fixture {
    async fn add(&self, new: NewClientAuth) -> Result<ClientAuthOutcome, Error> {
        self.server.server.client_auth().add(&admin(), new).await
    }

    async fn update(&self, id: &str, change: ClientAuthChange) -> Result<ClientAuthOutcome, Error> {
        self.server
            .server
            .client_auth()
            .update(&admin(), &id.into(), change)
            .await
    }

    async fn delete(&self, id: &str, force: bool) -> Result<(), Error> {
        self.server
            .server
            .client_auth()
            .delete(&admin(), &id.into(), force)
            .await
    }

    async fn get(&self, id: &str) -> Result<ClientAuthView, Error> {
        self.server.server.client_auth().get(&admin(), &id.into()).await
    }

    async fn list(&self, pairs: &[(&str, &str)]) -> (Vec<String>, usize) {
        let query = ListQuery::parse(pairs, &CLIENT_AUTH_LIST).expect("a valid query");
        let page = self
            .server
            .server
            .client_auth()
            .list(&admin(), &query)
            .await
            .expect("lists");
        (
            page.items.into_iter().map(|item| item.id.to_string()).collect(),
            page.total,
        )
    }

    async fn check(&self, id: &str, password: &str) -> Verdict {
        self.server
            .server
            .client_auth()
            .check(id, password.as_bytes())
            .await
    }

    async fn is_right(&self, id: &str, password: &str) -> bool {
        self.check(id, password).await == Verdict::Right
    }

    /// Whether a real agent gets through the login.
    async fn lets_in(&self, id: &str, password: &str) -> bool {
        let tasks = Tasks::new();
        let outcome = soon("login", log_in(&self.server, id, password, &tasks)).await;
        tasks.abort();
        outcome.is_ok()
    }

    async fn agent(&self, id: &str, password: &str, client: &str) -> Agent {
        let agent = Agent::log_in_as(&self.server, id, password).await;
        agent
            .request(&hello(client, &format!("session of {client}")))
            .await
            .expect("accepted");
        agent
    }

    fn directory(&self) -> PathBuf {
        self.server.directory.as_ref().expect("running").path().to_owned()
    }

    /// The audit log: application, action, affected id, client id, request.
    fn audited(&self) -> Vec<(String, String, String, String, String)> {
        let file = Sqlite::open(self.directory().join("auditlog.db")).expect("opens");
        let mut query = file
            .prepare(
                "SELECT application, action, affected_id, client_id, request FROM auditlog ORDER BY rowid",
            )
            .expect("valid");
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        query
            .query_map([], row)
            .expect("runs")
            .collect::<Result<_, _>>()
            .expect("texts")
    }
}

fn in_an_hour() -> DateTime<Utc> {
    start_time() + Duration::from_secs(3600)
}
