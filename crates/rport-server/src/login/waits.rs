//! Names that have to wait after a wrong password.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_runtime::Clock;

/// Names remembered at most; beyond that the list starts afresh, because by then somebody is guessing names and the
/// bans of addresses have to do the work.
pub(super) const CAPACITY: usize = 50_000;
/// Names longer than this are cut before they are remembered.
const NAME_LIMIT: usize = 256;

/// Refuses a name for a short time after each failure, also with the right password.
pub(crate) struct Waits {
    wait: Duration,
    clock: Clock,
    until: Mutex<HashMap<Box<str>, DateTime<Utc>>>,
}

impl Waits {
    /// A `wait` of zero switches it off.
    pub(crate) fn new(wait: Duration, clock: Clock) -> Self {
        Self {
            wait,
            clock,
            until: Mutex::default(),
        }
    }

    pub(crate) fn is_waiting(&self, name: &str) -> bool {
        let now = self.clock.now();
        self.until
            .lock()
            .get(shortened(name))
            .is_some_and(|until| *until > now)
    }

    pub(crate) fn failed(&self, name: &str) {
        if self.wait.is_zero() {
            return;
        }
        let now = self.clock.now();
        let mut entries = self.until.lock();
        if entries.len() >= CAPACITY {
            entries.retain(|_, until| *until > now);
            if entries.len() >= CAPACITY {
                entries.clear();
            }
        }
        entries.insert(shortened(name).into(), now + self.wait);
    }
}

pub(super) fn shortened(name: &str) -> &str {
    let mut end = name.len().min(NAME_LIMIT);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_waits_after_a_failure() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let waits = Waits::new(Duration::from_secs(2), clock.clone());
        assert!(!waits.is_waiting("admin"));
        waits.failed("admin");
        assert!(waits.is_waiting("admin") && !waits.is_waiting("root"));
        clock.advance(Duration::from_secs(2));
        assert!(!waits.is_waiting("admin"));
    }

    #[test]
    fn long_names_and_many_names_cost_little() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let waits = Waits::new(Duration::from_secs(2), clock);
        let long = "ä".repeat(10_000);
        waits.failed(&long);
        assert!(waits.is_waiting(&long));
        for number in 0..CAPACITY + 10 {
            waits.failed(&number.to_string());
        }
        assert!(waits.until.lock().len() <= CAPACITY);
    }

    #[test]
    fn zero_switches_it_off() {
        let waits = Waits::new(Duration::ZERO, Clock::manual(DateTime::UNIX_EPOCH));
        waits.failed("admin");
        assert!(!waits.is_waiting("admin"));
    }
}
