//! How long to wait after a failed accept.

use std::io;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// Growing pause between failing accepts.
///
/// When the process is out of file descriptors, accept fails at once, and again, until one is free: without a pause
/// the loop would burn a core exactly when the machine is in trouble.
#[derive(Debug, Default)]
pub(crate) struct AcceptBackoff {
    last: Option<Duration>,
}

impl AcceptBackoff {
    /// Forgets earlier failures.
    pub(crate) fn succeeded(&mut self) {
        self.last = None;
    }

    /// The pause due after `error`; `None` when only that one visitor was lost.
    pub(crate) fn failed(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return None;
        }
        let pause = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut backoff = AcceptBackoff::default();
        let full = io::Error::other("too many open files");
        assert_eq!(backoff.failed(&full), Some(FIRST));
        assert_eq!(backoff.failed(&full), Some(FIRST * 2));
        assert_eq!(backoff.failed(&io::ErrorKind::ConnectionAborted.into()), None);
        for _ in 0..20 {
            backoff.failed(&full);
        }
        assert_eq!(backoff.failed(&full), Some(LONGEST));
        backoff.succeeded();
        assert_eq!(backoff.failed(&full), Some(FIRST));
    }
}
