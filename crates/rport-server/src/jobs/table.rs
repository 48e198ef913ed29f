//! The jobs that have not ended, and whose turn it is. Memory only: the store has the same after a restart.
//!
//! ```text
//!             ┌────── no room, no client, not now ──────┐
//!             ▼                                         │
//!  order ─▶ Waiting ──▶ turn ──▶ ready ──▶ Starting ──▶ Running ──▶ gone
//!             │                              │   ▲
//!             ▼                              ▼   │
//!           Ending                         Uncertain
//! ```
//!
//! Everything here is quick and none of it waits: the owner holds one lock around the table. Who is about to write
//! the end of a job that does not run sets it to `Ending` first, so that nobody starts it meanwhile.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rport_domain::{ClientId, JobId, JobPace, UserName};
use tokio::sync::oneshot;

use super::check::ON_THE_WAY;
pub(super) use super::entry::{Begun, Consequences, Due, Facts, Overdue, Stage, Start};
use super::hidden::Hidden;
use super::live::Readers;
use super::vault_marks;

/// Most `run_cmd` on their way at a time.
const MAX_IN_FLIGHT: usize = 256;
/// Most jobs of one client at a time that waited for it; our agents run 32.
const MAX_PER_CLIENT: usize = 24;

/// A job that has not ended.
pub(super) struct Open {
    pub(super) facts: Arc<Facts>,
    pub(super) stage: Stage,
    /// Until when it may be started, or asked for again. None in a line where its turn decides.
    deadline: Option<DateTime<Utc>>,
    /// Until when it keeps the others of its multi-job waiting though nobody knows whether it runs.
    turn_until: Option<DateTime<Utc>>,
    pub(super) cancelled_by: Option<UserName>,
    pub(super) hidden: Hidden,
    pub(super) readers: Readers,
    /// Order among all jobs.
    place: u64,
    /// Counts among those its multi-job runs at a time.
    has_turn: bool,
    /// Counts among those its client runs.
    busy: bool,
    /// When to try again, though nothing happened.
    retry_at: Option<DateTime<Utc>>,
    waiter: Option<oneshot::Sender<Begun>>,
    foretold: Option<Begun>,
}

impl Open {
    /// Answers whoever waits for the start of the job.
    pub(super) fn answer(&mut self, begun: Begun) {
        let begun = self.foretold.take().unwrap_or(begun);
        answer(&mut self.waiter, begun);
    }
}

/// A multi-job that has not ended.
struct Multi {
    pace: JobPace,
    /// Jobs that may have a turn, in their order.
    line: BTreeSet<(u64, JobId)>,
    active: usize,
    /// All jobs that have not ended.
    open: BTreeSet<(u64, JobId)>,
    /// No further job is started.
    stopped: bool,
}

/// All of it.
#[derive(Default)]
pub(super) struct Table {
    jobs: HashMap<JobId, Open>,
    multis: HashMap<JobId, Multi>,
    /// Jobs that wait for their client to come or to have room.
    parked: HashMap<ClientId, BTreeSet<(u64, JobId)>>,
    busy: HashMap<ClientId, usize>,
    ready: VecDeque<JobId>,
    in_flight: usize,
    next_place: u64,
}

impl Table {
    /// Makes a multi-job known; its jobs follow.
    pub(super) fn add_multi(&mut self, id: &JobId, pace: JobPace) {
        let multi = Multi {
            pace,
            line: BTreeSet::new(),
            active: 0,
            open: BTreeSet::new(),
            stopped: false,
        };
        self.multis.insert(id.clone(), multi);
    }

    /// Adds a job behind all others. Follow with [`Self::fill`] for those of a multi-job.
    pub(super) fn add(&mut self, facts: Arc<Facts>, stage: Stage, waiter: Option<oneshot::Sender<Begun>>) {
        let place = self.next_place;
        self.next_place += 1;
        let id = facts.id.clone();
        // After a restart, a whole fleet needs a moment to come back.
        let moment = if facts.resumed && !facts.rule.queue {
            ON_THE_WAY
        } else {
            TimeDelta::zero()
        };
        let not_after = facts.rule.not_after + moment;
        let mut open = Open {
            stage,
            deadline: Some(not_after),
            turn_until: None,
            cancelled_by: None,
            // Until this run of the server has put values in.
            hidden: match vault_marks::keys(&facts.order.command).is_empty() {
                true => Hidden::Nothing,
                false => Hidden::Unknown,
            },
            readers: Readers::default(),
            place,
            has_turn: false,
            busy: false,
            retry_at: None,
            waiter,
            foretold: None,
            facts,
        };
        let mut paced = false;
        if let Some(multi) = open.facts.multi.as_ref().and_then(|id| self.multis.get_mut(id)) {
            multi.open.insert((place, id.clone()));
            paced = multi.pace.at_once.is_some();
            if paced && stage == Stage::Waiting {
                open.deadline = open.facts.rule.queue.then_some(not_after);
                multi.line.insert((place, id.clone()));
            }
            if stage != Stage::Waiting {
                multi.active += 1;
                open.has_turn = true;
            }
        }
        match stage {
            Stage::Waiting if !paced => self.ready.push_back(id.clone()),
            // Until its client comes.
            Stage::Uncertain => {
                let parked = self.parked.entry(open.facts.client.clone()).or_default();
                parked.insert((place, id.clone()));
            }
            Stage::Running { .. } => {
                open.busy = true;
                *self.busy.entry(open.facts.client.clone()).or_default() += 1;
            }
            _ => {}
        }
        self.jobs.insert(id, open);
    }

    /// Gives jobs of a multi-job their turn, as many as its pace allows.
    pub(super) fn fill(&mut self, id: &JobId, now: DateTime<Utc>) {
        let Some(multi) = self.multis.get_mut(id) else {
            return;
        };
        let at_once = multi.pace.at_once.unwrap_or(usize::MAX);
        while !multi.stopped && multi.active < at_once {
            let Some((_, job)) = multi.line.pop_first() else {
                return;
            };
            let Some(open) = self
                .jobs
                .get_mut(&job)
                .filter(|open| open.stage == Stage::Waiting)
            else {
                continue;
            };
            open.has_turn = true;
            multi.active += 1;
            if !open.facts.rule.queue {
                // Its turn may come long after the order.
                open.deadline = Some(now + ON_THE_WAY);
            }
            self.ready.push_back(job);
        }
    }

    /// The next job to start, if there is room for one. Follow with [`Self::landed`].
    pub(super) fn next_start(&mut self) -> Option<Start> {
        while self.in_flight < MAX_IN_FLIGHT {
            let id = self.ready.pop_front()?;
            let Some(open) = self.jobs.get_mut(&id) else {
                continue;
            };
            let again = match open.stage {
                Stage::Waiting => false,
                Stage::Uncertain => true,
                _ => continue,
            };
            let client = &open.facts.client;
            let full =
                open.facts.rule.queue && self.busy.get(client).is_some_and(|jobs| *jobs >= MAX_PER_CLIENT);
            if full && !open.busy {
                self.park(&id, None, DateTime::<Utc>::MIN_UTC);
                continue;
            }
            open.stage = Stage::Starting { asked: again };
            open.retry_at = None;
            if !std::mem::replace(&mut open.busy, true) {
                *self.busy.entry(client.clone()).or_default() += 1;
            }
            self.in_flight += 1;
            return Some(Start {
                facts: open.facts.clone(),
                again,
            });
        }
        None
    }

    /// A job from [`Self::next_start`] is not on its way any more, however that ended.
    pub(super) fn landed(&mut self) {
        self.in_flight -= 1;
    }

    /// The client may hear of the job from now on. `false` if there is nothing to start.
    pub(super) fn asking(&mut self, id: &JobId, hidden: Hidden) -> bool {
        let Some(open) = self.jobs.get_mut(id) else {
            return false;
        };
        if !matches!(open.stage, Stage::Starting { .. }) {
            return false;
        }
        open.stage = Stage::Starting { asked: true };
        open.hidden = hidden;
        true
    }

    /// The client runs it.
    pub(super) fn started(&mut self, id: &JobId, look_at: DateTime<Utc>) {
        if let Some(open) = self.jobs.get_mut(id)
            && matches!(open.stage, Stage::Starting { .. })
        {
            open.stage = Stage::Running {
                look_at,
                since: look_at,
                looks: 0,
            };
        }
    }

    /// That the client runs it is on disk.
    pub(super) fn begun(&mut self, id: &JobId) {
        if let Some(open) = self.jobs.get_mut(id) {
            answer(&mut open.waiter, Begun::Yes);
        }
    }

    /// The job waits on: for its client, or until `retry_at`. Its turn goes to the next one.
    pub(super) fn park(&mut self, id: &JobId, retry_at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        self.set_aside(id, Stage::Waiting, retry_at);
        let Some(open) = self.jobs.get_mut(id) else { return };
        let Some(multi) = open.facts.multi.clone() else {
            return;
        };
        if std::mem::take(&mut open.has_turn) {
            if let Some(multi) = self.multis.get_mut(&multi) {
                multi.active -= 1;
            }
            self.fill(&multi, now);
        }
    }

    /// Nobody knows whether the client runs it. It is asked again when it comes back, or at `retry_at`. Others of its
    /// multi-job wait for it until `turn_until`.
    pub(super) fn uncertain(
        &mut self,
        id: &JobId,
        retry_at: Option<DateTime<Utc>>,
        turn_until: DateTime<Utc>,
    ) {
        self.set_aside(id, Stage::Uncertain, retry_at);
        if let Some(open) = self.jobs.get_mut(id) {
            open.turn_until.get_or_insert(turn_until);
        }
    }

    fn set_aside(&mut self, id: &JobId, stage: Stage, retry_at: Option<DateTime<Utc>>) {
        let Some(open) = self.jobs.get_mut(id) else { return };
        if !matches!(
            open.stage,
            Stage::Waiting | Stage::Starting { .. } | Stage::Uncertain | Stage::Ending
        ) {
            return;
        }
        open.stage = stage;
        open.retry_at = retry_at;
        answer(&mut open.waiter, Begun::Yes);
        let client = open.facts.client.clone();
        if stage == Stage::Waiting && std::mem::take(&mut open.busy) {
            release(&mut self.busy, &client);
        }
        let parked = self.parked.entry(client).or_default();
        parked.insert((open.place, id.clone()));
    }

    /// A client is there: what waited for it gets its turn. Returns whether there was anything.
    pub(super) fn connected(&mut self, client: &ClientId, now: DateTime<Utc>) -> bool {
        let Some(parked) = self.parked.remove(client) else {
            return false;
        };
        for (_, id) in parked {
            self.unpark(&id, now);
        }
        true
    }

    fn unpark(&mut self, id: &JobId, now: DateTime<Utc>) {
        let Some(open) = self.jobs.get_mut(id) else { return };
        open.retry_at = None;
        if open.stage == Stage::Uncertain {
            self.ready.push_back(id.clone());
            return;
        }
        if open.stage != Stage::Waiting {
            return;
        }
        let multi = open.facts.multi.clone();
        let place = open.place;
        let Some(multi_id) = multi else {
            self.ready.push_back(id.clone());
            return;
        };
        match self.multis.get_mut(&multi_id) {
            Some(multi) if multi.pace.at_once.is_some() => {
                multi.line.insert((place, id.clone()));
                self.fill(&multi_id, now);
            }
            _ => self.ready.push_back(id.clone()),
        }
    }

    fn forget_parked(&mut self, client: &ClientId, place: u64, id: &JobId) {
        if let Some(parked) = self.parked.get_mut(client) {
            parked.remove(&(place, id.clone()));
            if parked.is_empty() {
                self.parked.remove(client);
            }
        }
    }

    /// Takes a job that has ended off the table. `stop` says that it failed in a way that ends an order which is to be
    /// ended by failures.
    pub(super) fn remove(
        &mut self,
        id: &JobId,
        stop: bool,
        now: DateTime<Utc>,
    ) -> Option<(Open, Consequences)> {
        let open = self.jobs.remove(id)?;
        let client = open.facts.client.clone();
        self.forget_parked(&client, open.place, id);
        if open.busy {
            release(&mut self.busy, &client);
            // Somebody may have waited for room.
            let first = self.parked.get_mut(&client).and_then(BTreeSet::pop_first);
            if let Some((_, waiting)) = first {
                self.unpark(&waiting, now);
            }
        }
        let mut consequences = Consequences::default();
        if let Some(multi_id) = &open.facts.multi
            && let Some(multi) = self.multis.get_mut(multi_id)
        {
            multi.open.remove(&(open.place, id.clone()));
            multi.line.remove(&(open.place, id.clone()));
            multi.active -= usize::from(open.has_turn);
            if multi.open.is_empty() {
                self.multis.remove(multi_id);
                consequences.ended = Some(multi_id.clone());
            } else if stop && multi.pace.abort_on_error && multi.pace.at_once.is_some() {
                consequences.stop = self.stop(multi_id);
            } else {
                self.fill(multi_id, now);
            }
        }
        Some((open, consequences))
    }

    /// Starts no further job of a multi-job and returns those that wait; they are `Ending` now.
    pub(super) fn stop(&mut self, id: &JobId) -> Vec<JobId> {
        let Some(multi) = self.multis.get_mut(id) else {
            return Vec::new();
        };
        multi.stopped = true;
        multi.line.clear();
        let waiting: Vec<JobId> = multi.open.iter().map(|(_, id)| id.clone()).collect();
        waiting.into_iter().filter(|id| self.begin_ending(id)).collect()
    }

    /// Sets a waiting job to `Ending`; `false` if it does not wait.
    pub(super) fn begin_ending(&mut self, id: &JobId) -> bool {
        match self.jobs.get_mut(id) {
            Some(open) if open.stage == Stage::Waiting => {
                open.stage = Stage::Ending;
                true
            }
            _ => false,
        }
    }

    /// A job.
    pub(super) fn get(&self, id: &JobId) -> Option<&Open> {
        self.jobs.get(id)
    }

    /// A job, to change it.
    pub(super) fn get_mut(&mut self, id: &JobId) -> Option<&mut Open> {
        self.jobs.get_mut(id)
    }

    /// The jobs of a multi-job that have not ended, in their order.
    pub(super) fn jobs_of(&self, multi: &JobId) -> Vec<JobId> {
        let multi = self.multis.get(multi);
        multi
            .map(|multi| multi.open.iter().map(|(_, id)| id.clone()).collect())
            .unwrap_or_default()
    }

    /// Says what whoever waits for the start of a job shall hear when its end is on disk.
    pub(super) fn foretell(&mut self, id: &JobId, begun: Begun) {
        if let Some(open) = self.jobs.get_mut(id) {
            open.foretold = Some(begun);
        }
    }

    /// A client said that it has ended a job, or is about to.
    pub(super) fn looked(&mut self, id: &JobId) {
        if let Some(Open {
            stage: Stage::Running { looks, .. },
            ..
        }) = self.jobs.get_mut(id)
        {
            *looks += 1;
        }
    }

    /// Forgets a multi-job without jobs.
    pub(super) fn forget_multi(&mut self, id: &JobId) {
        self.multis.remove(id);
    }

    /// Finds what has to be looked after. Overdue jobs are looked at again at `next_look` and do not keep others of
    /// their multi-job waiting any more.
    pub(super) fn due(&mut self, now: DateTime<Utc>, next_look: DateTime<Utc>) -> Due {
        let mut due = Due::default();
        let mut retry = Vec::new();
        let mut released = Vec::new();
        for (id, open) in &mut self.jobs {
            let late = open.deadline.is_some_and(|deadline| deadline <= now);
            let multi = open.facts.multi.as_ref().and_then(|id| self.multis.get(id));
            let stopped = multi.is_some_and(|multi| multi.stopped);
            match &mut open.stage {
                // It was on its way when its order was stopped, and came back.
                Stage::Waiting if stopped && open.retry_at.is_none_or(|at| at <= now) => {
                    open.stage = Stage::Ending;
                    due.stopped.push(id.clone());
                }
                Stage::Waiting if late => {
                    open.stage = Stage::Ending;
                    due.expired.push(open.facts.clone());
                }
                Stage::Uncertain if late => {
                    open.stage = Stage::Ending;
                    due.lost.push(open.facts.clone());
                }
                Stage::Waiting | Stage::Uncertain => {
                    if open.retry_at.is_some_and(|at| at <= now) {
                        retry.push((open.facts.client.clone(), open.place, id.clone()));
                    }
                    if open.turn_until.is_some_and(|until| until <= now) && std::mem::take(&mut open.has_turn)
                    {
                        released.extend(open.facts.multi.clone());
                    }
                }
                Stage::Running {
                    look_at,
                    since,
                    looks,
                } if *look_at <= now => {
                    *look_at = next_look;
                    due.overdue.push(Overdue {
                        facts: open.facts.clone(),
                        since: *since,
                        looks: *looks,
                    });
                    if std::mem::take(&mut open.has_turn) {
                        released.extend(open.facts.multi.clone());
                    }
                }
                _ => {}
            }
        }
        for (client, place, id) in retry {
            self.forget_parked(&client, place, &id);
            self.unpark(&id, now);
        }
        for multi_id in released {
            if let Some(multi) = self.multis.get_mut(&multi_id) {
                multi.active -= 1;
                self.fill(&multi_id, now);
            }
        }
        due
    }

    /// How many jobs wait, and how many are with their clients.
    pub(super) fn counts(&self) -> (usize, usize) {
        let waits = |open: &&Open| matches!(open.stage, Stage::Waiting | Stage::Ending);
        let waiting = self.jobs.values().filter(waits).count();
        (waiting, self.jobs.len() - waiting)
    }
}

fn answer(waiter: &mut Option<oneshot::Sender<Begun>>, begun: Begun) {
    if let Some(waiter) = waiter.take() {
        // The caller may have gone.
        let _ = waiter.send(begun);
    }
}

fn release(busy: &mut HashMap<ClientId, usize>, client: &ClientId) {
    if let Some(jobs) = busy.get_mut(client) {
        *jobs -= 1;
        if *jobs == 0 {
            busy.remove(client);
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
