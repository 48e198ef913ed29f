//! A server with credentials in one of the sources, and the source as its operator sees it: without our code.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use anyhow::Context;
use rport_testkit::{
    api::{Answer, Api},
    databases::{self, Database, DatabaseKind},
    process::{ServerConfig, ServerProcess},
    simulator,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// For states that follow from one message.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Where credentials can be kept and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    File,
    Sqlite,
    MariaDb,
    Postgres,
}

impl Source {
    pub(super) const TABLES: [Self; 3] = [Self::Sqlite, Self::MariaDb, Self::Postgres];

    /// The documented way to make the table; for PostgreSQL without the quotes that it does not know.
    pub(super) fn documented_table(self) -> &'static str {
        match self {
            Self::Postgres => {
                "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL)"
            }
            _ => {
                "CREATE TABLE `clients_auth` (`id` varchar(100) PRIMARY KEY, `password` varchar(100) NOT NULL)"
            }
        }
    }

    /// The word for it in the status.
    pub(super) fn in_status(self) -> &'static str {
        match self {
            Self::File => "File",
            _ => "DB",
        }
    }
}

/// The pairs of the documentation.
pub(super) const PAIRS: [(&str, &str); 4] = [
    ("clientAuth1", "1234"),
    ("admin", "123456"),
    ("client1", "yienei5Ch"),
    ("client2", "ieRi1Noo2"),
];

/// A source outside the server.
pub(super) enum Stored {
    File(PathBuf),
    Sqlite(PathBuf),
    Server(Database<'static>),
}

impl Stored {
    /// An empty source: `{}`, or the documented table.
    pub(super) fn new(source: Source, dir: &TempDir) -> anyhow::Result<Self> {
        let stored = Self::without_table(source, dir)?;
        match &stored {
            Self::File(path) => {
                fs::write(path, "{}")?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            }
            _ => stored.execute(source.documented_table())?,
        }
        Ok(stored)
    }

    /// A database without a table; a file that does not exist.
    pub(super) fn without_table(source: Source, dir: &TempDir) -> anyhow::Result<Self> {
        Ok(match source {
            Source::File => Self::File(dir.path().join("client-auth.json")),
            Source::Sqlite => Self::Sqlite(dir.path().join("operator.sqlite")),
            Source::MariaDb => Self::Server(databases::shared(DatabaseKind::MariaDb)?.database()?),
            Source::Postgres => Self::Server(databases::shared(DatabaseKind::Postgres)?.database()?),
        })
    }

    /// Makes a configuration read from it.
    pub(super) fn configure(&self, mut config: ServerConfig) -> ServerConfig {
        let (auth, database) = match self {
            Self::File(path) => (format!("auth_file = \"{}\"", path.display()), Vec::new()),
            Self::Sqlite(path) => (
                "auth_table = \"clients_auth\"".to_owned(),
                vec![
                    "db_type = \"sqlite\"".to_owned(),
                    format!("db_name = \"{}\"", path.display()),
                ],
            ),
            Self::Server(database) => ("auth_table = \"clients_auth\"".to_owned(), database.tcp_lines()),
        };
        config.client_auth_lines = vec![auth];
        config.database_lines = database;
        config
    }

    /// Executes a statement as the operator of the database.
    pub(super) fn execute(&self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::File(_) => anyhow::bail!("a file has no SQL"),
            Self::Sqlite(path) => sqlite(path)?.execute_batch(sql)?,
            Self::Server(database) => drop(database.rows(sql)?),
        }
        Ok(())
    }

    /// Puts pairs in or replaces their passwords, as an operator or a third-party program does.
    pub(super) fn put(&self, pairs: &[(&str, &str)]) -> anyhow::Result<()> {
        if let Self::File(path) = self {
            let mut all = self.pairs()?;
            all.extend(
                pairs
                    .iter()
                    .map(|(id, password)| ((*id).to_owned(), (*password).to_owned())),
            );
            fs::write(path, serde_json::to_string_pretty(&all)?)?;
            return Ok(());
        }
        for (id, password) in pairs {
            let (id, password) = (self.quoted(id), self.quoted(password));
            self.execute(&format!("DELETE FROM clients_auth WHERE id = {id}"))?;
            self.execute(&format!(
                "INSERT INTO clients_auth (id, password) VALUES ({id}, {password})"
            ))?;
        }
        Ok(())
    }

    /// Takes a pair out.
    pub(super) fn remove(&self, id: &str) -> anyhow::Result<()> {
        if let Self::File(path) = self {
            let mut all = self.pairs()?;
            all.remove(id);
            fs::write(path, serde_json::to_string_pretty(&all)?)?;
            return Ok(());
        }
        self.execute(&format!(
            "DELETE FROM clients_auth WHERE id = {}",
            self.quoted(id)
        ))
    }

    fn quoted(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self {
            Self::Server(database) if database.kind() == DatabaseKind::MariaDb => {
                format!("'{}'", text.replace('\\', "\\\\"))
            }
            _ => format!("'{text}'"),
        }
    }

    /// What it holds.
    pub(super) fn pairs(&self) -> anyhow::Result<BTreeMap<String, String>> {
        match self {
            Self::File(path) => Ok(serde_json::from_slice(&fs::read(path)?)?),
            Self::Sqlite(path) => {
                let connection = sqlite(path)?;
                let mut statement = connection.prepare("SELECT id, password FROM clients_auth")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Self::Server(database) => {
                let hex = match database.kind() {
                    DatabaseKind::MariaDb => "SELECT HEX(id), HEX(password) FROM clients_auth",
                    DatabaseKind::Postgres => {
                        "SELECT encode(convert_to(id, 'UTF8'), 'hex'), encode(convert_to(password, 'UTF8'), 'hex') \
                         FROM clients_auth"
                    }
                };
                database
                    .rows(hex)?
                    .iter()
                    .map(|row| {
                        let (id, password) = row.split_once('|').context("two columns")?;
                        Ok((from_hex(id)?, from_hex(password)?))
                    })
                    .collect()
            }
        }
    }
}

fn sqlite(path: &PathBuf) -> anyhow::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(SOON)?;
    Ok(connection)
}

fn from_hex(text: &str) -> anyhow::Result<String> {
    let bytes: Result<Vec<u8>, _> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap_or("odd"), 16))
        .collect();
    Ok(String::from_utf8(bytes?)?)
}

/// A running server and its source.
pub(super) struct Rig {
    pub(super) server: ServerProcess,
    pub(super) api: Api,
    pub(super) stored: Stored,
    _dir: TempDir,
}

/// Bans and waits are off: most tests fail logins on purpose.
pub(super) fn quiet() -> ServerConfig {
    ServerConfig::new()
        .server("client_login_wait = 0")
        .server("max_failed_login = 0")
}

impl Rig {
    /// Starts a server on a source that holds the pairs of the documentation.
    pub(super) async fn start(source: Source) -> anyhow::Result<Self> {
        Self::start_with(source, &PAIRS, quiet()).await
    }

    /// Starts a server on a source that holds these pairs.
    pub(super) async fn start_with(
        source: Source,
        pairs: &[(&str, &str)],
        config: ServerConfig,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let stored = Stored::new(source, &dir)?;
        stored.put(pairs)?;
        let server = ServerProcess::start_with(stored.configure(config)).await?;
        let api = server.api();
        Ok(Self {
            server,
            api,
            stored,
            _dir: dir,
        })
    }

    /// Whether an agent can log in.
    pub(super) async fn admits(&self, id: &str, password: &str) -> anyhow::Result<bool> {
        simulator::can_log_in(self.server.config.agents, (id, password)).await
    }

    pub(super) async fn add(&self, id: &str, password: &str) -> anyhow::Result<Answer> {
        self.api
            .post_json("/clients-auth", &json!({ "id": id, "password": password }))
            .await
    }

    pub(super) async fn change(&self, id: &str, change: &Value) -> anyhow::Result<Answer> {
        self.api.put_json(&path(id), change).await
    }

    pub(super) async fn get(&self, id: &str) -> anyhow::Result<Value> {
        self.api.get(&path(id)).await?.data()
    }

    pub(super) async fn delete(&self, id: &str, force: bool) -> anyhow::Result<Answer> {
        let force = if force { "?force=true" } else { "" };
        self.api.delete(&format!("{}{force}", path(id))).await
    }

    /// The ids of the list, in its order.
    pub(super) async fn ids(&self, query: &str) -> anyhow::Result<Vec<String>> {
        let data = self.api.get(&format!("/clients-auth?{query}")).await?.data()?;
        let list = data.as_array().context("a list")?;
        Ok(list
            .iter()
            .map(|item| item["id"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// Kills the server as a power cut does, as far as a test can, and starts it again.
    pub(super) async fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.server.child.kill().await?;
        self.server.restart().await
    }
}

/// The path of credentials, whatever their id.
pub(super) fn path(id: &str) -> String {
    use std::fmt::Write as _;
    id.bytes().fold("/clients-auth/".to_owned(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

/// Asserts status and code of a refusal.
#[track_caller]
pub(super) fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}
