//! The access log: one line per request in Apache's combined format.
//!
//! Differs from RPort: secrets in the query (`access_token`, `auth_password`, …) are written as `***`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use http::{Uri, Version};
use rport_runtime::{Clock, Tasks};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};

use super::request_log::Served;
use crate::metrics_names::LOG_LINES_LOST_TOTAL;

/// Lines waiting for the disk; further ones are lost rather than slowing requests down.
const QUEUE: usize = 4096;
/// Query parameters whose values nobody may read in a log.
const SECRETS: [&str; 12] = [
    "access_token",
    "device_code",
    "id_token",
    "refresh_token",
    "ticket",
    "totp",
    "auth_password",
    "password",
    "new_password",
    "token",
    "code",
    "state",
];

/// Queues lines for the file. Clones write to the same file.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    lines: mpsc::Sender<String>,
    reopen: Arc<Notify>,
    clock: Clock,
}

impl AccessLog {
    /// Opens the file for appending and starts its writer.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) async fn open(path: &Path, clock: Clock, tasks: &Tasks) -> io::Result<Self> {
        let file = open(path).await?;
        let (lines, queue) = mpsc::channel(QUEUE);
        let reopen = Arc::new(Notify::new());
        let writer = Writer {
            file,
            path: path.to_owned(),
            queue,
            reopen: Arc::clone(&reopen),
        };
        let stop = tasks.hard();
        tasks.spawn("access-log", async move {
            tokio::select! {
                () = writer.run() => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(Self { lines, reopen, clock })
    }

    /// Opens the file of that name anew, as soon as the lines under way are written.
    pub(crate) fn reopen(&self) {
        self.reopen.notify_one();
    }

    /// Queues the line of a request.
    pub(crate) fn write(&self, served: &Served) {
        if self.lines.try_send(line(served, self.clock.now_local())).is_err() {
            metrics::counter!(LOG_LINES_LOST_TOTAL).increment(1);
        }
    }
}

async fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path).await
}

struct Writer {
    file: File,
    path: PathBuf,
    queue: mpsc::Receiver<String>,
    reopen: Arc<Notify>,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                // What was logged before the file was moved belongs into the moved one.
                biased;
                count = self.queue.recv_many(&mut batch, 256) => {
                    if count == 0 {
                        return;
                    }
                    self.write(&batch.concat()).await;
                    batch.clear();
                }
                () = self.reopen.notified() => match open(&self.path).await {
                    Ok(file) => self.file = file,
                    Err(error) => tracing::error!(%error, path = %self.path.display(),
                        "the access log cannot be opened anew, the old file stays in use"),
                },
            }
        }
    }

    async fn write(&mut self, lines: &str) {
        let written = match self.file.write_all(lines.as_bytes()).await {
            Ok(()) => self.file.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the access log cannot be written");
        }
    }
}

fn line(served: &Served, now: DateTime<FixedOffset>) -> String {
    let mut line = String::with_capacity(200);
    match served.peer {
        Some(peer) => _ = write!(line, "{peer}"),
        None => line.push('-'),
    }
    _ = write!(
        line,
        " - - [{}] \"{} ",
        now.format("%d/%b/%Y:%H:%M:%S %z"),
        served.method
    );
    push_escaped(&mut line, &redacted(&served.uri));
    let version = match served.version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    };
    _ = write!(
        line,
        " {version}\" {} {} \"",
        served.status.as_u16(),
        served.bytes
    );
    push_escaped(
        &mut line,
        if served.referer.is_empty() {
            "-"
        } else {
            &served.referer
        },
    );
    line.push_str("\" \"");
    push_escaped(
        &mut line,
        if served.user_agent.is_empty() {
            "-"
        } else {
            &served.user_agent
        },
    );
    line.push_str("\"\n");
    line
}

/// The request target with the values of secret parameters hidden.
fn redacted(uri: &Uri) -> String {
    let Some(query) = uri.query() else {
        return uri.path().to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if SECRETS.iter().any(|secret| is_key(key, secret)) => format!("{key}=***"),
        _ => pair.to_owned(),
    });
    format!("{}?{}", uri.path(), pairs.collect::<Vec<_>>().join("&"))
}

/// Whether a raw query key means `name`: any case, and percent-encoded letters count.
fn is_key(raw: &str, name: &str) -> bool {
    percent_encoding::percent_decode_str(raw)
        .decode_utf8_lossy()
        .eq_ignore_ascii_case(name)
}

/// A caller must not be able to end the quotes or the line.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c if c.is_control() => _ = write!(line, "\\x{:02x}", u32::from(c)),
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::{Method, StatusCode};

    use super::*;

    fn check(uri: &str, user_agent: &str, expected: &str) {
        let served = Served {
            peer: Some([203, 0, 113, 9].into()),
            method: Method::GET,
            uri: uri.parse().expect("uri"),
            version: Version::HTTP_11,
            referer: String::new(),
            user_agent: user_agent.to_owned(),
            status: StatusCode::OK,
            bytes: 79,
            started: Instant::now(),
        };
        let now = DateTime::parse_from_rfc3339("2024-03-05T09:07:01+02:00").expect("time");
        assert_eq!(line(&served, now), expected);
    }

    #[test]
    fn lines_are_apache_combined_without_secrets() {
        check(
            "/api/v1/status",
            "curl/8",
            "203.0.113.9 - - [05/Mar/2024:09:07:01 +0200] \"GET /api/v1/status HTTP/1.1\" 200 79 \"-\" \"curl/8\"\n",
        );
        check(
            "/ws?access_token=abc.def&x=1&Auth%5Fpassword=p",
            "evil\" \n",
            "203.0.113.9 - - [05/Mar/2024:09:07:01 +0200] \
             \"GET /ws?access_token=***&x=1&Auth%5Fpassword=*** HTTP/1.1\" 200 79 \"-\" \"evil\\\" \\x0a\"\n",
        );
    }
}
