//! Checking passwords of agents without stalling them.
//!
//! Plain passwords are compared in constant time. Hashes cost some hundredths of a second of a core on purpose, so
//! they are checked on a few blocking threads, and a success is remembered for a day: when thousands of agents come
//! back after a network failure, none of them waits. What is remembered is a keyed hash of stored value and password,
//! so a rotated password is forgotten at once and the memory is worth nothing outside this process.
//!
//! A wrong id takes as long as a wrong password: whatever fails costs the work of one hash wherever hashes are used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::StoredPassword;
use rport_runtime::{Clock, Secret, Tasks};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hashing;

/// How long a success is remembered after its last use.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);
/// Successes remembered at most, some 5 MB of them.
const CAPACITY: usize = 65_536;
/// Hashes checked at the same time at most; each needs 19 MiB.
const MAX_WORKERS: usize = 4;
/// Checks that may wait for a thread. More are turned away: they would be waiting longer than agents do.
const QUEUE: usize = 8192;

/// Checks passwords.
pub(crate) struct Verifier {
    key: hmac::Key,
    clock: Clock,
    tasks: Tasks,
    workers: Arc<Semaphore>,
    queue: Semaphore,
    recent: Mutex<HashMap<[u8; 32], DateTime<Utc>>>,
    /// Checked where there is nothing to check. `None` while no hash has been seen.
    stand_in: Mutex<Option<Arc<str>>>,
    /// The hashes that were worked on.
    #[cfg(test)]
    worked_on: Mutex<Vec<String>>,
}

/// Too many checks are waiting; nothing is said about the password.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub(crate) struct Busy;

impl Verifier {
    /// `hashing` says that this server makes hashes, so that unknown ids have to cost as much from the start.
    pub(crate) fn new(hashing: bool, clock: Clock, tasks: Tasks) -> Self {
        let workers = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .clamp(1, MAX_WORKERS);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &rport_runtime::rng::bytes::<32>()),
            clock,
            tasks,
            workers: Arc::new(Semaphore::new(workers)),
            queue: Semaphore::new(QUEUE),
            recent: Mutex::default(),
            stand_in: Mutex::new(hashing.then(|| hashing::own_stand_in().into())),
            #[cfg(test)]
            worked_on: Mutex::default(),
        }
    }

    /// Learns what the hashes of the source cost.
    pub(crate) fn observe(&self, stored: &StoredPassword) {
        let StoredPassword::Hashed(hash) = stored else {
            return;
        };
        let mut stand_in = self.stand_in.lock();
        if stand_in
            .as_deref()
            .is_some_and(|known| hashing::same_cost(known, hash))
        {
            return;
        }
        if let Some(fresh) = hashing::stand_in(hash) {
            *stand_in = Some(fresh.into());
        }
    }

    /// Whether the password is one of the two an id may have at present: its own, and that before a rotation. An
    /// unknown id has neither.
    ///
    /// Every failure takes the same work, whatever was known: two hashes where hashes are used at all.
    pub(crate) async fn check(
        &self,
        current: Option<&StoredPassword>,
        previous: Option<&StoredPassword>,
        password: &[u8],
    ) -> Result<bool, Busy> {
        for stored in [current, previous].into_iter().flatten() {
            self.observe(stored);
            if self.is_known(stored, password) {
                return Ok(true);
            }
        }
        // A password in clear is compared at once; a success needs no disguise.
        let plain = |stored: Option<&StoredPassword>| match stored {
            Some(StoredPassword::Plain(text)) => same(text.as_bytes(), password),
            _ => same(&[0], password) & false,
        };
        if plain(current) | plain(previous) {
            return Ok(true);
        }
        for stored in [current, previous] {
            match stored {
                Some(stored @ StoredPassword::Hashed(hash)) => {
                    if self.work(hash, Some(stored), password).await? {
                        self.remember(stored, password);
                        return Ok(true);
                    }
                }
                _ => {
                    let stand_in = self.stand_in.lock().clone();
                    if let Some(hash) = stand_in {
                        self.work(&hash, None, password).await?;
                    }
                }
            }
        }
        Ok(false)
    }

    /// Hashes a password for the source, on the threads that also check.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<StoredPassword, Busy> {
        let password = password.clone();
        let turn = self.turn().await?;
        self.run(turn, move || hashing::hash(&password)).await
    }

    /// Checks a hash on a worker. `stored` is where it came from, unless it is a stand-in.
    async fn work(&self, hash: &str, stored: Option<&StoredPassword>, password: &[u8]) -> Result<bool, Busy> {
        let turn = self.turn().await?;
        // A thousand agents with the same credentials come at once, and the first of them has done the work.
        if stored.is_some_and(|stored| self.is_known(stored, password)) {
            return Ok(true);
        }
        #[cfg(test)]
        self.worked_on.lock().push(hash.to_owned());
        let hash = hash.to_owned();
        let password = zeroize::Zeroizing::new(password.to_vec());
        self.run(turn, move || hashing::verify(&password, &hash)).await
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let _waiting = self.queue.try_acquire().map_err(|_| Busy)?;
        self.workers.clone().acquire_owned().await.map_err(|_| Busy)
    }

    async fn run<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let done = self.tasks.spawn_blocking("password", move || {
            // Given back by the thread itself: the work goes on when the caller has hung up.
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Busy)
    }

    fn is_known(&self, stored: &StoredPassword, password: &[u8]) -> bool {
        if !stored.is_hashed() {
            return false;
        }
        let tag = self.tag(stored, password);
        let now = self.clock.now();
        let mut recent = self.recent.lock();
        let Some(until) = recent.get_mut(&tag).filter(|until| **until > now) else {
            return false;
        };
        *until = now + REMEMBER;
        true
    }

    fn remember(&self, stored: &StoredPassword, password: &[u8]) {
        let tag = self.tag(stored, password);
        let now = self.clock.now();
        let mut recent = self.recent.lock();
        if recent.len() >= CAPACITY {
            recent.retain(|_, until| *until > now);
        }
        if recent.len() >= CAPACITY {
            // Half of them at random: whoever is forgotten pays for one check.
            let mut keep = false;
            recent.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        recent.insert(tag, now + REMEMBER);
    }

    fn tag(&self, stored: &StoredPassword, password: &[u8]) -> [u8; 32] {
        let stored = stored.expose();
        let mut context = hmac::Context::with_key(&self.key);
        // With the length in front, the two parts cannot be shifted against each other.
        context.update(&(stored.len() as u64).to_le_bytes());
        context.update(stored.as_bytes());
        context.update(password);
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(hashing: bool) -> (Verifier, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        (Verifier::new(hashing, clock.clone(), Tasks::new()), clock)
    }

    fn bcrypt(password: &str) -> StoredPassword {
        StoredPassword::new(bcrypt::hash(password, 4).expect("hashes"))
    }

    async fn check(verifier: &Verifier, stored: Option<&StoredPassword>, password: &str) -> bool {
        verifier
            .check(stored, None, password.as_bytes())
            .await
            .expect("not busy")
    }

    #[tokio::test]
    async fn plain_hashed_and_unknown() {
        let (verifier, _) = verifier(false);
        let plain = StoredPassword::new("plain");
        assert!(
            check(&verifier, Some(&plain), "plain").await && !check(&verifier, Some(&plain), "plai").await
        );
        assert!(!check(&verifier, None, "").await && !check(&verifier, None, "\0").await);
        assert!(
            verifier.stand_in.lock().is_none(),
            "no hash was seen, so none is worked on"
        );
        let hashed = bcrypt("s3cret");
        assert!(
            check(&verifier, Some(&hashed), "s3cret").await
                && !check(&verifier, Some(&hashed), "s3cre").await
        );
        assert!(!check(&verifier, Some(&hashed), hashed.expose()).await);
        assert!(
            verifier.stand_in.lock().is_some(),
            "unknown ids cost as much from now on"
        );
        assert!(!check(&verifier, None, "s3cret").await);
    }

    #[tokio::test]
    async fn both_passwords_of_a_rotation_are_right() {
        let (verifier, _) = verifier(false);
        let (new, old) = (bcrypt("new"), StoredPassword::new("old"));
        for (password, expected) in [("new", true), ("old", true), ("older", false)] {
            let right = verifier
                .check(Some(&new), Some(&old), password.as_bytes())
                .await
                .expect("not busy");
            assert_eq!(right, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn successes_are_remembered_for_this_very_hash_and_not_for_ever() {
        let (verifier, clock) = verifier(false);
        let first = bcrypt("s3cret");
        assert!(check(&verifier, Some(&first), "s3cret").await);
        assert!(verifier.is_known(&first, b"s3cret"));
        assert!(!verifier.is_known(&first, b"other") && !verifier.is_known(&bcrypt("s3cret"), b"s3cret"));
        assert!(!check(&verifier, Some(&first), "wrong").await && !verifier.is_known(&first, b"wrong"));
        clock.advance(REMEMBER - Duration::from_secs(1));
        assert!(verifier.is_known(&first, b"s3cret"), "and prolonged by this");
        clock.advance(REMEMBER - Duration::from_secs(1));
        assert!(verifier.is_known(&first, b"s3cret"));
        clock.advance(REMEMBER);
        assert!(!verifier.is_known(&first, b"s3cret"));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let (verifier, _) = verifier(false);
        let stored = bcrypt("x");
        for number in 0..CAPACITY + 10 {
            verifier.remember(&stored, number.to_string().as_bytes());
        }
        assert!(verifier.recent.lock().len() <= CAPACITY);
        assert!(verifier.is_known(&stored, (CAPACITY + 9).to_string().as_bytes()));
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_leaves_its_worker_free_again() {
        let (verifier, _) = verifier(true);
        for _ in 0..20 {
            let check = verifier.check(None, None, b"x");
            let _ = tokio::time::timeout(Duration::from_millis(1), check).await;
        }
        assert!(!check(&verifier, None, "x").await);
        verifier.tasks.wait().await;
        assert_eq!(verifier.queue.available_permits(), QUEUE);
    }

    #[tokio::test]
    async fn many_agents_with_the_same_credentials_cost_little_more_than_one() {
        let (verifier, _) = verifier(false);
        let stored = bcrypt("s3cret");
        let verifier = Arc::new(verifier);
        let tasks = Tasks::new();
        let checks: Vec<_> = (0..200)
            .map(|_| {
                let (verifier, stored) = (verifier.clone(), stored.clone());
                tasks.spawn(
                    "check",
                    async move { check(&verifier, Some(&stored), "s3cret").await },
                )
            })
            .collect();
        for check in checks {
            assert!(check.await.expect("no panic"));
        }
        // Those that were being worked on before the first success was noted.
        let worked_on = verifier.worked_on.lock().len();
        assert!(worked_on <= 4 * MAX_WORKERS, "{worked_on}");
    }

    /// Counted rather than timed, because a busy machine makes times worthless.
    #[tokio::test]
    async fn everything_wrong_costs_the_same_work() {
        let (verifier, _) = verifier(true);
        let hashed = verifier.hash(&Secret::from("s3cret")).await.expect("not busy");
        let plain = StoredPassword::new("plain");
        let unknown: (Option<&StoredPassword>, Option<&StoredPassword>) = (None, None);
        let cases = [
            unknown,
            (Some(&plain), None),
            (Some(&hashed), None),
            (Some(&hashed), Some(&hashed)),
            (Some(&hashed), Some(&plain)),
        ];
        for (current, previous) in cases {
            assert!(
                !verifier
                    .check(current, previous, b"wrong")
                    .await
                    .expect("not busy")
            );
            let worked_on = std::mem::take(&mut *verifier.worked_on.lock());
            assert_eq!(worked_on.len(), 2, "{current:?} {previous:?}");
            assert!(
                worked_on
                    .iter()
                    .all(|hash| hashing::same_cost(hash, hashed.expose())),
                "{worked_on:?}"
            );
        }
        assert!(
            verifier
                .check(Some(&hashed), None, b"s3cret")
                .await
                .expect("not busy")
        );
        assert!(
            verifier
                .check(Some(&hashed), None, b"s3cret")
                .await
                .expect("not busy")
        );
        assert_eq!(verifier.worked_on.lock().len(), 1, "the second time from memory");
    }
}
