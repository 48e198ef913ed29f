//! A server process that does not outlive the tests.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::Context;

/// Starts a server and waits for a word. `stop` ends the server only; the end of the input, which comes also when the
/// tests are killed, removes the directory as well.
const SUPERVISE: &str = "trap '' INT TERM HUP; dir=$1; signal=$2; shift 2; \"$@\" <&- & server=$!; \
                         echo $server > \"$dir/server.pid\"; word=; read -r word; \
                         kill -$signal $server; wait $server; [ \"$word\" = stop ] || rm -rf \"$dir\"";

/// A server and the shell that watches over it.
pub(super) struct Supervised {
    shell: Child,
    orders: Option<ChildStdin>,
    pid_file: PathBuf,
}

/// Where the server's output goes.
pub(super) fn output(dir: &Path) -> PathBuf {
    dir.join("server.out")
}

impl Supervised {
    /// Starts a server that keeps everything below `dir` and ends at once, workers included, on `signal`.
    pub(super) fn start(command: &Command, dir: &Path, signal: &str) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(output(dir))?;
        let pid_file = dir.join("server.pid");
        // That of an earlier run would count as this server's.
        if pid_file.exists() {
            std::fs::remove_file(&pid_file)?;
        }
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SUPERVISE, "sh"])
            .arg(dir)
            .arg(signal)
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut shell = shell.spawn().context("cannot start sh")?;
        let orders = shell.stdin.take();
        Ok(Self {
            shell,
            orders,
            pid_file,
        })
    }

    /// Whether the server has started and ended again. Its shell waits for orders even then.
    pub(super) fn has_ended(&self) -> bool {
        let Ok(pid) = std::fs::read_to_string(&self.pid_file) else {
            return false;
        };
        // Nobody waits for it before the orders come, so it stays there as a zombie.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        !pid.trim().is_empty() && stat.is_ok_and(|stat| stat.contains(") Z "))
    }

    /// Ends the server and waits until it is gone. The directory stays.
    pub(super) fn stop(mut self) {
        if let Some(mut orders) = self.orders.take() {
            // Refused only when the shell is gone, and the server with it.
            let _ = orders.write_all(b"stop\n");
        }
        let _ = self.shell.wait();
    }
}
