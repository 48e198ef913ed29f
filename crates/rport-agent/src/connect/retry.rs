//! When to try again.

use std::time::Duration;

use rport_runtime::Backoff;

/// Shortest pause; the first one is drawn between this and its double.
///
/// Differs from RPort: a Go agent waits 5 s first and up to 10 s more before it says what it is.
const MIN_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause after the loss of a link that had been accepted. The server was well a moment ago, so growing
/// pauses only serve to calm an agent whose links keep breaking.
const MAX_PAUSE_AFTER_LOSS: Duration = Duration::from_secs(8);

/// A link that lived this long counts as a good one.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(30);

/// Decides on pauses and on giving up.
///
/// Failures to get accepted and losses of accepted links are counted apart: the former grow to the configured
/// maximum, because the server is down or does not want us; the latter stay short, because people wait for the
/// machine to come back.
#[derive(Debug)]
pub(super) struct RetryPolicy {
    failures: Backoff,
    losses: Backoff,
    /// Failed attempts in a row after which to give up; `None` for never.
    max_failures: Option<u32>,
    failed: u32,
}

impl RetryPolicy {
    /// Makes a policy. A negative `max_retry_count` means never to give up.
    pub(super) fn new(max_retry_interval: Duration, max_retry_count: i64) -> Self {
        Self::with(
            |max| Backoff::new(MIN_PAUSE, max, 2.0),
            max_retry_interval,
            max_retry_count,
        )
    }

    fn with(
        backoff: impl Fn(Duration) -> Backoff,
        max_retry_interval: Duration,
        max_retry_count: i64,
    ) -> Self {
        Self {
            failures: backoff(max_retry_interval),
            losses: backoff(MAX_PAUSE_AFTER_LOSS.min(max_retry_interval)),
            // A count beyond the number range is as good as never.
            max_failures: u32::try_from(max_retry_count).ok(),
            failed: 0,
        }
    }

    /// Returns the pause after a failed attempt, or `None` to give up.
    pub(super) fn failed(&mut self) -> Option<Duration> {
        if self.max_failures.is_some_and(|max| self.failed >= max) {
            return None;
        }
        self.failed = self.failed.saturating_add(1);
        Some(self.failures.next())
    }

    /// Notes that the server accepted us.
    pub(super) fn accepted(&mut self) {
        self.failures.reset();
        self.failed = 0;
    }

    /// Returns the pause after the loss of an accepted link that lived for `lifetime`.
    pub(super) fn lost(&mut self, lifetime: Duration) -> Duration {
        if lifetime >= STABLE_AFTER {
            self.losses.reset();
        }
        self.losses.next()
    }

    /// Says for the log how many attempts have been made again, with a blank before: ` (attempt: 3 of infinite)`.
    pub(super) fn describe(&self) -> String {
        match (self.failed, self.max_failures) {
            (0, _) => String::new(),
            (failed, Some(max)) => format!(" (attempt: {failed} of {max})"),
            (failed, None) => format!(" (attempt: {failed} of infinite)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(300);

    fn policy(count: i64) -> RetryPolicy {
        RetryPolicy::with(|max| Backoff::seeded(MIN_PAUSE, max, 2.0, 7), MAX, count)
    }

    #[test]
    fn the_first_pause_is_short_and_later_ones_reach_the_maximum() {
        let mut policy = policy(-1);
        let first = policy.failed().expect("never gives up");
        assert!(first >= MIN_PAUSE && first <= 2 * MIN_PAUSE, "{first:?}");
        let longest = (0..200)
            .filter_map(|_| policy.failed())
            .max()
            .expect("never gives up");
        assert!(longest > MAX / 2 && longest <= MAX, "{longest:?}");
        policy.accepted();
        let again = policy.failed().expect("never gives up");
        assert!(again <= 2 * MIN_PAUSE, "{again:?}");
    }

    #[test]
    fn gives_up_after_the_configured_number_of_failures() {
        let mut never = policy(0);
        assert_eq!(never.failed(), None);
        let mut twice = policy(2);
        assert_eq!(twice.describe(), "");
        assert!(twice.failed().is_some());
        twice.accepted();
        assert!(twice.failed().is_some() && twice.failed().is_some());
        assert_eq!(twice.describe(), " (attempt: 2 of 2)");
        assert_eq!(twice.failed(), None);
    }

    #[test]
    fn losses_never_cause_long_pauses() {
        let mut policy = policy(-1);
        for _ in 0..100 {
            assert!(policy.lost(Duration::ZERO) <= MAX_PAUSE_AFTER_LOSS);
        }
        assert!(policy.lost(STABLE_AFTER) <= 2 * MIN_PAUSE);
    }
}
