//! `rportd` as a process.

use std::{
    fmt::Write as _,
    fs::Permissions,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::{Child, binaries, child::wrapped, is_root};
use crate::{api::Api, ports};

/// How long a server may take until its API answers. Generous: test machines are busy.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The configuration of a server under test, written as `rportd.conf`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where agents connect.
    pub agents: SocketAddr,
    /// Where the API answers.
    pub api: SocketAddr,
    /// The data directory; inside the process's own directory when missing.
    pub data_dir: Option<PathBuf>,
    /// First and last port of tunnels.
    pub tunnel_ports: (u16, u16),
    /// Whether the file allows root when the tests run as root.
    pub allow_root: bool,
    /// Whether the API port has a page of metrics.
    pub metrics: bool,
    /// `log_level`.
    pub log_level: &'static str,
    /// The lines of `[server]` that name the source of agents' credentials.
    pub client_auth_lines: Vec<String>,
    /// Further lines of `[server]`.
    pub server_lines: Vec<String>,
    /// Lines of `[database]`.
    pub database_lines: Vec<String>,
    /// The program, when not the one that was built.
    pub program: Option<PathBuf>,
    /// A program and its arguments to run the server under, such as `setpriv --reuid=nobody`.
    pub wrapper: Vec<String>,
    /// Name and password that [`ServerProcess::api`] uses.
    pub login: (&'static str, &'static str),
    /// What API tokens are signed with.
    pub jwt_secret: String,
    /// Further lines of `[api]`; the default ones hold the login.
    pub api_lines: Vec<String>,
}

impl ServerConfig {
    /// Name and password of the API user.
    pub const API_LOGIN: (&'static str, &'static str) = ("admin", "correct-horse");
    /// Id and password that agents connect with.
    pub const AGENT_AUTH: (&'static str, &'static str) = ("test-agents", "battery-staple");

    /// Free ports, static credentials, and ten ports for tunnels.
    pub fn new() -> Self {
        Self {
            agents: SocketAddr::from(([127, 0, 0, 1], ports::free())),
            api: SocketAddr::from(([127, 0, 0, 1], ports::free())),
            data_dir: None,
            tunnel_ports: ports::tunnel_range(10),
            allow_root: true,
            metrics: false,
            log_level: "debug",
            client_auth_lines: vec![format!(
                "auth = \"{}:{}\"",
                Self::AGENT_AUTH.0,
                Self::AGENT_AUTH.1
            )],
            server_lines: Vec::new(),
            database_lines: Vec::new(),
            program: None,
            wrapper: Vec::new(),
            login: Self::API_LOGIN,
            jwt_secret: "a secret for tests only".to_owned(),
            api_lines: vec![format!("auth = \"{}:{}\"", Self::API_LOGIN.0, Self::API_LOGIN.1)],
        }
    }

    /// Adds a line to `[server]`.
    #[must_use]
    pub fn server(mut self, line: &str) -> Self {
        self.server_lines.push(line.to_owned());
        self
    }

    fn text(&self, dir: &Path) -> anyhow::Result<String> {
        let data_dir = self.data_dir.clone().unwrap_or_else(|| dir.join("data"));
        let (first, last) = self.tunnel_ports;
        let mut text = String::new();
        writeln!(text, "[server]")?;
        writeln!(text, "address = \"{}\"", self.agents)?;
        writeln!(text, "key_seed = \"a seed for tests only\"")?;
        writeln!(text, "data_dir = \"{}\"", data_dir.display())?;
        writeln!(text, "used_ports = [\"{first}-{last}\"]")?;
        writeln!(text, "pairing_url = \"\"")?;
        if self.allow_root && is_root() {
            writeln!(text, "allow_root = true")?;
        }
        for line in self.client_auth_lines.iter().chain(&self.server_lines) {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "[database]")?;
        for line in &self.database_lines {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "[logging]\nlog_level = \"{}\"", self.log_level)?;
        writeln!(text, "[api]\naddress = \"{}\"", self.api)?;
        writeln!(text, "jwt_secret = \"{}\"", self.jwt_secret)?;
        for line in &self.api_lines {
            writeln!(text, "{line}")?;
        }
        if self.metrics {
            writeln!(text, "[metrics]\nenabled = true")?;
        }
        Ok(text)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// A running `rportd`.
pub struct ServerProcess {
    /// What it was started with.
    pub config: ServerConfig,
    /// The process.
    pub child: Child,
    dir: TempDir,
}

impl ServerProcess {
    /// Starts a server with the default test configuration and waits until its API answers.
    ///
    /// # Errors
    ///
    /// When it ends instead; the error holds what it wrote.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(ServerConfig::new()).await
    }

    /// Starts a server and waits until its API answers.
    ///
    /// # Errors
    ///
    /// When it ends instead; the error holds what it wrote.
    pub async fn start_with(config: ServerConfig) -> anyhow::Result<Self> {
        let mut server = Self::spawn(config)?;
        server.ready().await?;
        Ok(server)
    }

    /// Starts a server without waiting for anything.
    ///
    /// # Errors
    ///
    /// When the program cannot be started at all.
    pub fn spawn(config: ServerConfig) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        // The server may run as another user, who must be able to read its configuration.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        let child = Self::launch(&config, dir.path())?;
        Ok(Self { config, child, dir })
    }

    fn launch(config: &ServerConfig, dir: &Path) -> anyhow::Result<Child> {
        let file = dir.join("rportd.conf");
        std::fs::write(&file, config.text(dir)?)?;
        let program = config.program.as_ref().unwrap_or(&binaries().rportd);
        let mut command = wrapped(&config.wrapper, program);
        command.arg("-c").arg(file).current_dir(dir);
        Child::spawn("rportd", command, dir)
    }

    /// Starts the program again, on the same data and ports, after it has ended.
    ///
    /// # Errors
    ///
    /// When it ends again.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = Self::launch(&self.config, self.dir.path())?;
        self.ready().await
    }

    /// Waits until the API answers.
    async fn ready(&mut self) -> anyhow::Result<()> {
        let api = self.api();
        let start = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.ended()? {
                bail!("rportd ended with {status}: {}", self.child.output());
            }
            match api.get("/status").await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                _ if start.elapsed() < START_LIMIT => tokio::time::sleep(Duration::from_millis(10)).await,
                Ok(answer) => bail!("the API answers {answer:?}"),
                Err(error) => return Err(error).context("the API does not answer"),
            }
        }
    }

    /// The configuration file as the server reads it. It is written anew at each start.
    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("rportd.conf")
    }

    /// The directory with its configuration, output and, unless configured otherwise, data.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.config
            .data_dir
            .clone()
            .unwrap_or_else(|| self.dir.path().join("data"))
    }

    /// Its API, used by the configured user.
    pub fn api(&self) -> Api {
        let (user, password) = self.config.login;
        Api::new(self.config.api).with_basic(user, password)
    }

    /// Its API, used by nobody in particular.
    pub fn anonymous(&self) -> Api {
        Api::new(self.config.api)
    }
}
