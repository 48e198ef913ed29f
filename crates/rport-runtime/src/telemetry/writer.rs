//! The thread that writes log lines.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{TelemetryError, line};
use crate::Clock;

/// Lines that may wait for the disk; more are dropped and counted.
const QUEUE: usize = 8192;

/// Bytes gathered for one write.
const BATCH: usize = 64 * 1024;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, appended to, created with mode 0644.
    File(PathBuf),
}

enum Command {
    Line(String),
    Reopen,
    Flush(SyncSender<()>),
}

/// Hands lines to the thread, never waits.
#[derive(Clone)]
pub(super) struct Sender {
    queue: SyncSender<Command>,
    dropped: Arc<AtomicU64>,
}

impl Sender {
    pub(super) fn send(&self, line: String) {
        if self.queue.try_send(Command::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(super) struct Writer {
    sender: Sender,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn start(output: Output) -> Result<Self, TelemetryError> {
        let sink = Sink::open(&output)?;
        let (queue, commands) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let thread = Thread {
            commands,
            output,
            sink,
            dropped: dropped.clone(),
            pending: Vec::new(),
        };
        let builder = std::thread::Builder::new().name("log".to_owned());
        builder
            .spawn(move || thread.run())
            .map_err(TelemetryError::Thread)?;
        Ok(Self {
            sender: Sender { queue, dropped },
        })
    }

    pub(super) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    pub(super) fn reopen(&self) {
        // The queue takes commands from one place at human speed; waiting for a free slot is fine here.
        let _ = self.sender.queue.send(Command::Reopen);
    }

    pub(super) fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.sender.queue.try_send(Command::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(limit);
        }
    }
}

enum Sink {
    Stdout,
    File(File),
}

impl Sink {
    fn open(output: &Output) -> Result<Self, TelemetryError> {
        match output {
            Output::Stdout => Ok(Self::Stdout),
            Output::File(path) => open_append(path)
                .map(Self::File)
                .map_err(|source| TelemetryError::Open {
                    path: path.clone(),
                    source,
                }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::File(file) => file.write_all(bytes),
        }
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)
}

struct Thread {
    commands: Receiver<Command>,
    output: Output,
    sink: Sink,
    dropped: Arc<AtomicU64>,
    pending: Vec<u8>,
}

impl Thread {
    fn run(mut self) {
        while let Ok(first) = self.commands.recv() {
            self.handle(first);
            while self.pending.len() < BATCH {
                match self.commands.try_recv() {
                    Ok(command) => self.handle(command),
                    Err(_) => break,
                }
            }
            self.write_out();
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Line(line) => self.pending.extend_from_slice(line.as_bytes()),
            Command::Reopen => {
                self.write_out();
                match Sink::open(&self.output) {
                    Ok(sink) => self.sink = sink,
                    Err(error) => self.own_line(tracing::Level::ERROR, &error.to_string()),
                }
            }
            Command::Flush(done) => {
                self.write_out();
                // Nobody waits any more when the flush took too long.
                let _ = done.send(());
            }
        }
    }

    fn write_out(&mut self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.own_line(
                tracing::Level::WARN,
                &format!("{dropped} log lines were dropped, writing is too slow"),
            );
        }
        if self.pending.is_empty() {
            return;
        }
        // A full disk or a closed pipe must not stop the program; the lines are lost, as nothing else could be done.
        let _ = self.sink.write(&self.pending);
        self.pending.clear();
    }

    /// A line about the log itself. It cannot go through tracing, which would end in this thread's own queue.
    fn own_line(&mut self, level: tracing::Level, text: &str) {
        let mut fields = line::Fields::default();
        line::escape(&mut fields.message, text);
        let line = line::event(Clock::system().now_local(), level, "log", &fields, "");
        self.pending.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn appends_and_follows_a_rotation() {
        let folder = tempfile::tempdir().expect("folder");
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        fs::write(&path, "before\n").expect("written");
        let writer = Writer::start(Output::File(path.clone())).expect("started");
        writer.sender().send("one\n".to_owned());
        writer.flush(LONG);
        fs::rename(&path, &old).expect("renamed");
        writer.sender().send("two\n".to_owned());
        writer.reopen();
        writer.sender().send("three\n".to_owned());
        writer.flush(LONG);
        assert_eq!(fs::read_to_string(&old).expect("read"), "before\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).expect("read"), "three\n");
        assert_eq!(
            fs::metadata(&path).expect("exists").permissions().mode() & 0o022,
            0
        );
    }

    #[test]
    fn a_failed_reopen_keeps_the_old_file() {
        let folder = tempfile::tempdir().expect("folder");
        let (inside, moved) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir(&inside).expect("created");
        let writer = Writer::start(Output::File(inside.join("log"))).expect("started");
        fs::rename(&inside, &moved).expect("renamed");
        writer.reopen();
        writer.sender().send("still here\n".to_owned());
        writer.flush(LONG);
        let text = fs::read_to_string(moved.join("log")).expect("read");
        assert!(
            text.contains("error: log: can't open log file") && text.ends_with("still here\n"),
            "{text}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = Writer::start(Output::File("/no/such/folder/log".into()))
            .expect_err("no folder")
            .to_string();
        assert!(
            error.starts_with("can't open log file /no/such/folder/log: "),
            "{error}"
        );
    }
}
