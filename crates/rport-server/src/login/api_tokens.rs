//! API tokens at work: is this password one, whose, and what is it good for? Source: rest-api.md 5.2.
//!
//! A token is `PREFIX_SECRET`; the prefix finds the row, the secret is compared with a bcrypt hash, which costs 50 ms
//! on purpose. Tokens come with every request, so a success is remembered under a keyed digest until the tokens or the
//! users change.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{Error, TokenScope, UserName};
use rport_runtime::{Clock, Secret};

use crate::users::Passwords;

/// Length of the half that is no secret.
pub(super) const PREFIX_LEN: usize = 8;
/// Length of a UUID as text.
const SECRET_LEN: usize = 36;
/// How long a success is remembered.
const REMEMBER: Duration = Duration::from_secs(300);
/// Successes remembered at most.
const CAPACITY: usize = 4096;

/// What a password turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A token of the user that is worth something.
    Good {
        /// Its prefix.
        prefix: String,
        /// What it is good for.
        scope: TokenScope,
    },
    /// It has a token's prefix, and the rest is wrong or has expired.
    Wrong,
    /// Something else.
    NoToken,
}

pub(super) struct ApiTokens {
    store: rport_store::ApiTokens,
    key: hmac::Key,
    clock: Clock,
    verified: Mutex<Verified>,
}

#[derive(Default)]
struct Verified {
    entries: HashMap<[u8; 32], Entry>,
    /// Counts up with every change, so that a check that was under way does not bring back what was just forgotten.
    generation: u64,
}

#[derive(Clone)]
struct Entry {
    prefix: String,
    scope: TokenScope,
    /// The end of the token or of the memory, whichever comes first.
    until: DateTime<Utc>,
}

impl ApiTokens {
    pub(super) fn new(store: rport_store::ApiTokens, clock: Clock) -> Self {
        Self {
            store,
            key: hmac::Key::new(hmac::HMAC_SHA256, &rport_runtime::rng::bytes::<32>()),
            clock,
            verified: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &rport_store::ApiTokens {
        &self.store
    }

    /// Whether a password is a token of this user.
    pub(super) async fn verify(
        &self,
        user: &UserName,
        password: &Secret,
        passwords: &Passwords,
    ) -> Result<Verdict, Error> {
        let Some((prefix, secret)) = split(password.expose()) else {
            return Ok(Verdict::NoToken);
        };
        let now = self.clock.now();
        let tag = self.tag(user, password);
        let generation = {
            let verified = self.verified.lock();
            if let Some(entry) = verified.entries.get(&tag).filter(|entry| entry.until > now) {
                return Ok(Verdict::Good {
                    prefix: entry.prefix.clone(),
                    scope: entry.scope,
                });
            }
            verified.generation
        };
        let Some(stored) = self.store.find(user, prefix).await? else {
            return Ok(Verdict::NoToken);
        };
        let alive = stored.expires_at.is_none_or(|expires_at| expires_at > now);
        let right = passwords.check_hash(&stored.hash, &Secret::new(secret)).await?;
        let (true, true, Ok(scope)) = (right, alive, stored.scope.parse()) else {
            return Ok(Verdict::Wrong);
        };
        let until = stored
            .expires_at
            .map_or(now + REMEMBER, |end| end.min(now + REMEMBER));
        let entry = Entry {
            prefix: stored.prefix.clone(),
            scope,
            until,
        };
        self.remember(tag, entry, generation, now);
        Ok(Verdict::Good {
            prefix: stored.prefix,
            scope,
        })
    }

    /// Whether a token is still there and has not expired.
    pub(super) async fn is_alive(&self, user: &UserName, prefix: &str) -> Result<bool, Error> {
        let now = self.clock.now();
        let stored = self.store.find(user, prefix).await?;
        Ok(stored.is_some_and(|token| token.expires_at.is_none_or(|expires_at| expires_at > now)))
    }

    /// Forgets every success; called with every change of tokens and users.
    pub(super) fn forget_verified(&self) {
        let mut verified = self.verified.lock();
        verified.generation += 1;
        verified.entries.clear();
    }

    /// Makes the two halves of a new token and the hash of the second.
    pub(super) async fn generate(&self, passwords: &Passwords) -> Result<(String, Secret, String), Error> {
        let prefix = rport_runtime::rng::alphanumeric(PREFIX_LEN).to_ascii_lowercase();
        let secret = Secret::new(uuid::Uuid::new_v4().to_string());
        let hash = passwords.hash_bcrypt(&secret).await?;
        Ok((prefix, secret, hash))
    }

    fn remember(&self, tag: [u8; 32], entry: Entry, generation: u64, now: DateTime<Utc>) {
        let mut verified = self.verified.lock();
        if verified.generation != generation {
            return;
        }
        if verified.entries.len() >= CAPACITY {
            verified.entries.retain(|_, entry| entry.until > now);
            if verified.entries.len() >= CAPACITY {
                verified.entries.clear();
            }
        }
        verified.entries.insert(tag, entry);
    }

    fn tag(&self, user: &UserName, password: &Secret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        // A token never contains a zero byte, so the two parts cannot be shifted against each other.
        context.update(password.expose().as_bytes());
        context.update(&[0]);
        context.update(user.as_str().as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

/// The two halves of what looks like a token.
fn split(text: &str) -> Option<(&str, &str)> {
    let (prefix, secret) = text.split_once('_')?;
    let is_prefix = prefix.len() == PREFIX_LEN
        && prefix
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (is_prefix && secret.len() == SECRET_LEN).then_some((prefix, secret))
}

#[cfg(test)]
mod tests {
    use rport_domain::PasswordRules;
    use rport_runtime::Tasks;
    use rport_store::{Store, StoreOptions, TokenWrite};

    use super::*;
    use crate::users::UserHash;

    fn passwords(clock: &Clock) -> Passwords {
        Passwords::new(
            PasswordRules::default(),
            UserHash::Bcrypt,
            clock.clone(),
            Tasks::new(),
        )
    }

    #[test]
    fn only_what_looks_like_a_token_is_looked_up() {
        let uuid = "0b54a1d8-7c0a-4f0e-9a4f-0c2b8e7f6a51";
        assert_eq!(split(&format!("ab12cd34_{uuid}")), Some(("ab12cd34", uuid)));
        for other in [
            "password".to_owned(),
            format!("AB12CD34_{uuid}"),
            format!("ab12cd3_{uuid}"),
            format!("ab12cd34_{uuid}x"),
            "ab12cd34_".to_owned(),
        ] {
            assert_eq!(split(&other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "\\PC{0,80}") {
            let _ = split(&text);
        }
    }

    #[tokio::test]
    async fn tokens_are_checked_remembered_and_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        })
        .expect("opens");
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let passwords = passwords(&clock);
        let tokens = ApiTokens::new(store.api_tokens().clone(), clock.clone());
        let ann = UserName::new("ann");
        let (prefix, secret, hash) = tokens.generate(&passwords).await.expect("makes");
        assert!(hash.starts_with("$2y$10$"), "{hash}");
        let row = rport_store::ApiToken {
            user: ann.clone(),
            prefix: prefix.clone(),
            created_at: clock.now(),
            expires_at: Some(clock.now() + Duration::from_secs(1000)),
            scope: "read".into(),
            hash,
            name: "one".into(),
        };
        assert_eq!(
            store.api_tokens().add(row).await.expect("saves"),
            TokenWrite::Done
        );
        let password = Secret::new(format!("{prefix}_{}", secret.expose()));
        let verify = async |user: &str, password: &Secret| {
            tokens
                .verify(&user.into(), password, &passwords)
                .await
                .expect("not busy")
        };
        let good = Verdict::Good {
            prefix: prefix.clone(),
            scope: TokenScope::Read,
        };
        assert_eq!(verify("ann", &password).await, good);
        assert_eq!(tokens.verified.lock().entries.len(), 1);
        assert_eq!(verify("ann", &password).await, good);
        assert_eq!(verify("bob", &password).await, Verdict::NoToken);
        let wrong = Secret::new(format!("{prefix}_{}", uuid::Uuid::new_v4()));
        assert_eq!(verify("ann", &wrong).await, Verdict::Wrong);

        clock.advance(Duration::from_secs(1001));
        assert_eq!(verify("ann", &password).await, Verdict::Wrong, "expired");
        store.api_tokens().delete(&ann, &prefix).await.expect("deletes");
        tokens.forget_verified();
        assert_eq!(verify("ann", &password).await, Verdict::NoToken);
    }

    #[tokio::test]
    async fn rows_without_a_hash_match_nothing() {
        let passwords = passwords(&Clock::manual(DateTime::UNIX_EPOCH));
        for hash in ["", "plain"] {
            let right = passwords.check_hash(hash, &Secret::new(hash)).await;
            assert!(!right.expect("not busy"), "{hash}");
        }
    }
}
