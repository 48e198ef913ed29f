//! The login of a front: HTTP Basic, compared in constant time, guessed slowly.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use parking_lot::Mutex;
use rport_runtime::Secret;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// Wrong logins in a row before an address has to wait.
const FREE_TRIES: u32 = 5;
/// How long it then waits; doubled by each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// After this time without a failure an address starts anew.
const FORGET: Duration = Duration::from_secs(900);
/// Addresses remembered at most; beyond, those that failed longest ago are forgotten.
const CAPACITY: usize = 4096;

/// Name and password of a front.
#[derive(Clone)]
pub struct ProxyLogin {
    /// The user name; must not hold a colon to be of use.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl std::fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyLogin")
            .field("user", &self.user)
            .field("password", &"***")
            .finish()
    }
}

impl ProxyLogin {
    /// Whether the text behind `Basic` is right. Takes the same time for every text of the right length.
    fn accepts(&self, encoded: &str) -> bool {
        let Ok(given) = STANDARD.decode(encoded.trim()) else {
            return false;
        };
        let mut right = self.user.clone().into_bytes();
        right.push(b':');
        right.extend_from_slice(self.password.expose().as_bytes());
        given.ct_eq(&right).into()
    }
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The login is right.
    LetIn,
    /// There was none.
    Ask,
    /// It is wrong.
    Refused,
    /// Too many were wrong; so many seconds are left.
    Wait(u64),
}

/// Counts wrong logins per address, an IPv6 address with its /64.
#[derive(Default)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
    until: Instant,
}

impl Throttle {
    pub(super) fn check(&self, login: &ProxyLogin, address: IpAddr, headers: &HeaderMap) -> Verdict {
        let Some(given) = basic(headers) else {
            return Verdict::Ask;
        };
        let address = subscriber(address);
        let now = Instant::now();
        let mut failures = self.failures.lock();
        if let Some(known) = failures.get(&address) {
            if known.until > now {
                // Even a right password: a guesser must not learn from the difference.
                return Verdict::Wait((known.until - now).as_secs() + 1);
            }
            if known.last + FORGET <= now {
                failures.remove(&address);
            }
        }
        if login.accepts(given) {
            failures.remove(&address);
            return Verdict::LetIn;
        }
        if failures.len() >= CAPACITY {
            make_room(&mut failures, now);
        }
        let entry = failures.entry(address).or_insert(Failures {
            count: 0,
            last: now,
            until: now,
        });
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        if let Some(over) = entry.count.checked_sub(FREE_TRIES) {
            entry.until = now + FIRST_WAIT.saturating_mul(1 << over.min(10)).min(LONGEST_WAIT);
        }
        Verdict::Refused
    }
}

fn make_room(failures: &mut HashMap<IpAddr, Failures>, now: Instant) {
    failures.retain(|_, known| known.last + FORGET > now);
    if failures.len() >= CAPACITY
        && let Some(oldest) = failures
            .iter()
            .min_by_key(|(_, known)| known.last)
            .map(|(address, _)| *address)
    {
        failures.remove(&oldest);
    }
}

fn basic(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(rest)
}

/// The smallest network one subscriber gets.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn login() -> ProxyLogin {
        ProxyLogin {
            user: "visitor".into(),
            password: "pass:word".into(),
        }
    }

    fn headers(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(&value).expect("printable"),
        );
        headers
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[test]
    fn only_the_right_pair_passes() {
        let throttle = Throttle::default();
        let check = |pair| throttle.check(&login(), address(1), &headers(pair));
        assert_eq!(check("visitor:pass:word"), Verdict::LetIn);
        for wrong in ["visitor:", "visitor:pass", ":pass:word", "visitor:pass:word "] {
            assert_eq!(check(wrong), Verdict::Refused, "{wrong}");
        }
        assert_eq!(
            throttle.check(&login(), address(1), &HeaderMap::new()),
            Verdict::Ask
        );
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_is_slowed_down_for_one_address() {
        let throttle = Throttle::default();
        let check = |last, pair| throttle.check(&login(), address(last), &headers(pair));
        for _ in 0..FREE_TRIES {
            assert_eq!(check(1, "visitor:guess"), Verdict::Refused);
        }
        assert_eq!(check(1, "visitor:pass:word"), Verdict::Wait(6));
        assert_eq!(check(2, "visitor:pass:word"), Verdict::LetIn);
        tokio::time::advance(FIRST_WAIT).await;
        assert_eq!(check(1, "visitor:guess"), Verdict::Refused);
        assert_eq!(check(1, "visitor:guess"), Verdict::Wait(11));
        tokio::time::advance(FIRST_WAIT * 2).await;
        assert_eq!(check(1, "visitor:pass:word"), Verdict::LetIn);
        assert_eq!(check(1, "visitor:guess"), Verdict::Refused);
        assert_eq!(check(1, "visitor:pass:word"), Verdict::LetIn);
    }

    #[test]
    fn memory_is_bounded_and_networks_count_as_one() {
        let throttle = Throttle::default();
        for number in 0..(CAPACITY as u128) * 2 {
            let network = IpAddr::V6(Ipv6Addr::from_bits(number << 64));
            throttle.check(&login(), network, &headers("a:b"));
        }
        assert_eq!(throttle.failures.lock().len(), CAPACITY);
        assert_eq!(
            subscriber("2001:db8::1:2:3:4".parse().expect("an address")),
            subscriber("2001:db8::9".parse().expect("an address"))
        );
    }
}
