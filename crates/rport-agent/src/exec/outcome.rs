//! How a job ended, in the words of Go agents.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Statuses of a result.
const SUCCESSFUL: &str = "successful";
const FAILED: &str = "failed";
/// Nobody knows how it would have ended; servers show it as "timed out".
pub(super) const UNKNOWN: &str = "unknown";

/// Why a job was ended before it ended itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It took longer than ordered.
    Timeout(Duration),
    /// The server said so.
    Aborted,
    /// The agent is being stopped.
    AgentStopped,
}

/// How the process of a job ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// None if it cannot be waited for, or does not end even when killed.
    pub(super) exit: Option<ExitStatus>,
    /// None if it ended by itself.
    pub(super) stop: Option<Stop>,
    /// Processes that could not be ended.
    pub(super) left: Vec<i32>,
}

impl Outcome {
    /// The status of the result.
    ///
    /// A timeout is `unknown` as ever, although the process does not live on any more.
    pub(super) fn status(&self) -> &'static str {
        match (self.stop, self.exit) {
            (Some(Stop::Timeout(_)), _) => UNKNOWN,
            (None, Some(exit)) if exit.success() => SUCCESSFUL,
            _ => FAILED,
        }
    }

    /// The error of the result: parts joined with commas, empty if all went well.
    pub(super) fn error(&self, stdout_overflow: bool, stderr_overflow: bool, limit: u64) -> String {
        let mut parts = Vec::new();
        match self.exit {
            Some(exit) => parts.extend(describe_exit(exit)),
            None if self.stop.is_none() => {
                parts.push("the end of the process could not be observed".to_owned())
            }
            None => {}
        }
        match self.stop {
            None => {}
            Some(Stop::Timeout(limit)) => {
                parts.push(format!("timeout of {} seconds reached", limit.as_secs()));
            }
            Some(Stop::Aborted) => parts.push("aborted by the server".to_owned()),
            Some(Stop::AgentStopped) => parts.push("the agent was stopped".to_owned()),
        }
        if !self.left.is_empty() {
            parts.push(format!("processes that could not be ended: {}", list(&self.left)));
        }
        for (overflow, stream) in [(stdout_overflow, "stdOut"), (stderr_overflow, "stdErr")] {
            if overflow {
                parts.push(format!(
                    "overflow of {stream} buffer: maximum send_back_limit of {limit} bytes exceeded"
                ));
            }
        }
        parts.join(", ")
    }
}

/// Writes process ids for people; not too many.
pub(super) fn list(pids: &[i32]) -> String {
    const MOST: usize = 20;
    let mut text = pids
        .iter()
        .take(MOST)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    if pids.len() > MOST {
        text.push_str(&format!(" and {} more", pids.len() - MOST));
    }
    text
}

/// The words of Go's `os.ProcessState`; nothing for success.
fn describe_exit(exit: ExitStatus) -> Option<String> {
    if let Some(signal) = exit.signal() {
        let core = if exit.core_dumped() { " (core dumped)" } else { "" };
        return Some(format!("signal: {}{core}", describe_signal(signal)));
    }
    match exit.code() {
        Some(0) => None,
        Some(code) => Some(format!("exit status {code}")),
        None => Some(exit.to_string()),
    }
}

/// The words of Go's `syscall.Signal` on Linux.
fn describe_signal(signal: i32) -> String {
    let words = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(code << 8))
    }

    fn killed(signal: i32) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(signal))
    }

    #[test]
    fn words_are_those_of_go() {
        let timeout = Some(Stop::Timeout(Duration::from_secs(5)));
        for (exit, stop, left, overflow, status, error) in [
            (exited(0), None, vec![], (false, false), "successful", ""),
            (exited(3), None, vec![], (false, false), "failed", "exit status 3"),
            (
                killed(9),
                None,
                vec![],
                (false, false),
                "failed",
                "signal: killed",
            ),
            (
                killed(11 | 128),
                None,
                vec![],
                (false, false),
                "failed",
                "signal: segmentation fault (core dumped)",
            ),
            (
                killed(34),
                None,
                vec![],
                (false, false),
                "failed",
                "signal: signal 34",
            ),
            (
                exited(1),
                None,
                vec![],
                (true, true),
                "failed",
                "exit status 1, overflow of stdOut buffer: maximum send_back_limit of 7 bytes exceeded, overflow of \
                 stdErr buffer: maximum send_back_limit of 7 bytes exceeded",
            ),
            (
                exited(0),
                None,
                vec![],
                (false, true),
                "successful",
                "overflow of stdErr buffer: maximum send_back_limit of 7 bytes exceeded",
            ),
            (
                killed(15),
                timeout,
                vec![],
                (false, false),
                "unknown",
                "signal: terminated, timeout of 5 seconds reached",
            ),
            (
                exited(0),
                timeout,
                vec![],
                (false, false),
                "unknown",
                "timeout of 5 seconds reached",
            ),
            (
                killed(9),
                Some(Stop::Aborted),
                vec![],
                (false, false),
                "failed",
                "signal: killed, aborted by the server",
            ),
            (
                None,
                Some(Stop::AgentStopped),
                vec![3, 4],
                (false, false),
                "failed",
                "the agent was stopped, processes that could not be ended: 3 4",
            ),
            (
                None,
                None,
                vec![],
                (false, false),
                "failed",
                "the end of the process could not be observed",
            ),
        ] {
            let outcome = Outcome { exit, stop, left };
            assert_eq!(outcome.status(), status, "{outcome:?}");
            assert_eq!(outcome.error(overflow.0, overflow.1, 7), error, "{outcome:?}");
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let pids: Vec<i32> = (1..=25).collect();
        assert!(list(&pids).ends_with("20 and 5 more"));
    }
}
