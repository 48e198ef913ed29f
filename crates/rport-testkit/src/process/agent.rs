//! `rport` as a process.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

use tempfile::TempDir;

use super::{Child, ServerConfig, binaries, child::wrapped, is_root};

/// The configuration of an agent under test, written as `rport.conf`.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Its client id.
    pub id: String,
    /// Where it connects, as the configuration file has it.
    pub server: String,
    /// Client auth id and password, when not those of [`ServerConfig::AGENT_AUTH`].
    pub auth: Option<String>,
    /// Remotes in RPort's notation.
    pub remotes: Vec<String>,
    /// Whether the file allows root when the tests run as root.
    pub allow_root: bool,
    /// `log_level`.
    pub log_level: &'static str,
    /// Further lines of `[client]`.
    pub client_lines: Vec<String>,
    /// Lines of `[connection]`.
    pub connection_lines: Vec<String>,
    /// Whether the server may run any command and any script.
    pub runs_anything: bool,
    /// A program and its arguments to run the agent under, such as `ip netns exec NAME`.
    pub wrapper: Vec<String>,
}

impl AgentConfig {
    /// An agent of the given id without remotes.
    pub fn new(id: &str, server: SocketAddr) -> Self {
        Self {
            id: id.to_owned(),
            server: server.to_string(),
            auth: None,
            remotes: Vec::new(),
            allow_root: true,
            log_level: "debug",
            client_lines: Vec::new(),
            connection_lines: Vec::new(),
            runs_anything: false,
            wrapper: Vec::new(),
        }
    }

    /// Adds a remote.
    #[must_use]
    pub fn remote(mut self, remote: impl Into<String>) -> Self {
        self.remotes.push(remote.into());
        self
    }

    /// Adds a line to `[client]`.
    #[must_use]
    pub fn client(mut self, line: &str) -> Self {
        self.client_lines.push(line.to_owned());
        self
    }

    /// Lets the server run any command and any script.
    #[must_use]
    pub fn runs_anything(mut self) -> Self {
        self.runs_anything = true;
        self
    }

    /// Adds a line to `[connection]`.
    #[must_use]
    pub fn connection(mut self, line: &str) -> Self {
        self.connection_lines.push(line.to_owned());
        self
    }

    fn text(&self, dir: &Path) -> anyhow::Result<String> {
        let (id, password) = ServerConfig::AGENT_AUTH;
        let remotes: Vec<String> = self
            .remotes
            .iter()
            .map(|remote| format!("\"{remote}\""))
            .collect();
        let mut text = String::new();
        writeln!(text, "[client]")?;
        writeln!(text, "server = \"{}\"", self.server)?;
        let auth = self.auth.clone().unwrap_or_else(|| format!("{id}:{password}"));
        writeln!(text, "auth = \"{auth}\"")?;
        writeln!(text, "id = \"{}\"", self.id)?;
        writeln!(text, "name = \"{} by name\"", self.id)?;
        writeln!(text, "data_dir = \"{}\"", dir.join("data").display())?;
        writeln!(text, "remotes = [{}]", remotes.join(", "))?;
        // Nothing that a test starts looks anything up or runs a package manager.
        writeln!(text, "updates_interval = \"0\"\nip_refresh_min = 0")?;
        if self.allow_root && is_root() {
            writeln!(text, "allow_root = true")?;
        }
        for line in &self.client_lines {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "[connection]")?;
        for line in &self.connection_lines {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "[logging]\nlog_level = \"{}\"", self.log_level)?;
        writeln!(text, "[monitoring]\nenabled = false")?;
        if self.runs_anything {
            writeln!(text, "[remote-commands]\nallow = [\"^.*\"]\ndeny = []")?;
            writeln!(text, "[remote-scripts]\nenabled = true")?;
        }
        Ok(text)
    }
}

/// A running `rport`.
pub struct AgentProcess {
    /// What it was started with.
    pub config: AgentConfig,
    /// The process.
    pub child: Child,
    dir: TempDir,
}

impl AgentProcess {
    /// Starts an agent; whether it connects is for the test to see at the server.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn start(config: AgentConfig) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let child = Self::launch(&config, dir.path())?;
        Ok(Self { config, child, dir })
    }

    fn launch(config: &AgentConfig, dir: &Path) -> anyhow::Result<Child> {
        let file = dir.join("rport.conf");
        std::fs::write(&file, config.text(dir)?)?;
        let program = &binaries().rport;
        let mut command = wrapped(&config.wrapper, program);
        // The tests' own environment must not reach an agent.
        command.env_remove("RPORT_AUTH").env_remove("RPORT_FINGERPRINT");
        command.arg("-c").arg(file).current_dir(dir);
        Child::spawn("rport", command, dir)
    }

    /// Starts the program again after it has ended.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child = Self::launch(&self.config, self.dir.path())?;
        Ok(())
    }

    /// The directory with its configuration and output.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
