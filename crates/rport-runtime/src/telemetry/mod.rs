//! Log lines an operator can read and grep.
//!
//! A line looks as it did with the Go programs, with our fields behind the sentence:
//!
//! ```text
//! 2026/11/23 12:00:00 info: server: agent connected client.id=web-1
//! ```
//!
//! Levels are `error`, `warn`, `info` and `debug`. Differs from RPort: it had no `warn`; here warnings are shown on
//! `info` and `debug`, and hidden on `error`. Every event is exactly one line: control characters are escaped, so a
//! hostile name cannot forge one.
//!
//! The prefix comes from the crate that logs: the program itself is `server` or `client`, other crates add their part
//! (`server: api`, `server: tunnel`, `client: link`).

mod layer;
mod line;
mod writer;

use std::{io, net::IpAddr, panic, path::PathBuf, str::FromStr, time::Duration};

use tracing_subscriber::{Registry, layer::SubscriberExt};

pub use writer::Output;
use writer::Writer;

/// Events with this target become HTTP request lines; use [`request_line`].
pub(crate) const REQUEST_TARGET: &str = "rport_request";

/// What is worth a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only what someone should look at.
    Error,
    /// Also what happens: connections, tunnels, HTTP requests.
    #[default]
    Info,
    /// Also why it happens.
    Debug,
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "error" => Ok(Self::Error),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            other => Err(format!(
                "invalid log level: {other:?}; allowed: error, info, debug"
            )),
        }
    }
}

impl LogLevel {
    fn tracing(self) -> tracing::Level {
        match self {
            Self::Error => tracing::Level::ERROR,
            Self::Info => tracing::Level::INFO,
            Self::Debug => tracing::Level::DEBUG,
        }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log file cannot be opened for appending.
    #[error("can't open log file {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The writing thread cannot be started.
    #[error("can't start the log writer: {0}")]
    Thread(io::Error),
    /// A log was set up before in this process.
    #[error("the log is set up already")]
    Twice,
}

/// The running log. Dropping it writes out what is queued.
#[derive(Debug)]
pub struct Telemetry {
    writer: Writer,
}

impl Telemetry {
    /// Sets up the log of this process. `root` is the first prefix: `server` or `client`.
    ///
    /// From here on panics are log lines too. Lines go through a bounded queue to a thread, so that a slow disk
    /// never stalls a task; if the queue is full, lines are dropped and their number is logged.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file cannot be opened, or on the second call.
    pub fn init(root: &'static str, level: LogLevel, output: Output) -> Result<Self, TelemetryError> {
        let writer = Writer::start(output)?;
        let layer = layer::LineLayer::new(root, level.tracing(), writer.sender());
        tracing::subscriber::set_global_default(Registry::default().with(layer))
            .map_err(|_| TelemetryError::Twice)?;
        log_panics();
        Ok(Self { writer })
    }

    /// Opens the log file again under its name, for log rotation. If that fails, the old file stays in use and gets
    /// a line that says so.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    /// Waits until everything logged so far is written, at most a second.
    pub fn flush(&self) {
        self.writer.flush(Duration::from_secs(1));
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Logs one HTTP request the way the Go server does, for log watchers such as fail2ban:
/// `2026/11/23 12:00:00.000 GET /path 404 3ms 19B (203.0.113.7)`.
///
/// The size is left out when it is 0, the address when it is 127.0.0.1, `::1` or unknown.
/// Source: reference `config.md` 5.7; `fail2ban` rules match ` 404 [0-9]+\w+ \(<HOST>\)`.
pub fn request_line(method: &str, path: &str, status: u16, took: Duration, size: u64, peer: Option<IpAddr>) {
    if !tracing::enabled!(target: REQUEST_TARGET, tracing::Level::INFO) {
        return;
    }
    let line = line::request(method, path, status, took, size, peer);
    tracing::info!(target: REQUEST_TARGET, "{line}");
}

fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no text");
        let place = info
            .location()
            .map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
        tracing::error!(panic.place = place, "panic: {text}");
    }));
}
