//! The program with a home of its own.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use rport_testkit::process::{Child, ServerConfig, binaries};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// For states that follow from one message.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Where the program keeps its configuration, and where its server is.
pub(super) struct Operator {
    home: TempDir,
    server: String,
    /// Goes before the search path of programs.
    pub(super) programs: Option<PathBuf>,
}

/// What the program printed, and its exit code.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Standard output as JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("{self:?}"))
    }
}

/// A server whose users may fail without being locked out.
pub(super) fn quiet() -> ServerConfig {
    let mut config = ServerConfig::new();
    config.api_lines.push("user_login_wait = 0".to_owned());
    config.api_lines.push("max_failed_login = 0".to_owned());
    config
}

impl Operator {
    /// Somebody who never logged in to this server.
    pub(super) fn new(config: &ServerConfig) -> anyhow::Result<Self> {
        Ok(Self {
            home: tempfile::tempdir()?,
            server: format!("http://{}", config.api),
            programs: None,
        })
    }

    /// Somebody who logged in with name and password.
    pub(super) async fn logged_in(config: &ServerConfig) -> anyhow::Result<Self> {
        let operator = Self::new(config)?;
        let (user, password) = config.login;
        let server = operator.server.clone();
        operator
            .done_with(
                &["login", &server, "--user", user, "--password-stdin"],
                &format!("{password}\n"),
            )
            .await?;
        Ok(operator)
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.home.path().join("config/rportcli/config.toml")
    }

    pub(super) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The program with these words, and nothing of the tests' own environment that could change what it does.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(programs) = &self.programs {
            let mut before = programs.clone().into_os_string();
            before.push(":");
            before.push(path);
            path = before;
        }
        let mut command = Command::new(&binaries().rportcli);
        command
            .args(words)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("NO_PROXY", "*")
            .current_dir(self.home.path())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(super) async fn say(&self, words: &[&str], input: &str) -> anyhow::Result<Said> {
        said(self.command(words), input).await
    }

    /// As [`Self::say`], for what must succeed; returns standard output.
    pub(super) async fn done_with(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        let said = self.say(words, input).await?;
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.stdout, said.stderr);
        Ok(said.stdout)
    }

    /// As [`Self::done_with`], without input.
    pub(super) async fn done(&self, words: &[&str]) -> anyhow::Result<String> {
        self.done_with(words, "").await
    }

    /// As [`Self::done`], with JSON on standard output.
    pub(super) async fn json(&self, words: &[&str]) -> anyhow::Result<Value> {
        let words: Vec<&str> = ["-o", "json"].iter().chain(words).copied().collect();
        let text = self.done(&words).await?;
        serde_json::from_str(&text).with_context(|| format!("{words:?}: {text}"))
    }

    /// Runs a command that must fail, and returns its exit code and what it said.
    pub(super) async fn fails(&self, words: &[&str]) -> anyhow::Result<(i32, String)> {
        let said = self.say(words, "").await?;
        assert_eq!(said.stdout, "", "{words:?}");
        Ok((said.code, said.stderr))
    }

    /// Starts a command that goes on until it is stopped.
    pub(super) fn start(&self, words: &[&str]) -> anyhow::Result<Child> {
        Child::spawn("rportcli", self.command(words), self.home.path())
    }
}

/// Runs a command to its end.
pub(super) async fn said(mut command: Command, input: &str) -> anyhow::Result<Said> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants no input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(SOON * 2, child.wait_with_output()).await??;
    let said = Said {
        code: output.status.code().context("ended by a signal")?,
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    Ok(said)
}
