//! Waits until schedules are due.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rport_runtime::Tasks;

use super::service::Inner;
use super::{CLEANUP, KEPT_RUNS, LOOK};

impl Inner {
    /// Deals with due times until the server stops. Each has a task of its own, so that a slow one keeps none waiting.
    pub(super) async fn run(self: Arc<Self>, tasks: Tasks) {
        let stop = tasks.soft();
        let mut cleaned = self.clock.now();
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let (ready, soonest) = self.board.take(now);
            for ready in ready {
                let inner = self.clone();
                tasks.spawn("schedule_run", async move { inner.fire(ready).await });
            }
            if now - cleaned >= CLEANUP {
                cleaned = now;
                self.forget_old_runs().await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait(soonest, self.clock.now())) => {}
            }
        }
    }

    async fn forget_old_runs(&self) {
        match self.store.remove_old_runs(KEPT_RUNS).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old runs of schedules forgotten"),
            Err(error) => tracing::warn!(%error, "old runs of schedules were not forgotten"),
        }
    }
}

fn wait(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> std::time::Duration {
    let left = until.and_then(|until| (until - now).to_std().ok());
    match until {
        // The moment has come meanwhile.
        Some(_) => left.unwrap_or_default().min(LOOK),
        None => LOOK,
    }
}
