//! Tracked tasks: the only place where a task is started.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinHandle},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// How long [`Tasks::shutdown`] waits for aborted tasks to be dropped after the grace period is over.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// Starts tasks and remembers them until they end.
///
/// A clone is the same group. [`Tasks::child`] makes a group below this one: it can be stopped alone, and stopping
/// the parent stops it too.
///
/// Two tokens tell tasks to stop. The soft token asks: finish what you are doing, then return. The hard token is
/// cancelled when the grace period is over; tasks that still run are then dropped at their next `.await`, whether
/// they look at the token or not.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    group: Arc<Group>,
}

/// What all groups of one tree share.
#[derive(Default)]
struct Shared {
    next_id: AtomicU64,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    tasks: HashMap<u64, Entry>,
    names: BTreeMap<&'static str, usize>,
}

struct Entry {
    group: Arc<Group>,
    /// Missing for a moment between registration and start, and always for blocking tasks, which nothing can stop.
    abort: Option<AbortHandle>,
}

struct Group {
    soft: CancellationToken,
    hard: CancellationToken,
    live: AtomicUsize,
    empty: Notify,
    parent: Option<Arc<Group>>,
}

impl Group {
    fn enter(&self) {
        self.live.fetch_add(1, Ordering::AcqRel);
        if let Some(parent) = &self.parent {
            parent.enter();
        }
    }

    fn leave(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.empty.notify_waiters();
        }
        if let Some(parent) = &self.parent {
            parent.leave();
        }
    }

    async fn wait_empty(&self) {
        loop {
            let notified = self.empty.notified();
            if self.live.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// Takes one task off the books when it ends in whatever way: returned, panicked, aborted.
struct Registration {
    shared: Arc<Shared>,
    group: Arc<Group>,
    id: u64,
    name: &'static str,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let entry = {
            let mut running = self.shared.running.lock();
            if let Some(count) = running.names.get_mut(self.name) {
                *count -= 1;
            }
            running.tasks.remove(&self.id)
        };
        drop(entry);
        self.group.leave();
    }
}

impl Tasks {
    /// Makes the root group of a program or of a test.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            group: Arc::new(Group {
                soft: CancellationToken::new(),
                hard: CancellationToken::new(),
                live: AtomicUsize::new(0),
                empty: Notify::new(),
                parent: None,
            }),
        }
    }

    /// Makes a group below this one. Its tasks count in this group too and stop when this group stops.
    pub fn child(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            group: Arc::new(Group {
                soft: self.group.soft.child_token(),
                hard: self.group.hard.child_token(),
                live: AtomicUsize::new(0),
                empty: Notify::new(),
                parent: Some(self.group.clone()),
            }),
        }
    }

    /// Starts a task. Must be called inside a tokio runtime.
    ///
    /// `name` appears in the metrics and in the log, so it should be a fixed short word such as `link`. A panic ends
    /// only this task: it is logged with the name, and whoever awaits the handle sees it as `JoinError`. Dropping
    /// the handle leaves the task running.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let registration = self.register(name);
        let id = registration.id;
        let guarded = async move {
            let _registration = registration;
            match AssertUnwindSafe(future).catch_unwind().await {
                Ok(output) => output,
                Err(panic) => report_and_resume(name, panic),
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that starts tasks"
        )]
        let handle = tokio::spawn(guarded.instrument(task_span(name)));
        self.remember_abort(id, handle.abort_handle());
        handle
    }

    /// Runs a blocking closure (file access, password hashing) on tokio's blocking threads.
    ///
    /// It is tracked and counted like any task, but nothing can abort it: keep such work short, or let it look at
    /// [`Tasks::soft`].
    pub fn spawn_blocking<F, T>(&self, name: &'static str, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let registration = self.register(name);
        let span = task_span(name);
        tokio::task::spawn_blocking(move || {
            let _registration = registration;
            let _entered = span.enter();
            match std::panic::catch_unwind(AssertUnwindSafe(work)) {
                Ok(output) => output,
                Err(panic) => report_and_resume(name, panic),
            }
        })
    }

    /// The token that asks tasks of this group to finish.
    pub fn soft(&self) -> CancellationToken {
        self.group.soft.clone()
    }

    /// The token that says that the grace period is over.
    ///
    /// Only observe it; use [`Tasks::abort`] or [`Tasks::shutdown`] to stop tasks, because those also drop the tasks
    /// that do not look.
    pub fn hard(&self) -> CancellationToken {
        self.group.hard.clone()
    }

    /// How many tasks of this group and of the groups below it are alive.
    pub fn count(&self) -> usize {
        self.group.live.load(Ordering::Acquire)
    }

    /// Living tasks of the whole tree by name, for metrics. A name that was used once stays listed, with 0.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.shared.running.lock().names.clone()
    }

    /// Waits until no task of this group is alive, without asking any of them to stop.
    pub async fn wait(&self) {
        self.group.wait_empty().await;
    }

    /// Drops every task of this group at its next `.await` and cancels both tokens. Returns at once.
    pub fn abort(&self) {
        self.group.soft.cancel();
        self.group.hard.cancel();
        let aborts: Vec<AbortHandle> = {
            let running = self.shared.running.lock();
            let stopped = running
                .tasks
                .values()
                .filter(|entry| entry.group.hard.is_cancelled());
            stopped.filter_map(|entry| entry.abort.clone()).collect()
        };
        for abort in aborts {
            abort.abort();
        }
    }

    /// Stops the group: asks, waits at most `grace`, then aborts what is left. Returns how many had to be aborted.
    ///
    /// Must not be called from a task of the same group, which would wait for itself until the grace is over.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.group.soft.cancel();
        if tokio::time::timeout(grace, self.group.wait_empty()).await.is_ok() {
            self.group.hard.cancel();
            return 0;
        }
        let left = self.count();
        let names = self.names_of_group();
        tracing::warn!(tasks = left, names, "tasks did not stop in time and are dropped");
        self.abort();
        if tokio::time::timeout(ABORT_WAIT, self.group.wait_empty())
            .await
            .is_err()
        {
            tracing::warn!(tasks = self.count(), "tasks still run after they were dropped");
        }
        left
    }

    fn names_of_group(&self) -> String {
        let counts = self.counts();
        let alive = counts.iter().filter(|(_, count)| **count > 0);
        alive
            .map(|(name, count)| format!("{name}:{count}"))
            .collect::<Vec<_>>()
            .join(",")
    }

    fn register(&self, name: &'static str) -> Registration {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        self.group.enter();
        let mut running = self.shared.running.lock();
        *running.names.entry(name).or_insert(0) += 1;
        running.tasks.insert(
            id,
            Entry {
                group: self.group.clone(),
                abort: None,
            },
        );
        drop(running);
        Registration {
            shared: self.shared.clone(),
            group: self.group.clone(),
            id,
            name,
        }
    }

    fn remember_abort(&self, id: u64, abort: AbortHandle) {
        // The task may have ended already; then its entry is gone and must not come back.
        if let Some(entry) = self.shared.running.lock().tasks.get_mut(&id) {
            entry.abort = Some(abort.clone());
        }
        // `abort()` may have run between registration and here, when there was no handle to abort.
        if self.group.hard.is_cancelled() {
            abort.abort();
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// The span of a task, or the current one where the log level does not want task spans: the fields of the code that
/// started the task (client id and the like) must not be lost either way.
fn task_span(name: &'static str) -> Span {
    let span = tracing::debug_span!("task", task.name = name);
    if span.is_disabled() { Span::current() } else { span }
}

fn report_and_resume(name: &'static str, panic: Box<dyn Any + Send>) -> ! {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    tracing::error!(task.name = name, "a task ended by a panic: {text}");
    std::panic::resume_unwind(panic)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn counts_live_tasks_by_name_and_in_total() {
        let tasks = Tasks::new();
        let child = tasks.child();
        let stop = CancellationToken::new();
        for name in ["link", "link", "ping"] {
            let stop = stop.clone();
            child.spawn(name, async move { stop.cancelled().await });
        }
        assert_eq!((tasks.count(), child.count()), (3, 3));
        assert_eq!(tasks.counts(), BTreeMap::from([("link", 2), ("ping", 1)]));
        stop.cancel();
        tasks.wait().await;
        assert_eq!(tasks.count(), 0);
        assert!(tasks.counts().values().all(|count| *count == 0));
        assert!(tasks.shared.running.lock().tasks.is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_one_task_only() {
        let tasks = Tasks::new();
        let bad = tasks.spawn("bad", async { panic!("hostile bytes") });
        let worse = tasks.spawn_blocking("worse", || panic!("{}", 1));
        assert!(bad.await.is_err_and(|e| e.is_panic()));
        assert!(worse.await.is_err_and(|e| e.is_panic()));
        assert_eq!(tasks.spawn("good", async { 7 }).await.expect("runs"), 7);
        tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_asks_first_and_aborts_the_deaf() {
        let tasks = Tasks::new();
        let soft = tasks.soft();
        let polite = tasks.spawn("polite", async move { soft.cancelled().await });
        let deaf = tasks.spawn("deaf", pending::<()>());
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 1);
        assert!(polite.await.is_ok());
        assert!(deaf.await.is_err_and(|e| e.is_cancelled()));
        assert!(tasks.hard().is_cancelled());
        assert_eq!(tasks.count(), 0);
    }

    #[tokio::test]
    async fn a_child_stops_alone_and_with_its_parent() {
        let tasks = Tasks::new();
        let (one, two) = (tasks.child(), tasks.child());
        let first = one.spawn("link", pending::<()>());
        let second = two.spawn("link", pending::<()>());
        one.abort();
        assert!(first.await.is_err_and(|e| e.is_cancelled()));
        assert!(!second.is_finished() && !tasks.soft().is_cancelled() && one.soft().is_cancelled());
        tasks.abort();
        assert!(second.await.is_err_and(|e| e.is_cancelled()));
    }

    #[tokio::test]
    async fn a_task_started_after_the_end_is_dropped() {
        let tasks = Tasks::new();
        tasks.abort();
        let late = tasks.spawn("late", pending::<()>());
        assert!(late.await.is_err_and(|e| e.is_cancelled()));
        assert_eq!(tasks.shutdown(LONG).await, 0);
    }
}
