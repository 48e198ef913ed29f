//! Addresses that failed too often.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_runtime::Clock;

use crate::options::BanOptions;

/// Addresses remembered at most. An attacker who has more than this many can push out the oldest entries, which costs
/// him a fresh start with those and the server nothing.
const CAPACITY: usize = 50_000;

/// Counts consecutive failures per address and bans an address when they are too many.
///
/// An IPv6 address counts with its whole /64, the smallest network one subscriber gets. Memory only: a restart lifts
/// all bans.
pub(crate) struct Bans {
    options: Option<BanOptions>,
    clock: Clock,
    entries: Mutex<HashMap<IpAddr, Entry>>,
}

struct Entry {
    failures: u32,
    last: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Bans {
    pub(crate) fn new(options: Option<BanOptions>, clock: Clock) -> Self {
        Self {
            options,
            clock,
            entries: Mutex::default(),
        }
    }

    /// Whether the address is banned now.
    pub(crate) fn is_banned(&self, address: IpAddr) -> bool {
        let now = self.clock.now();
        let entries = self.entries.lock();
        entries
            .get(&subscriber(address))
            .and_then(|entry| entry.until)
            .is_some_and(|until| until > now)
    }

    /// Counts a failure; returns the end of the ban if this was one too many.
    pub(crate) fn failed(&self, address: IpAddr) -> Option<DateTime<Utc>> {
        let options = self.options?;
        let now = self.clock.now();
        let mut entries = self.entries.lock();
        if entries.len() >= CAPACITY {
            make_room(&mut entries, now, options);
        }
        let entry = entries.entry(subscriber(address)).or_insert(Entry {
            failures: 0,
            last: now,
            until: None,
        });
        entry.failures += 1;
        entry.last = now;
        if entry.failures < options.max_failed {
            return None;
        }
        entry.failures = 0;
        entry.until = Some(now + options.duration);
        entry.until
    }

    /// Forgives everything: the address has shown that it knows a password.
    pub(crate) fn succeeded(&self, address: IpAddr) {
        if self.options.is_some() {
            self.entries.lock().remove(&subscriber(address));
        }
    }
}

/// Drops what has no effect any more, and if that is not enough the half that failed longest ago.
fn make_room(entries: &mut HashMap<IpAddr, Entry>, now: DateTime<Utc>, options: BanOptions) {
    entries.retain(|_, entry| entry.until.unwrap_or(entry.last + options.duration) > now);
    if entries.len() >= CAPACITY {
        let mut times: Vec<DateTime<Utc>> = entries.values().map(|entry| entry.last).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        entries.retain(|_, entry| entry.last > median);
    }
}

/// The network one subscriber has: the address, or the /64 around an IPv6 address.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bans() -> (Bans, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let options = BanOptions {
            max_failed: 3,
            duration: Duration::from_secs(60),
        };
        (Bans::new(Some(options), clock.clone()), clock)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn consecutive_failures_ban_for_a_while() {
        let (bans, clock) = bans();
        let address = ip("203.0.113.7");
        assert!(bans.failed(address).is_none() && bans.failed(address).is_none());
        assert!(!bans.is_banned(address));
        assert!(bans.failed(address).is_some());
        assert!(bans.is_banned(address) && !bans.is_banned(ip("203.0.113.8")));
        clock.advance(Duration::from_secs(61));
        assert!(!bans.is_banned(address));
        assert!(
            bans.failed(address).is_none(),
            "the count starts again after a ban"
        );
    }

    #[test]
    fn a_success_forgives() {
        let (bans, _) = bans();
        let address = ip("203.0.113.7");
        bans.failed(address);
        bans.failed(address);
        bans.succeeded(address);
        assert!(bans.failed(address).is_none());
    }

    #[test]
    fn an_ipv6_network_is_one_subscriber() {
        let (bans, _) = bans();
        bans.failed(ip("2001:db8::1"));
        bans.failed(ip("2001:db8::2"));
        bans.failed(ip("2001:db8::3"));
        assert!(bans.is_banned(ip("2001:db8::99")) && !bans.is_banned(ip("2001:db8:0:1::1")));
    }

    #[test]
    fn memory_is_bounded() {
        let (bans, _) = bans();
        for number in 0..(CAPACITY as u32 + 10) {
            bans.failed(IpAddr::V4(number.into()));
        }
        assert!(bans.entries.lock().len() <= CAPACITY);
    }

    #[test]
    fn switched_off_bans_nobody() {
        let bans = Bans::new(None, Clock::manual(DateTime::UNIX_EPOCH));
        for _ in 0..100 {
            assert!(bans.failed(ip("203.0.113.7")).is_none());
        }
        assert!(!bans.is_banned(ip("203.0.113.7")));
    }
}
