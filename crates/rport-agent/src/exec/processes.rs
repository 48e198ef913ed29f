//! Which processes belong to a job.
//!
//! A job's first process leads a process group of its own; what it starts is in that group unless it leaves it. Those
//! that left are recognised as descendants, as long as the chain of parents is whole, and by an environment variable
//! that the first process gets and the others inherit. What left the group, lost its parents and cleaned its
//! environment is not found: only control groups could, and an agent that is not root has none.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, getpid, kill_process, kill_process_group, test_kill_process};

/// The environment variable with the job's id.
pub(super) const JOB_ID_VARIABLE: &str = "RPORT_JOB_ID";

/// A job as its processes are found.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// Process id of the first process, and id of its group.
    pub(super) root: i32,
    /// Value of [`JOB_ID_VARIABLE`].
    pub(super) mark: String,
    /// Program to send signals with where we may not, for jobs that run through it.
    pub(super) sudo: Option<OsString>,
}

/// One line of the process table.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    pid: i32,
    zombie: bool,
    parent: i32,
    group: i32,
}

impl Family {
    /// Finds the living members. Reads the process table, which takes some milliseconds.
    pub(super) fn members(&self) -> Vec<i32> {
        let entries = table();
        let own = getpid().as_raw_nonzero().get();
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for entry in &entries {
            children.entry(entry.parent).or_default().push(entry.pid);
        }
        let marked = format!("{JOB_ID_VARIABLE}={}", self.mark);
        let mut found: HashSet<i32> = HashSet::new();
        let mut open: Vec<i32> = entries
            .iter()
            .filter(|entry| {
                entry.pid == self.root || entry.group == self.root || has_mark(entry.pid, &marked)
            })
            .map(|entry| entry.pid)
            .collect();
        while let Some(pid) = open.pop() {
            // An agent that was itself started by a job carries that job's mark.
            if pid != own && found.insert(pid) {
                open.extend(children.get(&pid).into_iter().flatten());
            }
        }
        entries
            .iter()
            .filter(|entry| !entry.zombie && found.contains(&entry.pid))
            .map(|entry| entry.pid)
            .collect()
    }

    /// Sends a signal to every member and returns those that were there. Blocks for some milliseconds, with `sudo`
    /// up to a second.
    pub(super) fn signal(&self, signal: Signal) -> Vec<i32> {
        let members = self.members();
        let Some(group) = Pid::from_raw(self.root) else {
            return members;
        };
        // The group at once, so that none of it can start others between two of our signals; the others one by one.
        // Nobody gets it twice: some programs take a second request to end for an order to drop everything.
        let _ = kill_process_group(group, signal);
        let denied: Vec<i32> = members
            .iter()
            .copied()
            .filter(|pid| {
                Pid::from_raw(*pid).is_some_and(|pid| {
                    let sent = if getpgid(Some(pid)) == Ok(group) {
                        test_kill_process(pid)
                    } else {
                        kill_process(pid, signal)
                    };
                    sent == Err(rustix::io::Errno::PERM)
                })
            })
            .collect();
        if let (Some(sudo), false) = (&self.sudo, denied.is_empty()) {
            signal_with(sudo, signal, &denied);
        }
        members
    }
}

/// Asks `sudo` to send a signal: processes it started belong to another user.
fn signal_with(sudo: &OsStr, signal: Signal, pids: &[i32]) {
    let mut kill = std::process::Command::new(sudo);
    kill.args(["-n", "kill", &format!("-{}", signal.as_raw()), "--"])
        .args(pids.iter().map(ToString::to_string))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let Ok(mut child) = kill.spawn() else { return };
    for _ in 0..20 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn table() -> Vec<Entry> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// Reads `/proc/PID/stat`. The second field is the name in parentheses and may contain anything, also these.
fn parse_stat(stat: &[u8]) -> Option<Entry> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let start = stat.iter().position(|byte| *byte == b'(')?;
    let pid = std::str::from_utf8(&stat[..start]).ok()?.trim().parse().ok()?;
    let mut fields = std::str::from_utf8(&stat[end + 1..])
        .ok()?
        .split_ascii_whitespace();
    let state = fields.next()?;
    Some(Entry {
        pid,
        zombie: matches!(state, "Z" | "X"),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

fn has_mark(pid: i32, marked: &str) -> bool {
    // Unreadable for processes of other users, which are not ours to end either.
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
        environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == marked.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_may_be_anything() {
        let entry = |pid, zombie, parent, group| {
            Some(Entry {
                pid,
                zombie,
                parent,
                group,
            })
        };
        assert_eq!(parse_stat(b"7 (sh) S 1 7 7 0 -1"), entry(7, false, 1, 7));
        assert_eq!(parse_stat(b"8 (a) S 9 9 (b) Z 2 3 4"), entry(8, true, 2, 3));
        assert_eq!(parse_stat(b"8 (\xff\xfe) R 2 3 4"), entry(8, false, 2, 3));
        for bad in [
            &b""[..],
            b"8",
            b"8 (a",
            b"8 (a)",
            b"8 (a) S",
            b"8 (a) S x y",
            b")8 (",
        ] {
            assert_eq!(parse_stat(bad), None);
        }
    }

    #[test]
    fn we_are_in_the_table_and_in_no_family() {
        let own = getpid().as_raw_nonzero().get();
        assert!(table().iter().any(|entry| entry.pid == own && !entry.zombie));
        let family = Family {
            root: own,
            mark: "no such job".to_owned(),
            sudo: None,
        };
        assert!(!family.members().contains(&own));
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_stat(&bytes);
        }
    }
}
