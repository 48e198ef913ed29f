//! Codes that were sent to somebody: one per user, bound to the login that asked for it, used once.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{ApiSessionId, Error, UserName};
use rport_runtime::{Clock, Secret};

/// Length of a code, letters and digits.
const LENGTH: usize = 6;
/// Wrong tries that void a code.
const TRIES: u32 = 5;
/// Codes one user may be sent within the window below.
const SENDS: usize = 5;
/// See above.
const SEND_WINDOW: Duration = Duration::from_secs(600);

pub(super) struct DeliveredCodes {
    ttl: Duration,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    codes: HashMap<UserName, Pending>,
    sends: HashMap<UserName, Vec<DateTime<Utc>>>,
}

struct Pending {
    session: ApiSessionId,
    code: Secret,
    expires_at: DateTime<Utc>,
    wrong: u32,
}

impl DeliveredCodes {
    pub(super) fn new(ttl: Duration, clock: Clock) -> Self {
        Self {
            ttl,
            clock,
            state: Mutex::default(),
        }
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Passes users who have not been sent too many codes lately, and counts one more.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub(super) fn count_send(&self, user: &UserName) -> Result<(), Error> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.sends.retain(|_, sends| {
            sends.retain(|sent| *sent + SEND_WINDOW > now);
            !sends.is_empty()
        });
        let sends = state.sends.entry(user.clone()).or_default();
        if sends.len() >= SENDS {
            return Err(
                Error::too_many_attempts("too many requests, please try later").detail(format!(
                    "at most {SENDS} codes are sent to a user within {} minutes",
                    SEND_WINDOW.as_secs() / 60
                )),
            );
        }
        sends.push(now);
        Ok(())
    }

    /// Makes the code of a login; one that the user got before is void.
    pub(super) fn make(&self, user: &UserName, session: ApiSessionId) -> Secret {
        let now = self.clock.now();
        let code = Secret::new(rport_runtime::rng::alphanumeric(LENGTH));
        let pending = Pending {
            session,
            code: code.clone(),
            expires_at: now + self.ttl,
            wrong: 0,
        };
        let mut state = self.state.lock();
        state.codes.retain(|_, pending| pending.expires_at > now);
        state.codes.insert(user.clone(), pending);
        code
    }

    /// Uses a code up.
    ///
    /// # Errors
    /// `Unauthenticated` with the original's words for what is wrong.
    pub(super) fn take(&self, user: &UserName, session: ApiSessionId, code: &str) -> Result<(), Error> {
        let missing = || Error::unauthenticated("2fa token not found for provided username");
        let mut state = self.state.lock();
        let pending = state
            .codes
            .get_mut(user)
            .filter(|pending| pending.session == session)
            .ok_or_else(missing)?;
        if pending.expires_at <= self.clock.now() {
            state.codes.remove(user);
            return Err(Error::unauthenticated("2fa token expired"));
        }
        if pending.code.matches(code.as_bytes()) {
            state.codes.remove(user);
            return Ok(());
        }
        pending.wrong += 1;
        if pending.wrong >= TRIES {
            state.codes.remove(user);
        }
        Err(Error::unauthenticated("invalid token"))
    }

    /// Voids the code of a user.
    pub(super) fn forget(&self, user: &UserName) {
        self.state.lock().codes.remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ApiSessionId = ApiSessionId(1);
    const TWO: ApiSessionId = ApiSessionId(2);

    fn codes() -> (DeliveredCodes, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        (
            DeliveredCodes::new(Duration::from_secs(600), clock.clone()),
            clock,
        )
    }

    fn title(outcome: Result<(), Error>) -> String {
        outcome.err().map(|error| error.title).unwrap_or_default()
    }

    #[test]
    fn a_code_is_good_once_for_its_own_login() {
        let (codes, clock) = codes();
        let ann = UserName::new("ann");
        let code = codes.make(&ann, ONE);
        assert_eq!(code.expose().len(), LENGTH);
        let missing = "2fa token not found for provided username";
        assert_eq!(
            title(codes.take(&ann, TWO, code.expose())),
            missing,
            "another login's"
        );
        assert_eq!(title(codes.take(&"bob".into(), ONE, code.expose())), missing);
        assert_eq!(title(codes.take(&ann, ONE, "wrong!")), "invalid token");
        assert!(codes.take(&ann, ONE, code.expose()).is_ok());
        assert_eq!(title(codes.take(&ann, ONE, code.expose())), missing, "used");

        let old = codes.make(&ann, ONE);
        let new = codes.make(&ann, TWO);
        assert_eq!(title(codes.take(&ann, ONE, old.expose())), missing, "replaced");
        clock.advance(Duration::from_secs(600));
        assert_eq!(title(codes.take(&ann, TWO, new.expose())), "2fa token expired");
    }

    #[test]
    fn guessing_voids_a_code() {
        let (codes, _) = codes();
        let ann = UserName::new("ann");
        let code = codes.make(&ann, ONE);
        for _ in 0..TRIES {
            assert_eq!(title(codes.take(&ann, ONE, "guess!")), "invalid token");
        }
        assert!(codes.take(&ann, ONE, code.expose()).is_err());
    }

    #[test]
    fn a_user_is_not_flooded() {
        let (codes, clock) = codes();
        for _ in 0..SENDS {
            assert!(codes.count_send(&"ann".into()).is_ok());
        }
        assert!(codes.count_send(&"ann".into()).is_err() && codes.count_send(&"bob".into()).is_ok());
        clock.advance(SEND_WINDOW);
        assert!(codes.count_send(&"ann".into()).is_ok());
    }
}
