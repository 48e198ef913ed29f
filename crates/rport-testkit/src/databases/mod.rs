//! MariaDB and PostgreSQL, started privately by a test: own directory, own socket, own loopback port.
//!
//! [`shared`] gives every test of a process the same server, which is started by the first one that asks and ends with
//! the process, however that ends. A test that stops the server needs one of its own, [`DatabaseServer::start`].
//! What our programs wrote is looked at through the databases' own command-line clients, [`Database::rows`], so that a
//! mistake in our SQL cannot hide itself.
//!
//! The Debian packages `mariadb-server` and `postgresql` are required: a test that cannot have them fails and says so.

mod mariadb;
mod postgres;
mod supervised;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{ports, process::is_root};
use supervised::Supervised;

/// How long a server may take to start. Generous: test machines are busy.
const START_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// MariaDB, which `db_type = "mysql"` means too.
    MariaDb,
    /// PostgreSQL.
    Postgres,
}

impl DatabaseKind {
    /// Its `db_type` in `rportd.conf`.
    pub fn db_type(self) -> &'static str {
        match self {
            Self::MariaDb => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// A running database server.
pub struct DatabaseServer {
    kind: DatabaseKind,
    port: u16,
    process: Option<Supervised>,
    dir: TempDir,
}

/// Returns the server that all tests of this process share.
///
/// # Errors
///
/// When its package is not installed or it does not start.
pub fn shared(kind: DatabaseKind) -> anyhow::Result<&'static DatabaseServer> {
    static MARIADB: OnceLock<Result<DatabaseServer, String>> = OnceLock::new();
    static POSTGRES: OnceLock<Result<DatabaseServer, String>> = OnceLock::new();
    let cell = match kind {
        DatabaseKind::MariaDb => &MARIADB,
        DatabaseKind::Postgres => &POSTGRES,
    };
    cell.get_or_init(|| DatabaseServer::start(kind).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

impl DatabaseServer {
    /// Sets up a fresh server and starts it. Blocks for some seconds.
    ///
    /// # Errors
    ///
    /// When the package is not installed or the server does not start; the error holds what it said.
    pub fn start(kind: DatabaseKind) -> anyhow::Result<Self> {
        let programs = kind.programs()?;
        let dir = tempfile::Builder::new().prefix("rport-db-").tempdir()?;
        give_to(dir.path(), kind.account())?;
        let mut server = Self {
            kind,
            port: ports::free(),
            process: None,
            dir,
        };
        match kind {
            DatabaseKind::MariaDb => mariadb::set_up(&programs, server.dir.path())?,
            DatabaseKind::Postgres => postgres::set_up(&programs, server.dir.path(), server.port)?,
        }
        server.resume()?;
        Ok(server)
    }

    /// Stops the server as a crash does; its data stay. Does nothing when it is stopped.
    pub fn halt(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Starts the stopped server again, on the same data, socket and port.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let programs = self.kind.programs()?;
        let dir = self.dir.path();
        let process = match self.kind {
            DatabaseKind::MariaDb => {
                Supervised::start(&mariadb::command(&programs, dir, self.port), dir, "KILL")
            }
            // Killing the first process would leave the others for a moment; this order ends all at once.
            DatabaseKind::Postgres => {
                Supervised::start(&postgres::command(&programs, dir, self.port), dir, "QUIT")
            }
        };
        self.process = Some(process?);
        let start = Instant::now();
        while let Err(error) = self.run_client(None, "SELECT 1") {
            let ended = self.process.as_ref().is_none_or(Supervised::has_ended);
            if ended || start.elapsed() > START_LIMIT {
                let said = std::fs::read_to_string(supervised::output(self.dir.path())).unwrap_or_default();
                bail!("{:?} does not start: {error:#}\n{said}", self.kind);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Where it listens on TCP.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its unix socket; for PostgreSQL the directory of it.
    pub fn socket(&self) -> PathBuf {
        match self.kind {
            DatabaseKind::MariaDb => mariadb::socket(self.dir.path()),
            DatabaseKind::Postgres => self.dir.path().to_owned(),
        }
    }

    /// Makes an empty database with a user of its own.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn database(&self) -> anyhow::Result<Database<'_>> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("rport_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let password = format!("database-password-of-{name}");
        let statements = match self.kind {
            DatabaseKind::MariaDb => mariadb::create(&name, &password),
            DatabaseKind::Postgres => postgres::create(&name, &password),
        };
        for statement in &statements {
            self.run_client(None, statement)?;
        }
        Ok(Database {
            server: self,
            name,
            password,
        })
    }

    fn run_client(&self, database: Option<&str>, sql: &str) -> anyhow::Result<String> {
        let programs = self.kind.programs()?;
        let mut command = match self.kind {
            DatabaseKind::MariaDb => mariadb::client(&programs, self.dir.path(), database),
            DatabaseKind::Postgres => postgres::client(&programs, self.dir.path(), self.port, database),
        };
        let output = command.arg(sql).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        // Before the directory goes.
        self.halt();
    }
}

/// A database of a server, and the user who owns it. The user has the database's name.
pub struct Database<'a> {
    server: &'a DatabaseServer,
    /// Name of the database and of its user.
    pub name: String,
    /// Password of the user.
    pub password: String,
}

impl Database<'_> {
    /// Which database it is in.
    pub fn kind(&self) -> DatabaseKind {
        self.server.kind
    }

    /// Where its server listens on TCP.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Executes statements as the server's administrator and returns the rows: columns separated by `|`.
    ///
    /// # Errors
    ///
    /// What the database said.
    pub fn rows(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        let text = self.server.run_client(Some(&self.name), sql)?;
        Ok(text.lines().map(|line| line.replace('\t', "|")).collect())
    }

    /// Lines of the section `[database]` for a connection through TCP.
    pub fn tcp_lines(&self) -> Vec<String> {
        self.lines(&self.server.address().to_string())
    }

    /// Lines of the section `[database]` for a connection through the unix socket.
    pub fn socket_lines(&self) -> Vec<String> {
        self.lines(&format!("socket:{}", self.server.socket().display()))
    }

    /// Lines of the section `[database]` for a connection to a `db_host` of the test's own, such as a proxy.
    pub fn lines(&self, db_host: &str) -> Vec<String> {
        vec![
            format!("db_type = \"{}\"", self.server.kind.db_type()),
            format!("db_host = \"{db_host}\""),
            format!("db_user = \"{}\"", self.name),
            format!("db_password = \"{}\"", self.password),
            format!("db_name = \"{}\"", self.name),
        ]
    }
}

/// Where the programs of a database are.
struct Programs {
    /// Sets up the data directory.
    set_up: PathBuf,
    server: PathBuf,
    client: PathBuf,
}

impl DatabaseKind {
    /// The system account of the Debian package. Neither server runs as root.
    fn account(self) -> &'static str {
        match self {
            Self::MariaDb => "mysql",
            Self::Postgres => "postgres",
        }
    }

    fn programs(self) -> anyhow::Result<Programs> {
        let found = match self {
            Self::MariaDb => mariadb::programs(),
            Self::Postgres => postgres::programs(),
        };
        found.with_context(|| {
            let package = match self {
                Self::MariaDb => "mariadb-server",
                Self::Postgres => "postgresql",
            };
            format!(
                "{self:?} is not installed, and this test needs it: apt-get install {package} (or: scripts/setup.sh test)"
            )
        })
    }

    /// A command as the account that may run the server: the package's when the tests run as root, else our own.
    fn command(self, program: &Path) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={}", self.account()))
            .arg(format!("--regid={}", self.account()))
            .args(["--clear-groups", "--"])
            .arg(program);
        command
    }
}

/// Finds a program in `PATH` or where Debian keeps those of the administrator.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Hands a directory to a system account when the tests run as root.
fn give_to(dir: &Path, account: &str) -> anyhow::Result<()> {
    if is_root() {
        let status = Command::new("chown").arg(account).arg(dir).status()?;
        if !status.success() {
            bail!("chown {account} ended with {status}");
        }
    }
    use std::os::unix::fs::PermissionsExt;
    // The server under test may be somebody else, who must reach the socket.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs a program to its end; its output is part of the error.
fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
