//! When a tunnel was last used.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Tells whether a tunnel is in use, or since when it is not.
///
/// A TCP tunnel is in use while a connection is open; afterwards the time counts from the last close. A UDP tunnel
/// counts from the last datagram in either direction. A tunnel never used counts from its start.
#[derive(Debug)]
pub(crate) struct Activity {
    started: Instant,
    open: AtomicUsize,
    /// Milliseconds between `started` and the last sign of life.
    last: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            open: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }

    /// Notes a sign of life.
    pub(crate) fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Counts one connection as open until the guard is dropped, unless `limit` are open already.
    pub(crate) fn enter<A: AsRef<Activity>>(owner: A, limit: usize) -> Option<OpenGuard<A>> {
        let open = &owner.as_ref().open;
        let entered = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
            (n < limit).then_some(n + 1)
        });
        // Lazily: a guard that is made and dropped would count a connection out that never came in.
        entered.is_ok().then(|| OpenGuard { owner })
    }

    fn last_used(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Returns once the tunnel was unused for `limit`. Wakes at most once per `limit` while it is in use.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let due = if self.open() > 0 {
                now + limit
            } else {
                self.last_used() + limit
            };
            if due <= now {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct OpenGuard<A: AsRef<Activity>> {
    owner: A,
}

impl<A: AsRef<Activity>> OpenGuard<A> {
    /// What the guard was taken from.
    pub(crate) fn owner(&self) -> &A {
        &self.owner
    }
}

impl<A: AsRef<Activity>> Drop for OpenGuard<A> {
    fn drop(&mut self) {
        let activity = self.owner.as_ref();
        // The time first: whoever sees no open connection must see when the last one closed.
        activity.touch();
        activity.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn time_until_idle(activity: &Activity, limit: Duration) -> Duration {
        let start = Instant::now();
        activity.idle_for(limit).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn unused_counts_from_the_start() {
        let activity = Activity::new();
        assert_eq!(time_until_idle(&activity, MINUTE).await, MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_from_the_last_close_to_the_millisecond() {
        let activity = Arc::new(Activity::new());
        let guard = Activity::enter(ByArc(Arc::clone(&activity)), 10).expect("below the limit");
        let watch = tokio::time::timeout(MINUTE * 10, activity.idle_for(MINUTE));
        assert!(watch.await.is_err(), "idle while a connection is open");
        tokio::time::advance(Duration::from_millis(12_345)).await;
        drop(guard);
        assert_eq!(time_until_idle(&activity, MINUTE).await, MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_touch_postpones() {
        let activity = Activity::new();
        tokio::time::advance(MINUTE / 2).await;
        activity.touch();
        assert_eq!(time_until_idle(&activity, MINUTE).await, MINUTE);
    }

    #[tokio::test]
    async fn the_limit_holds() {
        let activity = Arc::new(Activity::new());
        let first = Activity::enter(ByArc(Arc::clone(&activity)), 1);
        assert!(first.is_some());
        assert!(Activity::enter(ByArc(Arc::clone(&activity)), 1).is_none());
        drop(first);
        assert_eq!(activity.open(), 0);
        assert!(Activity::enter(ByArc(Arc::clone(&activity)), 1).is_some());
    }

    struct ByArc(Arc<Activity>);
    impl AsRef<Activity> for ByArc {
        fn as_ref(&self) -> &Activity {
            &self.0
        }
    }
}
