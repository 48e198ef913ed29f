//! Users who have to wait after a failed login, without letting strangers lock them out.
//!
//! Differs from RPort, where one wrong password every two seconds from anywhere keeps a named user out. Here a failure
//! makes the name wait for the network it came from. Only when a name fails very often from many networks does it wait
//! for everybody, and even then not for networks from which the user has logged in before.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_runtime::Clock;

use super::waits::{CAPACITY, shortened};
use super::{Waits, subscriber};

/// Failures of one name from all networks together before it waits for strangers.
const NAME_LIMIT: u32 = 20;
/// The time in which these count, and after which the name is free again.
const NAME_WINDOW: Duration = Duration::from_secs(60);
/// How long a network is remembered as a user's own after a login from there.
const REMEMBER: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) struct UserWaits {
    enabled: bool,
    clock: Clock,
    pairs: Waits,
    names: Mutex<HashMap<Box<str>, Failures>>,
    familiar: Mutex<HashMap<Box<str>, DateTime<Utc>>>,
}

struct Failures {
    count: u32,
    until: DateTime<Utc>,
}

impl UserWaits {
    /// A `wait` of zero switches it off.
    pub(crate) fn new(wait: Duration, clock: Clock) -> Self {
        Self {
            enabled: !wait.is_zero(),
            pairs: Waits::new(wait, clock.clone()),
            clock,
            names: Mutex::default(),
            familiar: Mutex::default(),
        }
    }

    /// Whether a login under this name from this address is to be refused unchecked.
    pub(crate) fn is_waiting(&self, name: &str, address: IpAddr) -> bool {
        if !self.enabled {
            return false;
        }
        let pair = pair(name, address);
        self.pairs.is_waiting(&pair) || (self.is_hunted(name) && !self.is_familiar(&pair))
    }

    /// Notes a failed login. Requests without a name count for their network only.
    pub(crate) fn failed(&self, name: &str, address: IpAddr) {
        if !self.enabled {
            return;
        }
        self.pairs.failed(&pair(name, address));
        if name.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut names = self.names.lock();
        make_room(&mut names, |failures| failures.until > now);
        let failures = names.entry(shortened(name).into()).or_insert(Failures {
            count: 0,
            until: now + NAME_WINDOW,
        });
        if failures.until <= now {
            *failures = Failures {
                count: 0,
                until: now + NAME_WINDOW,
            };
        }
        failures.count += 1;
        if failures.count == NAME_LIMIT {
            tracing::warn!(
                user.name = name,
                "very many failed logins under one name; it waits where it has not been used before"
            );
        }
    }

    /// Notes that the user has logged in from there.
    pub(crate) fn succeeded(&self, name: &str, address: IpAddr) {
        if !self.enabled {
            return;
        }
        let now = self.clock.now();
        let mut familiar = self.familiar.lock();
        make_room(&mut familiar, |until| *until > now);
        familiar.insert(pair(name, address).into(), now + REMEMBER);
    }

    fn is_hunted(&self, name: &str) -> bool {
        let now = self.clock.now();
        self.names
            .lock()
            .get(shortened(name))
            .is_some_and(|failures| failures.count >= NAME_LIMIT && failures.until > now)
    }

    fn is_familiar(&self, pair: &str) -> bool {
        let now = self.clock.now();
        self.familiar.lock().get(pair).is_some_and(|until| *until > now)
    }
}

fn pair(name: &str, address: IpAddr) -> String {
    format!("{} {}", subscriber(address), shortened(name))
}

/// Drops what has run out when there is no room, and everything if that is not enough: the bans of addresses then have
/// to do the work.
fn make_room<T>(entries: &mut HashMap<Box<str>, T>, counts: impl Fn(&T) -> bool) {
    if entries.len() >= CAPACITY {
        entries.retain(|_, entry| counts(entry));
        if entries.len() >= CAPACITY {
            entries.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits() -> (UserWaits, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        (UserWaits::new(Duration::from_secs(2), clock.clone()), clock)
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[test]
    fn a_stranger_locks_nobody_out() {
        let (waits, clock) = waits();
        waits.failed("admin", ip(1));
        assert!(waits.is_waiting("admin", ip(1)));
        assert!(!waits.is_waiting("admin", ip(2)) && !waits.is_waiting("root", ip(1)));
        clock.advance(Duration::from_secs(2));
        assert!(!waits.is_waiting("admin", ip(1)));
    }

    #[test]
    fn many_strangers_make_the_name_wait_but_not_where_it_is_at_home() {
        let (waits, clock) = waits();
        waits.succeeded("admin", ip(200));
        for last in 0..NAME_LIMIT {
            assert!(!waits.is_waiting("admin", ip(201)));
            waits.failed("admin", ip(last as u8));
        }
        assert!(waits.is_waiting("admin", ip(201)) && !waits.is_waiting("admin", ip(200)));
        clock.advance(NAME_WINDOW);
        assert!(!waits.is_waiting("admin", ip(201)));
        waits.failed("admin", ip(1));
        assert!(!waits.is_waiting("admin", ip(201)), "the count starts afresh");
    }

    #[test]
    fn callers_without_a_name_wait_only_for_themselves() {
        let (waits, _) = waits();
        for last in 0..=255 {
            waits.failed("", ip(last));
        }
        assert!(waits.is_waiting("", ip(7)) && !waits.is_waiting("", IpAddr::from([198, 51, 100, 1])));
    }

    #[test]
    fn memory_is_bounded_and_zero_switches_it_off() {
        let (waits, _) = waits();
        for number in 0..CAPACITY + 10 {
            waits.failed(&number.to_string(), ip(1));
        }
        assert!(waits.names.lock().len() <= CAPACITY);
        let off = UserWaits::new(Duration::ZERO, Clock::manual(DateTime::UNIX_EPOCH));
        off.failed("admin", ip(1));
        assert!(!off.is_waiting("admin", ip(1)));
    }
}
