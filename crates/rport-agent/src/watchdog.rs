//! Telling the outside world that the agent is alive: `state.json` and the watchdog of systemd.
//!
//! Source: openrport `client/watchdog.go`. The file is written, and systemd is notified, at the start, when a
//! connection is accepted, after each answered ping, and before each pause between attempts. Differs from RPort: it
//! also happens once a minute during a pause, because a pause may be longer than any reasonable `WatchdogSec`.

use std::path::{Path, PathBuf};

use rport_runtime::{Clock, Tasks, fsutil, systemd};
use serde::Serialize;
use tokio::sync::mpsc;
use tracing::error;

/// Name of the file in the data directory.
pub(crate) const STATE_FILE: &str = "state.json";

/// Reports waiting to be written. Written files are small; more than a few waiting means the disk hangs, and then
/// the latest news is worth no more than an older one.
const QUEUE: usize = 8;

/// What the agent is doing, in the words of `state.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WatchdogState {
    Initialized,
    Connected,
    Reconnecting,
}

#[derive(Debug, Serialize)]
struct StateFile<'a> {
    last_update: String,
    last_update_ts: i64,
    last_state: WatchdogState,
    last_message: &'a str,
}

/// A way to report; does nothing when the integration is switched off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchdog {
    reports: Option<mpsc::Sender<(WatchdogState, String)>>,
}

impl Watchdog {
    /// Starts the writer, and reports that the agent is there.
    pub(crate) fn start(data_dir: &Path, clock: Clock, tasks: &Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let path = data_dir.join(STATE_FILE);
        let writer_tasks = tasks.clone();
        tasks.spawn("watchdog", write_reports(path, clock, receiver, writer_tasks));
        let watchdog = Self {
            reports: Some(sender),
        };
        watchdog.report(WatchdogState::Initialized, String::new());
        watchdog
    }

    /// Returns whether reports go anywhere.
    pub(crate) fn is_active(&self) -> bool {
        self.reports.is_some()
    }

    /// Reports; never waits.
    pub(crate) fn report(&self, state: WatchdogState, message: String) {
        if let Some(reports) = &self.reports {
            let _ = reports.try_send((state, message));
        }
    }
}

async fn write_reports(
    path: PathBuf,
    clock: Clock,
    mut reports: mpsc::Receiver<(WatchdogState, String)>,
    tasks: Tasks,
) {
    let soft = tasks.soft();
    while let Some(Some((state, message))) = soft.run_until_cancelled(reports.recv()).await {
        systemd::watchdog();
        let content = render(&clock, state, &message);
        let path = path.clone();
        let written = tasks.spawn_blocking("write state file", move || {
            fsutil::atomic_write(&path, content.as_bytes(), 0o644)
                .map_err(|error| format!("failed to write watchdog state file {}: {error}", path.display()))
        });
        // The file is written again soon; a panic of the writer was logged where it happened.
        if let Ok(Err(text)) = written.await {
            error!("{text}");
        }
    }
}

fn render(clock: &Clock, state: WatchdogState, message: &str) -> String {
    let now = clock.now_local();
    let file = StateFile {
        last_update: now.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        last_update_ts: now.timestamp(),
        last_state: state,
        last_message: message,
    };
    serde_json::to_string_pretty(&file).expect("a struct of texts and numbers serialises")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[test]
    fn the_file_has_the_known_shape() {
        let clock = Clock::manual("2026-01-02T03:04:05.5Z".parse().unwrap());
        assert_eq!(
            render(&clock, WatchdogState::Connected, "ping \"ok\""),
            "{\n  \"last_update\": \"2026-01-02T03:04:05.500Z\",\n  \"last_update_ts\": 1767323045,\n  \
             \"last_state\": \"connected\",\n  \"last_message\": \"ping \\\"ok\\\"\"\n}"
        );
    }

    #[tokio::test]
    async fn reports_reach_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let watchdog = Watchdog::start(dir.path(), Clock::system(), &tasks);
        watchdog.report(WatchdogState::Reconnecting, "Retrying in 1s...".to_owned());
        let path = dir.path().join(STATE_FILE);
        let arrived = async {
            while !std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"reconnecting\"")) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), arrived)
            .await
            .expect("the file is written");
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 0);
    }

    #[test]
    fn nothing_happens_when_switched_off() {
        let watchdog = Watchdog::default();
        assert!(!watchdog.is_active());
        watchdog.report(WatchdogState::Connected, String::new());
    }
}
