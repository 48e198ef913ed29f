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
/// Most output in bytes that is kept for watchers to come, of all jobs together. Whoever orders a job learns its id
/// before a watch can begin, and what is said in between would be lost until the end.
const RECENT: usize = 4 << 20;

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
    state: Mutex<Watching>,
}

#[derive(Debug, Default)]
struct Watching {
    queues: HashMap<JobId, Vec<Weak<Queue>>>,
    /// The latest output of all jobs, oldest first.
    recent: VecDeque<(Arc<Facts>, OutputStream, Arc<str>)>,
    /// What it takes.
    recent_bytes: usize,
}

impl Watching {
    fn keep(&mut self, facts: &Arc<Facts>, stream: OutputStream, text: &Arc<str>) {
        self.recent_bytes += text.len() + OVERHEAD;
        self.recent.push_back((facts.clone(), stream, text.clone()));
        while self.recent_bytes > RECENT
            && let Some((_, _, oldest)) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.len() + OVERHEAD;
        }
    }

    fn forget(&mut self, id: &JobId) {
        let mut freed = 0;
        self.recent.retain(|(facts, _, text)| {
            let stays = facts.id != *id;
            if !stays {
                freed += text.len() + OVERHEAD;
            }
            stays
        });
        self.recent_bytes -= freed;
    }

    fn of(&self, id: &JobId, multi: Option<&JobId>) -> Vec<Arc<Queue>> {
        let watching = [Some(id), multi].into_iter().flatten();
        watching
            .filter_map(|id| self.queues.get(id))
            .flatten()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Watchers {
    /// Begins to watch a job or multi-job, with what it has said lately. Whoever drops the queue follows with
    /// [`Self::leave`].
    pub(super) fn join(&self, id: &JobId) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        let mut state = self.state.lock();
        for (facts, stream, text) in &state.recent {
            if facts.id == *id || facts.multi.as_ref() == Some(id) {
                queue.chunk(facts, *stream, text);
            }
        }
        let queues = state.queues.entry(id.clone()).or_default();
        queues.push(Arc::downgrade(&queue));
        queue
    }

    /// Forgets the queues of a job that were dropped.
    pub(super) fn leave(&self, id: &JobId) {
        let mut state = self.state.lock();
        if let Some(watching) = state.queues.get_mut(id) {
            watching.retain(|queue| queue.strong_count() > 0);
            if watching.is_empty() {
                state.queues.remove(id);
            }
        }
    }

    /// Tells of output.
    pub(super) fn chunk(&self, facts: &Arc<Facts>, stream: OutputStream, text: &str) {
        let text: Arc<str> = text.into();
        // Under one lock, so that whoever joins meanwhile hears it once.
        let mut state = self.state.lock();
        state.keep(facts, stream, &text);
        for queue in state.of(&facts.id, facts.multi.as_ref()) {
            queue.chunk(facts, stream, &text);
        }
    }

    /// Tells of the end of a job. Its result takes the place of what is kept of its output.
    pub(super) fn finished(&self, id: &JobId, multi: Option<&JobId>) {
        let mut state = self.state.lock();
        for queue in state.of(id, multi) {
            queue.finished(id);
        }
        state.forget(id);
    }
}
