//! One running program.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

/// How much of the output a failing test shows.
const TAIL: usize = 6_000;

/// A command that runs a program, under a wrapper when there is one.
pub(super) fn wrapped(wrapper: &[String], program: &Path) -> Command {
    match wrapper.split_first() {
        Some((first, arguments)) => {
            let mut command = Command::new(first);
            command.args(arguments).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A program started by a test; killed when dropped.
pub struct Child {
    name: String,
    output: PathBuf,
    process: tokio::process::Child,
}

impl Child {
    /// Starts a program whose output goes to `<dir>/<name>.out`, appended.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(name: &str, mut command: Command, dir: &Path) -> anyhow::Result<Self> {
        let output = dir.join(format!("{name}.out"));
        let file = File::options().create(true).append(true).open(&output)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self {
            name: name.to_owned(),
            output,
            process,
        })
    }

    /// The process id; none when it has ended and was waited for.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// What the program wrote so far, on both streams.
    pub fn output(&self) -> String {
        std::fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    ///
    /// When the operating system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        tokio::time::timeout(limit, self.process.wait())
            .await
            .with_context(|| format!("{} still runs after {limit:?}", self.name))?
            .context("cannot wait for the program")
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        kill_process(pid.context("the program has ended")?, signal)?;
        Ok(())
    }

    /// Kills it at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    ///
    /// When it still runs after `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(limit).await
    }
}

impl Drop for Child {
    #[expect(
        clippy::print_stderr,
        reason = "the end of the output is what explains a failed test"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let start = output.len().saturating_sub(TAIL);
            let start = (start..output.len())
                .find(|&at| output.is_char_boundary(at))
                .unwrap_or(start);
            eprintln!("--- end of the output of {} ---\n{}", self.name, &output[start..]);
        }
    }
}
