//! Which schedule is due when. All in memory; what must not be forgotten is in the store.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use parking_lot::Mutex;
use rport_domain::{Origin, Schedule, ScheduleId, Timetable, UserName, WallClock};
use rport_store::ScheduleProgress;

use super::{LATE, SETTLING, SHOWN_RUNS};

/// How many missed due times are counted; beyond that there were "more".
const COUNTED: usize = 1000;
/// How long a due time waits that could not be written down.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// All schedules, and when each is due next.
pub(super) struct Board {
    clock: &'static dyn WallClock,
    started_at: DateTime<Utc>,
    entries: Mutex<HashMap<ScheduleId, Entry>>,
}

/// One schedule.
struct Entry {
    schedule: Arc<Schedule>,
    /// `None` if nobody can read the text, which only a Go server stores.
    timetable: Option<Timetable>,
    progress: ScheduleProgress,
    /// Whether a due time is being dealt with.
    busy: bool,
    next: Option<Due>,
    turn: Turn,
}

/// Held by whoever deals with a schedule: fires it, changes it or deletes it.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

/// A due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// What the timetable says.
    pub(super) due_at: DateTime<Utc>,
    /// The same with jitter.
    planned: DateTime<Utc>,
    /// When it is dealt with: later still after the server's absence, or after trouble.
    at: DateTime<Utc>,
}

/// A due time that has come.
pub(super) struct Ready {
    pub(super) schedule: Arc<Schedule>,
    pub(super) due_at: DateTime<Utc>,
    /// Whether it is later than that may be.
    pub(super) missed: bool,
    pub(super) earlier: Earlier,
}

/// Due times before another one with which nobody dealt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Earlier {
    /// The first of them.
    pub(super) first: Option<DateTime<Utc>>,
    /// How many there were.
    pub(super) count: usize,
}

impl Earlier {
    /// What to say about them; empty if there were none.
    pub(super) fn words(&self) -> String {
        let Some(first) = self.first else {
            return String::new();
        };
        let first = first.format("%Y-%m-%dT%H:%M:%SZ");
        match self.count {
            1 => format!("an earlier due time was missed: {first}"),
            count if count >= COUNTED => format!("{COUNTED} or more due times were missed since {first}"),
            count => format!("{count} earlier due times were missed since {first}"),
        }
    }
}

impl Board {
    pub(super) fn new(clock: &'static dyn WallClock, started_at: DateTime<Utc>) -> Self {
        Self {
            clock,
            started_at,
            entries: Mutex::default(),
        }
    }

    /// Adds a schedule, or what has become of it.
    pub(super) fn put(&self, schedule: Schedule, progress: ScheduleProgress) {
        let timetable = Timetable::parse(&schedule.definition.schedule);
        if let Err(error) = &timetable {
            tracing::warn!(schedule.id = %schedule.id, %error, "a schedule cannot be read and is never due");
        }
        let mut entries = self.entries.lock();
        let old = entries.remove(&schedule.id);
        let mut entry = Entry {
            timetable: timetable.ok(),
            progress,
            busy: old.as_ref().is_some_and(|old| old.busy),
            next: None,
            turn: old.map(|old| old.turn).unwrap_or_default(),
            schedule: Arc::new(schedule),
        };
        entry.next = self.plan(&entry, None);
        entries.insert(entry.schedule.id.clone(), entry);
    }

    pub(super) fn remove(&self, id: &ScheduleId) {
        self.entries.lock().remove(id);
    }

    /// The schedules of a user.
    pub(super) fn of_user(&self, user: &UserName) -> Vec<ScheduleId> {
        let entries = self.entries.lock();
        let own = entries
            .values()
            .filter(|entry| entry.schedule.created_by == *user);
        own.map(|entry| entry.schedule.id.clone()).collect()
    }

    /// How far a schedule has got, and the right to deal with it.
    pub(super) fn find(&self, id: &ScheduleId) -> Option<(Arc<Schedule>, ScheduleProgress, Turn)> {
        let entries = self.entries.lock();
        let entry = entries.get(id)?;
        Some((entry.schedule.clone(), entry.progress, entry.turn.clone()))
    }

    /// Whether a schedule still says what it said.
    pub(super) fn is_current(&self, schedule: &Arc<Schedule>) -> bool {
        let entries = self.entries.lock();
        let entry = entries.get(&schedule.id);
        entry.is_some_and(|entry| Arc::ptr_eq(&entry.schedule, schedule))
    }

    /// Takes what is due, and tells when to look again. Whatever is taken has to be given back with [`Self::done`] or
    /// [`Self::failed`].
    pub(super) fn take(&self, now: DateTime<Utc>) -> (Vec<Ready>, Option<DateTime<Utc>>) {
        let (mut ready, mut soonest) = (Vec::new(), None::<DateTime<Utc>>);
        let mut entries = self.entries.lock();
        for entry in entries.values_mut().filter(|entry| !entry.busy) {
            if entry.next.is_some_and(|next| next.at <= now) {
                // Several may have come due while nobody looked; the latest stands for all.
                entry.next = self.plan(entry, Some(now));
            }
            let Some(next) = entry.next else { continue };
            if next.at > now {
                soonest = Some(soonest.map_or(next.at, |soonest| soonest.min(next.at)));
                continue;
            }
            entry.busy = true;
            ready.push(Ready {
                schedule: entry.schedule.clone(),
                due_at: next.due_at,
                missed: self.is_missed(next, now),
                earlier: self.earlier(entry, next.due_at),
            });
        }
        (ready, soonest)
    }

    /// What was due before the start counts as seen then, however long the server waits for agents.
    fn is_missed(&self, due: Due, now: DateTime<Utc>) -> bool {
        let seen = if due.planned < self.started_at {
            self.started_at
        } else {
            now
        };
        seen - due.planned > LATE
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self, now: DateTime<Utc>) -> bool {
        let entries = self.entries.lock();
        let waits = |entry: &Entry| !entry.busy && entry.next.is_none_or(|next| next.at > now);
        entries.values().all(waits)
    }

    /// Everything of a schedule up to a due time has been dealt with.
    pub(super) fn done(&self, id: &ScheduleId, due_at: DateTime<Utc>) {
        self.give_back(id, |board, entry| {
            entry.progress.done_until = entry.progress.done_until.max(due_at);
            entry.next = board.plan(entry, None);
        });
    }

    /// A due time was not dealt with because its schedule has changed meanwhile.
    pub(super) fn again(&self, id: &ScheduleId) {
        self.give_back(id, |board, entry| entry.next = board.plan(entry, None));
    }

    /// A due time could not be dealt with and is tried again soon.
    pub(super) fn failed(&self, id: &ScheduleId, now: DateTime<Utc>) {
        self.give_back(id, |_, entry| {
            entry.next = entry.next.map(|next| Due {
                at: now + RETRY,
                ..next
            });
        });
    }

    fn give_back(&self, id: &ScheduleId, change: impl FnOnce(&Self, &mut Entry)) {
        if let Some(entry) = self.entries.lock().get_mut(id) {
            entry.busy = false;
            change(self, entry);
        }
    }

    /// The next due times of a schedule as the clock of its zone shows them, and the name of that zone.
    pub(super) fn coming(
        &self,
        schedule: &Schedule,
        progress: ScheduleProgress,
        now: DateTime<Utc>,
    ) -> (Option<&'static str>, Vec<DateTime<FixedOffset>>) {
        let Ok(timetable) = Timetable::parse(&schedule.definition.schedule) else {
            return (None, Vec::new());
        };
        let origin = self.origin(progress);
        let runs = if schedule.definition.extras.paused {
            Vec::new()
        } else {
            timetable.runs_after(now, origin).take(SHOWN_RUNS).collect()
        };
        let shown = runs.into_iter().map(|due| timetable.shown(due, origin));
        (timetable.zone_name(), shown.collect())
    }

    fn origin(&self, progress: ScheduleProgress) -> Origin<'static> {
        Origin {
            since: progress.since,
            server: self.clock,
        }
    }

    /// The first due time with which nobody has dealt; with `now`, the latest one until then.
    fn plan(&self, entry: &Entry, now: Option<DateTime<Utc>>) -> Option<Due> {
        let extras = &entry.schedule.definition.extras;
        let timetable = entry.timetable.as_ref().filter(|_| !extras.paused)?;
        let (origin, done) = (self.origin(entry.progress), entry.progress.done_until);
        let latest = now.and_then(|now| timetable.last_between(done, now, origin));
        let due_at = match latest {
            Some(latest) => latest,
            None => timetable.next_after(done, origin)?,
        };
        let mut planned = due_at;
        if extras.jitter_sec > 0 {
            // Never beyond the next due time, or runs would change places.
            let room = timetable.next_after(due_at, origin).map(|next| next - due_at);
            planned += jitter(&entry.schedule.id, due_at, extras.jitter_sec, room);
        }
        let mut at = planned;
        if planned < self.started_at {
            at = self.started_at + SETTLING;
        }
        Some(Due { due_at, planned, at })
    }

    fn earlier(&self, entry: &Entry, due_at: DateTime<Utc>) -> Earlier {
        let Some(timetable) = &entry.timetable else {
            return Earlier::default();
        };
        let mut missed = timetable
            .runs_after(entry.progress.done_until, self.origin(entry.progress))
            .take_while(|missed| *missed < due_at)
            .take(COUNTED);
        let first = missed.next();
        Earlier {
            first,
            count: usize::from(first.is_some()) + missed.count(),
        }
    }
}

/// How much later than its due time a run starts. Always the same for the same due time, also after a restart.
fn jitter(id: &ScheduleId, due_at: DateTime<Utc>, most_sec: u64, room: Option<TimeDelta>) -> TimeDelta {
    // FNV-1a with a final mix: even, fast, and the same on every machine.
    let seed = due_at.timestamp().to_le_bytes();
    let bytes = id.as_str().bytes().chain(seed);
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let room = room.and_then(|room| u64::try_from(room.num_milliseconds()).ok());
    let most = most_sec
        .saturating_mul(1000)
        .min(room.unwrap_or(u64::MAX).saturating_sub(1));
    let millis = hash % most.saturating_add(1);
    TimeDelta::milliseconds(i64::try_from(millis).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_even_bounded_and_always_the_same() {
        let due = |number: i64| DateTime::from_timestamp(number * 60, 0).expect("in range");
        let id = ScheduleId::from("abc");
        let mut buckets = [0; 10];
        for number in 0..10_000 {
            let delay = jitter(&id, due(number), 30, Some(TimeDelta::seconds(60)));
            assert_eq!(delay, jitter(&id, due(number), 30, Some(TimeDelta::seconds(60))));
            assert!(delay >= TimeDelta::zero() && delay <= TimeDelta::seconds(30));
            let tenth = delay.num_milliseconds() / 3001;
            buckets[usize::try_from(tenth).expect("not negative")] += 1;
        }
        assert!(
            buckets.iter().all(|count| (800..1200).contains(count)),
            "{buckets:?}"
        );
        let tight = jitter(&id, due(1), 30, Some(TimeDelta::seconds(1)));
        assert!(tight < TimeDelta::seconds(1), "{tight}");
        assert_ne!(
            jitter(&id, due(1), 30, None),
            jitter(&"abd".into(), due(1), 30, None)
        );
    }
}
