//! The agent's memory of jobs, on disk: what was started, results on their way, what is done.
//!
//! One file per job in `DATA_DIR/jobs`, named after its id:
//!
//! ```text
//! ID.running   the order; written and synced before the process is started
//! ID.result    the result; written and synced when it has ended, then ID.running goes
//! ID.done      empty: the server acknowledged the result
//! ```
//!
//! So whenever the agent is killed, it later knows every job it may have started, and no job is started twice. A
//! directory belongs to one agent at a time: `lock` in it is locked as long as the agent lives.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rport_protocol::{Job, json};
use rport_runtime::fsutil;
use rustix::fs::{FlockOperation, flock};

/// How long finished jobs are remembered, so that they are not started again.
const REMEMBER: TimeDelta = TimeDelta::days(7);
/// Most finished jobs that are remembered. The oldest go first.
const MOST_DONE: usize = 10_000;
/// How long a result waits for a server that wants it.
const KEEP_RESULTS: TimeDelta = TimeDelta::days(30);

/// What is known of a job from an earlier run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its process was started, or about to be, when the agent ended.
    Interrupted(Box<Job>),
    /// Its result was not acknowledged.
    Result,
    /// Over.
    Done,
}

/// The directory, locked.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    _lock: File,
}

impl Spool {
    /// Opens the directory, which only the agent's user may enter, and makes it if missing. Returns what lies there.
    ///
    /// # Errors
    /// Whatever the file system says; `WouldBlock` if another agent has it.
    pub(super) fn open(data_dir: &Path, now: DateTime<Utc>) -> io::Result<(Self, Vec<(String, Found)>)> {
        let dir = data_dir.join("jobs");
        fsutil::create_dir(&dir, 0o700)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let spool = Self { dir, _lock: lock };
        let found = spool.load(now)?;
        Ok((spool, found))
    }

    /// Returns whether there is anything to open.
    pub(super) fn exists(data_dir: &Path) -> bool {
        data_dir.join("jobs").is_dir()
    }

    /// Notes that a job is about to be started.
    ///
    /// # Errors
    /// Nothing is noted, and the job must not be started.
    pub(super) fn begin(&self, id: &str, order: &Job) -> io::Result<()> {
        fsutil::atomic_write(&self.path(id, "running"), &json::encode(order), 0o600)
    }

    /// Takes the note back: the job was not started.
    pub(super) fn withdraw(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.path(id, "running"))
    }

    /// Stores a result.
    ///
    /// # Errors
    /// It is not stored; after a restart the job will count as interrupted.
    pub(super) fn finish(&self, id: &str, result: &Job) -> io::Result<()> {
        fsutil::atomic_write(&self.path(id, "result"), &json::encode(result), 0o600)?;
        match self.withdraw(id) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads a stored result.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(super) fn result(&self, id: &str) -> io::Result<Job> {
        read_job(&self.path(id, "result"))
    }

    /// Reads a stored result as it goes over the wire.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn payload(&self, id: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(id, "result"))
    }

    /// Drops a result, but not that the job was there.
    ///
    /// # Errors
    /// Whatever the file system says; the result may then be delivered again after a restart.
    pub(super) fn acknowledge(&self, id: &str) -> io::Result<()> {
        let done = self.path(id, "done");
        match fs::rename(self.path(id, "result"), &done) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fsutil::atomic_write(&done, b"", 0o600)?;
                let _ = self.withdraw(id);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => OpenOptions::new().write(true).open(&done)?.set_len(0),
        }
    }

    /// Forgets jobs that are over for long, and returns their ids.
    pub(super) fn forget_old(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut done: Vec<(DateTime<Utc>, String, PathBuf)> = self
            .entries()
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| entry.extension == "done")
            .filter_map(|entry| Some((modified(&entry.path)?, entry.id, entry.path)))
            .collect();
        done.sort_unstable();
        let surplus = done.len().saturating_sub(MOST_DONE);
        done.into_iter()
            .enumerate()
            .filter(|(place, (at, ..))| *place < surplus || now - *at > REMEMBER)
            .filter(|(_, (.., path))| fs::remove_file(path).is_ok())
            .map(|(_, (_, id, _))| id)
            .collect()
    }

    fn load(&self, now: DateTime<Utc>) -> io::Result<Vec<(String, Found)>> {
        self.forget_old(now);
        let mut found = std::collections::BTreeMap::new();
        for Entry { id, extension, path } in self.entries()? {
            match extension.as_str() {
                "done" => {
                    found.insert(id, Found::Done);
                }
                "result" => {
                    if modified(&path).is_some_and(|at| now - at > KEEP_RESULTS) {
                        tracing::warn!(job.id = %id, "no server took the result for a month; it is dropped");
                        self.acknowledge(&id)?;
                        found.insert(id, Found::Done);
                    } else {
                        found.entry(id).or_insert(Found::Result);
                    }
                }
                "running" if !self.path(&id, "result").exists() && !self.path(&id, "done").exists() => {
                    let order = read_job(&path).unwrap_or_else(|error| {
                        tracing::warn!(job.id = %id, "the order cannot be read: {error}");
                        Job {
                            jid: id.clone(),
                            ..Job::default()
                        }
                    });
                    found.insert(id, Found::Interrupted(Box::new(order)));
                }
                // Written between two steps of `finish`.
                "running" => fs::remove_file(path)?,
                _ => {}
            }
        }
        Ok(found.into_iter().collect())
    }

    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.starts_with('.') {
                // Half of a write that a crash interrupted.
                let _ = fs::remove_file(&path);
                continue;
            }
            let Some((id, extension)) = name.split_once('.') else {
                continue;
            };
            if let Some(id) = decode_name(id) {
                let extension = extension.to_owned();
                entries.push(Entry { id, extension, path });
            }
        }
        Ok(entries)
    }

    fn path(&self, id: &str, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", encode_name(id)))
    }
}

struct Entry {
    id: String,
    extension: String,
    path: PathBuf,
}

fn modified(path: &Path) -> Option<DateTime<Utc>> {
    Some(fs::metadata(path).ok()?.modified().ok()?.into())
}

fn read_job(path: &Path) -> io::Result<Job> {
    json::decode(&fs::read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// Makes a file name of an id, which is the server's and may contain anything: letters, digits and `-` stand for
/// themselves, other bytes are `_` and two hexadecimal digits.
fn encode_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    name
}

fn decode_name(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'_' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use proptest::prelude::*;
    use rport_protocol::JobResult;

    use super::*;

    fn now() -> DateTime<Utc> {
        rport_runtime::Clock::system().now()
    }

    fn job(id: &str) -> Job {
        Job {
            jid: id.to_owned(),
            command: "echo".to_owned(),
            ..Job::default()
        }
    }

    fn result(id: &str) -> Job {
        Job {
            result: Some(JobResult::default()),
            ..job(id)
        }
    }

    fn open(dir: &Path) -> (Spool, Vec<(String, Found)>) {
        Spool::open(dir, now()).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir.join("jobs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_state_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, found) = open(dir.path());
        assert!(found.is_empty());
        for id in ["withdrawn", "running", "../finished", "done"] {
            spool.begin(id, &job(id)).unwrap();
        }
        spool.withdraw("withdrawn").unwrap();
        for id in ["../finished", "done"] {
            spool.finish(id, &result(id)).unwrap();
        }
        assert_eq!(spool.result("../finished").unwrap(), result("../finished"));
        spool.acknowledge("done").unwrap();
        assert_eq!(
            names(dir.path()),
            ["_2e_2e_2ffinished.result", "done.done", "lock", "running.running"]
        );
        for name in names(dir.path()) {
            let mode = fs::metadata(dir.path().join("jobs").join(&name)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(dir.path().join("jobs/done.done")).unwrap().len(), 0);
        drop(spool);

        let (_spool, found) = open(dir.path());
        assert_eq!(
            found,
            [
                ("../finished".to_owned(), Found::Result),
                ("done".to_owned(), Found::Done),
                ("running".to_owned(), Found::Interrupted(Box::new(job("running")))),
            ]
        );
    }

    #[test]
    fn a_crash_between_two_steps_leaves_the_later_state() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = open(dir.path());
        spool.begin("a", &job("a")).unwrap();
        spool.finish("a", &result("a")).unwrap();
        spool.begin("a", &job("a")).unwrap();
        fs::write(dir.path().join("jobs/.a.result.x.tmp"), "half").unwrap();
        fs::write(dir.path().join("jobs/b.running"), "not json").unwrap();
        fs::write(dir.path().join("jobs/stranger"), "").unwrap();
        drop(spool);
        let (_spool, found) = open(dir.path());
        let blank = Job {
            jid: "b".to_owned(),
            ..Job::default()
        };
        assert_eq!(
            found,
            [
                ("a".to_owned(), Found::Result),
                ("b".to_owned(), Found::Interrupted(Box::new(blank))),
            ]
        );
        assert_eq!(names(dir.path()), ["a.result", "b.running", "lock", "stranger"]);
    }

    #[test]
    fn a_directory_belongs_to_one_agent() {
        let dir = tempfile::tempdir().unwrap();
        let (first, _) = open(dir.path());
        let refused = Spool::open(dir.path(), now()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        open(dir.path());
    }

    #[test]
    fn what_is_done_is_forgotten_in_the_end_and_old_results_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = open(dir.path());
        for id in ["done", "waiting"] {
            spool.begin(id, &job(id)).unwrap();
            spool.finish(id, &result(id)).unwrap();
        }
        spool.acknowledge("done").unwrap();
        assert!(spool.forget_old(now()).is_empty());
        assert_eq!(spool.forget_old(now() + TimeDelta::days(8)), ["done"]);
        drop(spool);
        let (_spool, found) = Spool::open(dir.path(), now() + TimeDelta::days(31)).unwrap();
        assert_eq!(found, [("waiting".to_owned(), Found::Done)]);
    }

    proptest! {
        #[test]
        fn any_id_is_a_file_name(id in prop::collection::vec(any::<char>(), 0..16).prop_map(String::from_iter)) {
            let name = encode_name(&id);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(decode_name(&name), Some(id));
        }

        #[test]
        fn any_file_name_is_read_without_harm(name in "\\PC{0,20}") {
            let _ = decode_name(&name);
        }
    }
}
