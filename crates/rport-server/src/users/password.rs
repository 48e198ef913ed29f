//! Checking passwords of users without letting the check become a weapon.
//!
//! bcrypt costs some 50 ms of a core on purpose. HTTP Basic sends the password with every request, so a recent success
//! is remembered for a while, keyed with a secret of this process; and checks run on a few blocking threads with a
//! short queue, so that a flood of guesses slows down logins and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{Error, User};
use rport_runtime::{Clock, Secret, Tasks};
use tokio::sync::Semaphore;

/// How long a success is remembered.
const REMEMBER: Duration = Duration::from_secs(300);
/// Users remembered at most.
const CAPACITY: usize = 1024;
/// Checks that may wait for a thread; more are refused, because they would time out anyway.
const QUEUE: usize = 64;
/// The hash of nobody's password, at cost 10, the cost this product writes.
pub(crate) const NOBODY: &str = "$2y$10$7EqJtq98hPqEX7fNZaFWoO5w4uTUZPB7bTnO8n7WPj0F7d1xkV2G6";

/// Checks passwords.
pub(crate) struct Passwords {
    key: hmac::Key,
    clock: Clock,
    tasks: Tasks,
    slots: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    recent: Mutex<HashMap<[u8; 32], DateTime<Utc>>>,
}

impl Passwords {
    pub(crate) fn new(clock: Clock, tasks: Tasks) -> Self {
        let slots = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .clamp(1, 4);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &rport_runtime::rng::bytes::<32>()),
            clock,
            tasks,
            slots: Arc::new(Semaphore::new(slots)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            recent: Mutex::default(),
        }
    }

    /// Whether a user has this password. Without a user the answer is no, after a comparison with `stand_in`.
    ///
    /// # Errors
    /// `Unavailable` when too many checks are waiting already.
    pub(crate) async fn check(
        &self,
        user: Option<&User>,
        stand_in: &str,
        password: &Secret,
    ) -> Result<bool, Error> {
        let known = user.is_some();
        let stored = user.map_or(stand_in, |user| user.password_hash.as_str());
        if !is_bcrypt(stored) {
            // The static user's password, in clear in the configuration.
            return Ok(Secret::new(stored).matches(password.expose().as_bytes()) & known);
        }
        // The stored hash is part of the tag, so a changed password forgets the old one at once.
        let tag = self.tag(stored, password);
        let now = self.clock.now();
        if known && self.recent.lock().get(&tag).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let busy = || Error::unavailable("too many logins at the same time, please try later");
        let _waiting = self.queue.try_acquire().map_err(|_| busy())?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| busy())?;
        let (hash, candidate) = (stored.to_owned(), password.clone());
        let outcome = self
            .tasks
            .spawn_blocking("password", move || {
                let _slot = slot;
                verify_bcrypt(&candidate, &hash)
            })
            .await;
        let right = outcome.map_err(|_| busy())? & known;
        if right {
            self.remember(tag, now);
        }
        Ok(right)
    }

    fn tag(&self, stored: &str, password: &Secret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(stored.as_bytes());
        // A hash never contains a zero byte, so the two parts cannot be shifted against each other.
        context.update(&[0]);
        context.update(password.expose().as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn remember(&self, tag: [u8; 32], now: DateTime<Utc>) {
        let mut recent = self.recent.lock();
        if recent.len() >= CAPACITY {
            recent.retain(|_, until| *until > now);
            if recent.len() >= CAPACITY {
                recent.clear();
            }
        }
        recent.insert(tag, now + REMEMBER);
    }
}

/// Whether a stored password is a bcrypt hash. Differs from RPort, where only `$2y$` counts and a hash with another
/// prefix works as the password itself.
pub(crate) fn is_bcrypt(stored: &str) -> bool {
    let prefix = ["$2y$", "$2a$", "$2b$"]
        .iter()
        .any(|prefix| stored.starts_with(prefix));
    prefix && stored.len() == 60
}

fn verify_bcrypt(password: &Secret, hash: &str) -> bool {
    // Only the first 72 bytes count in bcrypt; such a password cannot have been set, so it cannot be right.
    password.expose().len() <= 72 && bcrypt::verify(password.expose(), hash).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use rport_domain::UserName;

    use super::*;

    async fn check(passwords: &Passwords, stored: &str, password: &str) -> bool {
        let user = User {
            name: UserName::new("admin"),
            password_hash: stored.to_owned(),
            groups: Vec::new(),
            password_expired: false,
            two_fa_send_to: String::new(),
            totp_secret: String::new(),
        };
        passwords
            .check(Some(&user), NOBODY, &Secret::from(password))
            .await
            .expect("not busy")
    }

    #[tokio::test]
    async fn hashes_of_all_three_prefixes_are_checked_and_remembered() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let passwords = Passwords::new(clock.clone(), Tasks::new());
        let hash = bcrypt::hash("s3cret", 4).expect("hashes");
        for prefix in ["$2y$", "$2a$", "$2b$"] {
            let stored = format!("{prefix}{}", &hash[4..]);
            assert!(check(&passwords, &stored, "s3cret").await, "{prefix}");
            assert!(check(&passwords, &stored, "s3cret").await, "{prefix} from memory");
            assert!(!check(&passwords, &stored, "s3cre").await, "{prefix}");
            assert!(
                !check(&passwords, &stored, &stored).await,
                "a hash is not a password"
            );
        }
        assert_eq!(passwords.recent.lock().len(), 3);
    }

    #[tokio::test]
    async fn plain_passwords_and_nobody() {
        let passwords = Passwords::new(Clock::manual(DateTime::UNIX_EPOCH), Tasks::new());
        assert!(check(&passwords, "plain", "plain").await);
        assert!(!check(&passwords, "plain", "Plain").await);
        assert!(
            !passwords
                .check(None, "stand-in", &"stand-in".into())
                .await
                .expect("not busy")
        );
        assert!(
            !passwords
                .check(None, NOBODY, &"x".into())
                .await
                .expect("not busy")
        );
        assert!(
            bcrypt::verify("x", NOBODY).is_ok(),
            "the stand-in has to cost as much as a real hash"
        );
    }
}
