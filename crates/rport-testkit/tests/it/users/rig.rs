//! A server with users in one of the sources.

use std::{fs, path::Path, path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use rport_testkit::{
    api::{Answer, Api},
    databases::{self, Database, DatabaseKind},
    process::{ServerConfig, ServerProcess, binaries},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// For states that follow from one message.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Where users can be kept and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    File,
    Sqlite,
    MariaDb,
    Postgres,
}

/// The source outside the server.
pub(super) enum Stored {
    File(PathBuf),
    Sqlite(PathBuf),
    Server(Database<'static>),
}

const TABLES: [&str; 3] = [
    "auth_user_table = \"users\"",
    "auth_group_table = \"groups\"",
    "auth_group_details_table = \"group_details\"",
];

impl Stored {
    pub(super) fn new(source: Source, dir: &Path) -> anyhow::Result<Self> {
        Ok(match source {
            Source::File => {
                let path = dir.join("api-auth.json");
                fs::write(&path, "[]")?;
                Self::File(path)
            }
            Source::Sqlite => {
                let path = dir.join("users.sqlite");
                fs::write(&path, "")?;
                Self::Sqlite(path)
            }
            Source::MariaDb => Self::Server(databases::shared(DatabaseKind::MariaDb)?.database()?),
            Source::Postgres => Self::Server(databases::shared(DatabaseKind::Postgres)?.database()?),
        })
    }

    fn configure(&self, config: &mut ServerConfig) {
        let rules = [
            "password_min_length = 4",
            "user_login_wait = 0",
            "max_failed_login = 0",
        ];
        config.api_lines = rules.map(str::to_owned).to_vec();
        match self {
            Self::File(path) => config
                .api_lines
                .push(format!("auth_file = \"{}\"", path.display())),
            Self::Sqlite(path) => {
                config.api_lines.extend(TABLES.map(str::to_owned));
                config.database_lines = vec![
                    "db_type = \"sqlite\"".to_owned(),
                    format!("db_name = \"{}\"", path.display()),
                ];
            }
            Self::Server(database) => {
                config.api_lines.extend(TABLES.map(str::to_owned));
                config.database_lines = database.tcp_lines();
            }
        }
    }

    /// Executes a statement as the operator of the database.
    pub(super) fn execute(&self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::File(_) => anyhow::bail!("a file has no SQL"),
            Self::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(SOON)?;
                connection.execute_batch(sql)?;
            }
            Self::Server(database) => drop(database.rows(sql)?),
        }
        Ok(())
    }
}

/// What a command printed, and whether it succeeded.
pub(super) struct Said {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs `rportd` with a configuration.
pub(super) async fn rportd(config: &Path, words: &[&str], input: &str) -> anyhow::Result<Said> {
    let mut child = Command::new(&binaries().rportd)
        .arg("-c")
        .arg(config)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants no input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await??;
    let said = Said {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    Ok(said)
}

/// As [`rportd`], for what must succeed.
pub(super) async fn done(config: &Path, words: &[&str], input: &str) -> anyhow::Result<String> {
    let said = rportd(config, words, input).await?;
    assert!(said.success, "{words:?}: {}{}", said.stdout, said.stderr);
    Ok(said.stdout)
}

/// A configuration file for the command line, without a server.
fn write_config(config: &ServerConfig, dir: &Path) -> anyhow::Result<PathBuf> {
    let text = format!(
        "[server]\nallow_root = true\ndata_dir = \"{}\"\nauth = \"a:bcd\"\n[api]\naddress = \"{}\"\njwt_secret = \"x\"\n{}\n[database]\n{}\n",
        dir.join("data").display(),
        config.api,
        config.api_lines.join("\n"),
        config.database_lines.join("\n")
    );
    let file = dir.join("cli.conf");
    fs::write(&file, text)?;
    Ok(file)
}

/// A running server and its users. The administrator `admin` was made on the command line.
pub(super) struct Rig {
    pub(super) server: ServerProcess,
    /// As the administrator.
    pub(super) api: Api,
    pub(super) stored: Stored,
    /// For the command line.
    pub(super) config: PathBuf,
    _dir: TempDir,
}

impl Rig {
    pub(super) async fn start(source: Source) -> anyhow::Result<Self> {
        Self::start_with(source, &[]).await
    }

    /// Starts with more lines of `[api]`.
    pub(super) async fn start_with(source: Source, lines: &[&str]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let stored = Stored::new(source, dir.path())?;
        let mut config = ServerConfig::new();
        stored.configure(&mut config);
        config.api_lines.extend(lines.iter().map(ToString::to_string));
        let file = write_config(&config, dir.path())?;
        if source != Source::File {
            done(&file, &["db", "create"], "").await?;
            done(&file, &["db", "check"], "").await?;
        }
        let (name, password) = config.login;
        let words = ["user", "add", name, "-g", "Administrators"];
        done(&file, &words, &format!("{password}\n")).await?;
        let server = ServerProcess::start_with(config).await?;
        Ok(Self {
            api: server.api(),
            server,
            stored,
            config: file,
            _dir: dir,
        })
    }

    pub(super) fn as_user(&self, name: &str, password: &str) -> Api {
        self.server.anonymous().with_basic(name, password)
    }

    /// Adds a user with the password `secret of NAME`.
    pub(super) async fn add(&self, name: &str, groups: &[&str]) -> anyhow::Result<Api> {
        let password = format!("secret of {name}");
        let user = json!({ "username": name, "password": password, "groups": groups });
        let answer = self.api.post_json("/users", &user).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        Ok(self.as_user(name, &password))
    }

    pub(super) async fn change(&self, name: &str, change: &Value) -> anyhow::Result<Answer> {
        self.api.put_json(&path("/users/", name), change).await
    }

    /// The entry of a user in the list.
    pub(super) async fn listed(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let list = self.api.get("/users").await?.data()?;
        let list = list.as_array().context("a list")?;
        Ok(list.iter().find(|user| user["username"] == name).cloned())
    }

    /// A token of a login, or the answer that refused it.
    pub(super) async fn log_in(&self, body: &Value) -> anyhow::Result<Result<Api, Answer>> {
        let anonymous = self.server.anonymous();
        let answer = anonymous.post_json("/login", body).await?;
        if answer.status != 200 {
            return Ok(Err(answer));
        }
        let data = answer.data()?;
        let token = data["token"].as_str().context("a token")?;
        Ok(Ok(anonymous.with_bearer(token)))
    }
}

/// A path that ends in a name, whatever the name.
pub(super) fn path(front: &str, name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(front.to_owned(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

/// Asserts status and title of a refusal.
#[track_caller]
pub(super) fn assert_refused(answer: &Answer, status: u16, title: &str) {
    assert_eq!((answer.status, answer.title()), (status, title), "{answer:?}");
}
