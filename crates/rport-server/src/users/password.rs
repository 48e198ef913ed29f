//! Checking and hashing passwords of users without letting either become a weapon.
//!
//! A hash costs some hundredths of a second of a core on purpose. HTTP Basic sends the password with every request, so
//! a recent success is remembered for a while, keyed with a secret of this process; and hashes are computed on a few
//! blocking threads with a short queue, so that a flood of guesses slows down logins and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::password_rules::{BCRYPT_BYTES, MAX_BYTES};
use rport_domain::{Error, PasswordRules, StoredPassword, User, UserName};
use rport_runtime::{Clock, Secret, Tasks};
use tokio::sync::Semaphore;

use super::options::UserHash;
use crate::hashing;

/// How long a success is remembered.
const REMEMBER: Duration = Duration::from_secs(300);
/// Users remembered at most.
const CAPACITY: usize = 1024;
/// Checks that may wait for a thread; more are refused, because they would time out anyway.
const QUEUE: usize = 64;
/// The cost of new bcrypt hashes, the one the Go server writes.
const BCRYPT_COST: u32 = 10;
/// The hash of nobody's password, at the cost of new ones.
pub(crate) const NOBODY: &str = "$2y$10$7EqJtq98hPqEX7fNZaFWoO5w4uTUZPB7bTnO8n7WPj0F7d1xkV2G6";

/// Checks and hashes passwords.
pub(crate) struct Passwords {
    key: hmac::Key,
    clock: Clock,
    tasks: Tasks,
    slots: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    recent: Mutex<HashMap<[u8; 32], DateTime<Utc>>>,
    rules: PasswordRules,
    form: UserHash,
}

impl Passwords {
    /// New passwords have to obey `rules` and are kept as `form`.
    pub(crate) fn new(rules: PasswordRules, form: UserHash, clock: Clock, tasks: Tasks) -> Self {
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
            rules,
            form,
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
        if !StoredPassword::new(stored).is_hashed() {
            // In clear, as the configuration has it, and as tables may. Nobody's password is empty.
            let same = Secret::new(stored).matches(password.expose().as_bytes());
            return Ok(same & known & !stored.is_empty());
        }
        // The stored hash is part of the tag, so a changed password forgets the old one at once.
        let tag = self.tag(stored, password);
        let now = self.clock.now();
        if known && self.recent.lock().get(&tag).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let (hash, candidate) = (stored.to_owned(), password.clone());
        let right = self
            .run(move || hashing::verify(candidate.expose().as_bytes(), &hash))
            .await?
            & known;
        if right {
            self.remember(tag, now);
        }
        Ok(right)
    }

    /// Checks a new password against the rules and hashes it.
    ///
    /// # Errors
    /// `Invalid` saying which rule it breaks; `Unavailable` when too many logins are being checked.
    pub(crate) async fn hash_new(&self, user: &UserName, password: &Secret) -> Result<String, Error> {
        let (rules, form, user, password) = (self.rules, self.form, user.clone(), password.clone());
        self.run(move || {
            let most = match form {
                UserHash::Bcrypt => BCRYPT_BYTES,
                UserHash::Argon2id => MAX_BYTES,
            };
            rules.check(password.expose(), &[user.as_str()], most)?;
            hash(form, &password)
        })
        .await?
    }

    /// Hashes a password that nobody chose, without a look at the rules.
    ///
    /// # Errors
    /// `Invalid` when it is too long; `Unavailable` when too many logins are being checked.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Error> {
        let (form, password) = (self.form, password.clone());
        self.run(move || hash(form, &password)).await?
    }

    /// Whether a hash is this secret's, for secrets that are no password of a user. Nothing is remembered, and what is
    /// no hash matches nothing.
    ///
    /// # Errors
    /// `Unavailable` when too many checks are waiting already.
    pub(crate) async fn check_hash(&self, hash: &str, candidate: &Secret) -> Result<bool, Error> {
        if !StoredPassword::new(hash).is_hashed() {
            return Ok(false);
        }
        let (hash, candidate) = (hash.to_owned(), candidate.clone());
        self.run(move || hashing::verify(candidate.expose().as_bytes(), &hash))
            .await
    }

    /// Hashes a secret in the form the Go server reads, whatever the form of passwords.
    ///
    /// # Errors
    /// `Unavailable` when too many logins are being checked.
    pub(crate) async fn hash_bcrypt(&self, secret: &Secret) -> Result<String, Error> {
        let secret = secret.clone();
        self.run(move || hash(UserHash::Bcrypt, &secret)).await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let busy = || Error::unavailable("too many logins at the same time, please try later");
        let _waiting = self.queue.try_acquire().map_err(|_| busy())?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| busy())?;
        let outcome = self.tasks.spawn_blocking("password", move || {
            let _slot = slot;
            work()
        });
        outcome.await.map_err(|_| busy())
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

fn hash(form: UserHash, password: &Secret) -> Result<String, Error> {
    match form {
        UserHash::Argon2id => Ok(hashing::hash(password).expose().to_owned()),
        UserHash::Bcrypt => {
            let hash = bcrypt::non_truncating_hash_with_salt(
                password.expose(),
                BCRYPT_COST,
                rport_runtime::rng::bytes::<16>(),
            );
            // A zero byte or too many bytes, which the rules have refused before.
            let hash = hash.map_err(|error| Error::invalid("Your password cannot be used").source(error))?;
            // Source: rest-api.md 5.4. The Go server takes `$2a$` and `$2b$` for passwords in clear.
            Ok(hash.format_for_version(bcrypt::Version::TwoY))
        }
    }
}

/// Whether a stored password is a whole bcrypt hash of any of the three prefixes.
pub(crate) fn is_bcrypt(stored: &str) -> bool {
    let prefix = ["$2y$", "$2a$", "$2b$"]
        .iter()
        .any(|prefix| stored.starts_with(prefix));
    prefix && stored.len() == 60
}

#[cfg(test)]
mod tests {
    use rport_domain::UserName;

    use super::*;

    fn passwords(clock: Clock, form: UserHash) -> Passwords {
        Passwords::new(PasswordRules::default(), form, clock, Tasks::new())
    }

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
        let passwords = passwords(clock.clone(), UserHash::Bcrypt);
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
    async fn new_passwords_obey_the_rules_and_are_kept_as_configured() {
        for (form, prefix) in [(UserHash::Bcrypt, "$2y$10$"), (UserHash::Argon2id, "$argon2id$")] {
            let passwords = passwords(Clock::manual(DateTime::UNIX_EPOCH), form);
            let ann = UserName::new("ann");
            let stored = passwords
                .hash_new(&ann, &"a good password".into())
                .await
                .expect("sound");
            assert!(stored.starts_with(prefix), "{stored}");
            assert!(check(&passwords, &stored, "a good password").await);
            assert!(!check(&passwords, &stored, "a good passwore").await);
            let error = passwords
                .hash_new(&ann, &"short".into())
                .await
                .expect_err("refused");
            assert_eq!(error.title, "Your password is too short");
            let long = Secret::new("x".repeat(73));
            assert_eq!(
                passwords.hash_new(&ann, &long).await.is_ok(),
                form == UserHash::Argon2id
            );
            assert!(passwords.hash(&"short".into()).await.is_ok());
        }
    }

    #[tokio::test]
    async fn plain_passwords_and_nobody() {
        let passwords = passwords(Clock::manual(DateTime::UNIX_EPOCH), UserHash::Bcrypt);
        assert!(check(&passwords, "plain", "plain").await);
        assert!(!check(&passwords, "plain", "Plain").await);
        assert!(!check(&passwords, "", "").await, "a user without password");
        let cut = "$2y$10$cut short by a narrow column";
        assert!(
            !check(&passwords, cut, cut).await,
            "what begins like a hash is none"
        );
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
