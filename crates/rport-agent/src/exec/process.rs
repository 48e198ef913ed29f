//! Starting the process of a job, watching it, ending it.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rport_protocol::Job;
use rport_runtime::Tasks;
use rustix::process::Signal;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::capture::Capture;
use super::interpreter::{Invocation, find_program};
use super::outcome::{Outcome, Stop};
use super::processes::{Family, JOB_ID_VARIABLE};

/// How long output may still come after the process has ended. What holds the pipes open longer was left in the
/// background on purpose, and nobody waits for it.
const DRAIN: Duration = Duration::from_secs(1);
/// How long a process may take to end when asked to.
const GRACE: Duration = Duration::from_secs(5);
/// The same when the agent itself has to go.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How long a killed process may take to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// How often to look whether all have gone.
const POLL: Duration = Duration::from_millis(50);
/// Longest time a job may take, so that times can be computed with.
const MAX_TIMEOUT: Duration = Duration::from_secs(366 * 24 * 3600);
/// Time of jobs whose order gives none. Go agents give up at once on those, but their servers never send any.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the agent keeps from its jobs: its own credentials and its init system's.
const HIDDEN_VARIABLES: [&str; 8] = [
    "RPORT_AUTH",
    "RPORT_FINGERPRINT",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
];

/// A process that was started.
#[derive(Debug)]
pub(super) struct Started {
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    family: Family,
}

impl Started {
    /// Process id, and id of the process group.
    pub(super) fn pid(&self) -> i32 {
        self.family.root
    }
}

/// Starts a program in a process group of its own, with nothing to read. Blocks for some milliseconds.
///
/// # Errors
/// The text Go's `exec.Cmd.Start` has.
pub(super) fn start(job: &Job, invocation: Invocation, mark: &str) -> Result<Started, String> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let program = find_program(&invocation.program, &search_path)?;
    let mut command = Command::new(&program);
    command
        .args(&invocation.args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        // Should the task that watches it be dropped: nothing may run that nobody will ever report.
        .kill_on_drop(true)
        .env(JOB_ID_VARIABLE, mark);
    for name in HIDDEN_VARIABLES {
        command.env_remove(name);
    }
    if !job.cwd.is_empty() {
        // The system reports a missing directory like a missing program.
        check_dir(Path::new(&job.cwd))?;
        command.current_dir(&job.cwd);
    }
    let mut child = spawn(&mut command)
        .map_err(|error| format!("fork/exec {}: {}", program.display(), go_text(&error)))?;
    let gone = || "the process was gone at once".to_owned();
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(gone)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(gone());
    };
    Ok(Started {
        child,
        stdout,
        stderr,
        family: Family {
            root: pid,
            mark: mark.to_owned(),
            sudo: job.is_sudo.then_some(invocation.program),
        },
    })
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    /// A script is busy while another thread's new process, on its way to its program, holds a copy of the
    /// descriptor it was written through. That passes within milliseconds.
    const ATTEMPTS: u32 = 20;
    for _ in 1..ATTEMPTS {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    command.spawn()
}

fn check_dir(dir: &Path) -> Result<(), String> {
    let problem = match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "not a directory".to_owned(),
        Err(error) => go_text(&error),
    };
    Err(format!("chdir {}: {problem}", dir.display()))
}

/// The text of a system error without the number, as Go writes it.
fn go_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// How long a job may take.
pub(super) fn time_limit(timeout_sec: i64) -> Duration {
    match u64::try_from(timeout_sec) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds).min(MAX_TIMEOUT),
        _ => DEFAULT_TIMEOUT,
    }
}

/// Watches a process to its end, or ends it with all that belongs to it, and keeps what it prints.
///
/// Both streams have ended when this returns.
pub(super) async fn observe(
    started: Started,
    stdout: &Capture,
    stderr: &Capture,
    limit: Duration,
    abort: CancellationToken,
    tasks: &Tasks,
) -> Outcome {
    let Started {
        mut child,
        stdout: out_pipe,
        stderr: err_pipe,
        family,
    } = started;
    let deadline = sleep(limit);
    let soft = tasks.soft();
    let reading = async {
        tokio::join!(stdout.read(out_pipe), stderr.read(err_pipe));
    };
    tokio::pin!(deadline, reading);
    let mut read_all = false;
    let mut outcome = Outcome::default();
    let stop = loop {
        tokio::select! {
            exit = child.wait() => {
                outcome.exit = exit.ok();
                break None;
            }
            () = &mut reading, if !read_all => read_all = true,
            () = &mut deadline => break Some(Stop::Timeout(limit)),
            () = abort.cancelled() => break Some(Stop::Aborted),
            () = soft.cancelled() => break Some(Stop::AgentStopped),
        }
    };
    if let Some(stop) = stop {
        outcome.stop = Some(stop);
        let grace = if stop == Stop::AgentStopped {
            STOP_GRACE
        } else {
            GRACE
        };
        let ending = end(&family, &mut child, grace, tasks);
        tokio::pin!(ending);
        // What is being ended may want to say so, and must not hang on a full pipe.
        (outcome.exit, outcome.left) = loop {
            tokio::select! {
                ended = &mut ending => break ended,
                () = &mut reading, if !read_all => read_all = true,
            }
        };
    }
    if !read_all {
        let _ = timeout(DRAIN, &mut reading).await;
    }
    stdout.end();
    stderr.end();
    outcome
}

/// Asks all that belong to a job to end, then kills those that did not. Returns how the first process ended, and who
/// is still there.
async fn end(
    family: &Family,
    child: &mut Child,
    grace: Duration,
    tasks: &Tasks,
) -> (Option<ExitStatus>, Vec<i32>) {
    let mut exit = None;
    let mut members = Vec::new();
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, KILL_PATIENCE)] {
        let deadline = Instant::now() + patience;
        let mut first = true;
        while first || Instant::now() < deadline {
            // Those who start others while we look are killed again and again; asking is done once.
            let send = first || signal == Signal::KILL;
            first = false;
            let family = family.clone();
            let looking = tasks.spawn_blocking("signal a job", move || {
                if send {
                    family.signal(signal)
                } else {
                    family.members()
                }
            });
            members = looking.await.unwrap_or_default();
            if members.is_empty() && exit.is_some() {
                return (exit, members);
            }
            tokio::select! {
                ended = child.wait(), if exit.is_none() => exit = ended.ok(),
                () = sleep(POLL) => {}
            }
        }
    }
    (exit, members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_sane() {
        for (seconds, expected) in [
            (1, Duration::from_secs(1)),
            (60, Duration::from_secs(60)),
            (0, DEFAULT_TIMEOUT),
            (-1, DEFAULT_TIMEOUT),
            (i64::MIN, DEFAULT_TIMEOUT),
            (i64::MAX, MAX_TIMEOUT),
        ] {
            assert_eq!(time_limit(seconds), expected);
        }
    }

    #[test]
    fn errors_of_the_system_read_as_from_go() {
        let error = io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
        assert_eq!(go_text(&error), "no such file or directory");
        let error = io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        assert_eq!(go_text(&error), "permission denied");
        assert_eq!(
            check_dir(Path::new("/no/such")),
            Err("chdir /no/such: no such file or directory".to_owned())
        );
        assert_eq!(
            check_dir(Path::new("/dev/null")),
            Err("chdir /dev/null: not a directory".to_owned())
        );
    }
}
