//! Who hears of which job, and how much each of them has not taken yet.
//!
//! Nobody who tells waits: a watcher that is too slow loses output, never the end of a job.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rport_domain::JobId;
use tokio::sync::Notify;

use super::news::OutputStream;
use super::table::Facts;

/// Most output in bytes that waits for one watcher.
const ROOM: usize = 1 << 20;
/// What a piece of output takes besides its text.
const OVERHEAD: usize = 128;

/// What waits for a watcher.
#[derive(Debug)]
pub(super) enum Queued {
    Chunk {
        facts: Arc<Facts>,
        stream: OutputStream,
        text: Arc<str>,
    },
    Skipped {
        facts: Arc<Facts>,
        bytes: u64,
    },
    /// The job itself is read when it is wanted: results may be large.
    Finished(JobId),
}

/// What one watcher has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<Queued>,
    bytes: usize,
    /// Output left out since the last piece of the job that had room.
    skipped: HashMap<JobId, (Arc<Facts>, u64)>,
}

impl Queue {
    fn chunk(&self, facts: &Arc<Facts>, stream: OutputStream, text: &Arc<str>) {
        let mut state = self.state.lock();
        if state.bytes + text.len() + OVERHEAD > ROOM {
            let skipped = state.skipped.entry(facts.id.clone());
            let (_, bytes) = skipped.or_insert_with(|| (facts.clone(), 0));
            *bytes += text.len() as u64;
            return;
        }
        state.note_skipped(&facts.id);
        state.bytes += text.len() + OVERHEAD;
        state.queued.push_back(Queued::Chunk {
            facts: facts.clone(),
            stream,
            text: text.clone(),
        });
        drop(state);
        self.wake.notify_one();
    }

    /// Tells of the end of a job.
    pub(super) fn finished(&self, id: &JobId) {
        let mut state = self.state.lock();
        state.note_skipped(id);
        state.queued.push_back(Queued::Finished(id.clone()));
        drop(state);
        self.wake.notify_one();
    }

    /// Takes what has waited longest. Cancel-safe.
    pub(super) async fn next(&self) -> Queued {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(next) = state.queued.pop_front() {
                    if let Queued::Chunk { text, .. } = &next {
                        state.bytes -= text.len() + OVERHEAD;
                    }
                    return next;
                }
            }
            self.wake.notified().await;
        }
    }
}

impl State {
    fn note_skipped(&mut self, id: &JobId) {
        if let Some((facts, bytes)) = self.skipped.remove(id) {
            self.queued.push_back(Queued::Skipped { facts, bytes });
        }
    }
}

/// All watchers, by the job or multi-job they watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    queues: Mutex<HashMap<JobId, Vec<Weak<Queue>>>>,
}

impl Watchers {
    /// Begins to watch a job or multi-job. Whoever drops the queue follows with [`Self::leave`].
    pub(super) fn join(&self, id: &JobId) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        let mut queues = self.queues.lock();
        queues.entry(id.clone()).or_default().push(Arc::downgrade(&queue));
        queue
    }

    /// Forgets the queues of a job that were dropped.
    pub(super) fn leave(&self, id: &JobId) {
        let mut queues = self.queues.lock();
        if let Some(watching) = queues.get_mut(id) {
            watching.retain(|queue| queue.strong_count() > 0);
            if watching.is_empty() {
                queues.remove(id);
            }
        }
    }

    /// Whether anybody wants output of a job.
    pub(super) fn anybody(&self, facts: &Facts) -> bool {
        let queues = self.queues.lock();
        !queues.is_empty()
            && (queues.contains_key(&facts.id)
                || facts
                    .multi
                    .as_ref()
                    .is_some_and(|multi| queues.contains_key(multi)))
    }

    /// Tells of output.
    pub(super) fn chunk(&self, facts: &Arc<Facts>, stream: OutputStream, text: &str) {
        let text: Arc<str> = text.into();
        for queue in self.of(&facts.id, facts.multi.as_ref()) {
            queue.chunk(facts, stream, &text);
        }
    }

    /// Tells of the end of a job.
    pub(super) fn finished(&self, id: &JobId, multi: Option<&JobId>) {
        for queue in self.of(id, multi) {
            queue.finished(id);
        }
    }

    fn of(&self, id: &JobId, multi: Option<&JobId>) -> Vec<Arc<Queue>> {
        let queues = self.queues.lock();
        if queues.is_empty() {
            return Vec::new();
        }
        let watching = [Some(id), multi].into_iter().flatten();
        watching
            .filter_map(|id| queues.get(id))
            .flatten()
            .filter_map(Weak::upgrade)
            .collect()
    }
}
