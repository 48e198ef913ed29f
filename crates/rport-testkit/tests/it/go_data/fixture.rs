//! A server of ours on the files that a Go server left behind.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};
use rport_testkit::{
    api::Api,
    databases::{self, Database, DatabaseKind},
    process::{ServerConfig, ServerProcess},
};
use serde_json::Value;
use tempfile::TempDir;

/// Where the Go server had its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    File,
    Sqlite,
    MariaDb,
}

impl Users {
    fn archive(self) -> &'static str {
        match self {
            Self::File => "go-file.tar.gz",
            Self::Sqlite => "go-sqlite.tar.gz",
            Self::MariaDb => "go-mariadb.tar.gz",
        }
    }
}

/// The unpacked files and the server on them.
pub(super) struct Fixture {
    pub(super) server: ServerProcess,
    /// What the Go server said about its data, and the secrets of its users.
    pub(super) facts: Value,
    database: Option<Database<'static>>,
    dir: TempDir,
}

impl Fixture {
    pub(super) async fn start(users: Users) -> anyhow::Result<Self> {
        Self::start_with(users, |_| Ok(())).await
    }

    /// As if nobody had made a vault.
    pub(super) async fn start_without_vault(users: Users) -> anyhow::Result<Self> {
        Self::start_with(users, |data_dir| {
            Ok(std::fs::remove_file(data_dir.join("vault.sqlite.db"))?)
        })
        .await
    }

    /// Starts after a change to the recorded data directory.
    async fn start_with(
        users: Users,
        change: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(users.archive());
        let status = Command::new("tar")
            .arg("-xzf")
            .arg(archive)
            .arg("-C")
            .arg(dir.path())
            .status()?;
        if !status.success() {
            bail!("tar ended with {status}");
        }
        let facts: Value = serde_json::from_slice(&std::fs::read(dir.path().join("facts.json"))?)?;
        let data_dir = dir.path().join("data");
        change(&data_dir)?;
        // The recorded login ends some day; this test does not.
        let sessions = rusqlite::Connection::open(data_dir.join("api_sessions.db"))?;
        sessions.execute(
            "UPDATE api_sessions SET expires_at = '2099-01-01 00:00:00+00:00' WHERE session_id = 2",
            [],
        )?;
        drop(sessions);

        let text = |name: &str| facts[name].as_str().map(str::to_owned).context("a fact");
        // A second factor is on, so password alone is no way in; the API token is.
        let token: &'static str = text("api_token")?.leak();
        let mut config = ServerConfig {
            data_dir: Some(data_dir),
            login: ("admin", token),
            jwt_secret: text("jwt_secret")?,
            client_auth_lines: vec![format!(
                "auth_file = \"{}\"",
                dir.path().join("clients-auth.json").display()
            )],
            api_lines: vec![
                "totp_enabled = true".to_owned(),
                "max_failed_login = 0".to_owned(),
                "user_login_wait = 0".to_owned(),
            ],
            ..ServerConfig::new()
        };
        let mut database = None;
        match users {
            Users::File => config.api_lines.push(format!(
                "auth_file = \"{}\"",
                dir.path().join("api-auth.json").display()
            )),
            Users::Sqlite => {
                config.database_lines = vec![
                    "db_type = \"sqlite\"".to_owned(),
                    format!("db_name = \"{}\"", dir.path().join("auth.db").display()),
                ];
            }
            Users::MariaDb => {
                let made = databases::shared(DatabaseKind::MariaDb)?.database()?;
                made.rows(&std::fs::read_to_string(dir.path().join("auth.sql"))?)?;
                config.database_lines = made.tcp_lines();
                database = Some(made);
            }
        }
        if users != Users::File {
            for (key, table) in [
                ("user", "users"),
                ("group", "groups"),
                ("group_details", "group_details"),
            ] {
                config.api_lines.push(format!("auth_{key}_table = \"{table}\""));
            }
        }
        let server = ServerProcess::start_with(config).await?;
        Ok(Self {
            server,
            facts,
            database,
            dir,
        })
    }

    pub(super) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("a fact")
    }

    /// The API as the Go server's administrator, with the API token.
    pub(super) fn admin(&self) -> Api {
        self.server.api()
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn database(&self) -> Option<&Database<'static>> {
        self.database.as_ref()
    }
}
