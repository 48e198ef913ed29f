//! Logins that have begun and wait for the browser to come back.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use rport_runtime::{Clock, Secret, rng};

/// How long somebody may take at the provider.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// Logins that may be under way; beyond it the oldest is given up.
const LIMIT: usize = 20_000;

/// What was sent along to the provider, or kept back to recognise its answer.
#[derive(Clone)]
pub(super) struct Pending {
    /// Comes back inside the ID token.
    pub(super) nonce: String,
    /// Proves to the provider that the code is redeemed by who asked for it (RFC 7636).
    pub(super) verifier: Secret,
    /// Held by the browser that began, so that nobody can be made to finish somebody else's login.
    pub(super) binding: Secret,
    pub(super) expires_at: DateTime<Utc>,
}

/// The logins under way, by their state.
pub(super) struct PendingLogins {
    clock: Clock,
    waiting: Mutex<HashMap<String, Pending>>,
}

impl PendingLogins {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            waiting: Mutex::default(),
        }
    }

    /// Begins a login. Returns its state.
    pub(super) fn begin(&self) -> (String, Pending) {
        let now = self.clock.now();
        let pending = Pending {
            nonce: rng::alphanumeric(32),
            verifier: Secret::new(rng::alphanumeric(64)),
            binding: Secret::new(rng::alphanumeric(32)),
            expires_at: now + TimeDelta::from_std(LIFETIME).unwrap_or(TimeDelta::zero()),
        };
        let state = rng::alphanumeric(32);
        let mut waiting = self.waiting.lock();
        if waiting.len() >= LIMIT {
            waiting.retain(|_, pending| pending.expires_at > now);
        }
        if waiting.len() >= LIMIT
            && let Some(oldest) = waiting.iter().min_by_key(|(_, pending)| pending.expires_at)
        {
            let oldest = oldest.0.clone();
            waiting.remove(&oldest);
        }
        waiting.insert(state.clone(), pending.clone());
        (state, pending)
    }

    /// Ends a login, successful or not: a state works once. `None` for a state that is unknown, used or too old.
    pub(super) fn take(&self, state: &str) -> Option<Pending> {
        let pending = self.waiting.lock().remove(state)?;
        (pending.expires_at > self.clock.now()).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_works_once_and_not_for_ever() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let logins = PendingLogins::new(clock.clone());
        let (state, begun) = logins.begin();
        assert_eq!(logins.take(&state).expect("waiting").nonce, begun.nonce);
        assert!(logins.take(&state).is_none());
        let (state, _) = logins.begin();
        clock.advance(LIFETIME);
        assert!(logins.take(&state).is_none());
        let (one, other) = (logins.begin(), logins.begin());
        assert!(one.0 != other.0 && one.1.nonce != other.1.nonce);
    }
}
