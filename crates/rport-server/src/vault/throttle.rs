//! Slows down guessing the vault's password.
//!
//! Each wrong password after the third in a row makes its user wait, twice as long each time. Someone with several
//! accounts meets the same rule for all users together, with more patience and shorter waits, so that one bad
//! account cannot keep everybody else out for long. Memory only: a restart forgets it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use rport_domain::{Error, UserName};
use rport_runtime::Clock;
use tokio::time::Instant;

/// Users remembered at most. Only administrators can try at all.
const CAPACITY: usize = 1000;
/// Failures older than this are forgotten.
const FORGET: Duration = Duration::from_secs(3600);

const PER_USER: Rule = Rule {
    free: 3,
    longest: Duration::from_secs(15 * 60),
};
const TOGETHER: Rule = Rule {
    free: 10,
    longest: Duration::from_secs(60),
};

/// How long to wait after how many failures.
struct Rule {
    /// Failures in a row without a wait.
    free: u32,
    /// No wait is longer.
    longest: Duration,
}

/// Counts wrong passwords.
pub(super) struct Throttle {
    clock: Clock,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    users: HashMap<UserName, Failures>,
    together: Failures,
}

#[derive(Default)]
struct Failures {
    in_a_row: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Failures {
    fn count(&mut self, rule: &Rule, now: Instant) {
        if self.is_old(now) {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.last = Some(now);
        // The third is the last one without a wait; one second follows the next.
        let doublings = self.in_a_row.saturating_sub(rule.free).min(31);
        self.until = doublings
            .checked_sub(1)
            .map(|doublings| now + Duration::from_secs(1 << doublings).min(rule.longest));
    }

    fn is_old(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|last| now.saturating_duration_since(last) >= FORGET)
    }

    fn left(&self, now: Instant) -> Duration {
        self.until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

impl Throttle {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            counted: Mutex::default(),
        }
    }

    /// Passes who need not wait. Asked before the password is looked at, so that waiting cannot be skipped by guessing
    /// right.
    ///
    /// # Errors
    /// `TooManyAttempts`, with the time to wait.
    pub(super) fn check(&self, user: &UserName) -> Result<(), Error> {
        let now = self.clock.instant();
        let counted = self.counted.lock();
        let own = counted
            .users
            .get(user)
            .map_or(Duration::ZERO, |failures| failures.left(now));
        let left = own.max(counted.together.left(now));
        if left.is_zero() {
            return Ok(());
        }
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Err(Error::too_many_attempts("too many wrong passwords").detail(format!("try again in {seconds} s")))
    }

    /// Counts a wrong password.
    pub(super) fn failed(&self, user: &UserName) {
        let now = self.clock.instant();
        let mut counted = self.counted.lock();
        counted.together.count(&TOGETHER, now);
        if counted.users.len() >= CAPACITY {
            counted.users.retain(|_, failures| !failures.is_old(now));
        }
        if counted.users.len() < CAPACITY || counted.users.contains_key(user) {
            let failures = counted.users.entry(user.clone()).or_default();
            failures.count(&PER_USER, now);
        }
    }

    /// Forgives the user, who knows the password, and everybody together.
    pub(super) fn succeeded(&self, user: &UserName) {
        let mut counted = self.counted.lock();
        counted.users.remove(user);
        counted.together = Failures::default();
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn throttle() -> (Throttle, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        (Throttle::new(clock.clone()), clock)
    }

    fn wait(throttle: &Throttle, user: &str) -> String {
        let checked = throttle.check(&user.into());
        checked.err().map(|error| error.detail).unwrap_or_default()
    }

    #[test]
    fn waits_double_and_end() {
        let (throttle, clock) = throttle();
        let user = UserName::from("ann");
        for _ in 0..3 {
            throttle.failed(&user);
            assert_eq!(wait(&throttle, "ann"), "");
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64] {
            throttle.failed(&user);
            assert_eq!(wait(&throttle, "ann"), format!("try again in {seconds} s"));
            assert_eq!(wait(&throttle, "bob"), "");
            clock.advance(Duration::from_millis(seconds * 1000 - 1));
            assert_eq!(wait(&throttle, "ann"), "try again in 1 s");
            clock.advance(Duration::from_millis(1));
            assert_eq!(wait(&throttle, "ann"), "");
        }
    }

    #[test]
    fn a_success_and_an_hour_forgive() {
        let (throttle, clock) = throttle();
        let user = UserName::from("ann");
        for _ in 0..4 {
            throttle.failed(&user);
        }
        assert_ne!(wait(&throttle, "ann"), "");
        throttle.succeeded(&user);
        assert_eq!(wait(&throttle, "ann"), "");
        for _ in 0..8 {
            throttle.failed(&user);
        }
        clock.advance(FORGET);
        throttle.failed(&user);
        assert_eq!(wait(&throttle, "ann"), "");
    }

    #[test]
    fn many_accounts_wait_together() {
        let (throttle, _) = throttle();
        for number in 0..11 {
            throttle.failed(&format!("user{number}").into());
        }
        assert_eq!(wait(&throttle, "somebody else"), "try again in 1 s");
        for number in 0..1000 {
            throttle.failed(&format!("user{number}").into());
        }
        assert_eq!(wait(&throttle, "somebody else"), "try again in 60 s", "at most");
        for number in 0..CAPACITY * 2 {
            throttle.failed(&format!("other{number}").into());
        }
        assert!(throttle.counted.lock().users.len() <= CAPACITY);
    }

    #[test]
    fn waits_have_an_end() {
        let (throttle, _) = throttle();
        for _ in 0..1000 {
            throttle.failed(&"ann".into());
        }
        assert_eq!(wait(&throttle, "ann"), "try again in 900 s");
    }
}
