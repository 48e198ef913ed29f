//! Live logins: a cache in front of `api_sessions.db`.
//!
//! Every authorised request prolongs its session. The Go server writes that to the database twice per request; here
//! it stays in memory and is written at most once a minute per session, and at shutdown. What a crash can lose is a
//! minute of prolongation.
//!
//! A token is taken only with the session it was made for: each token has a random number, and the numbers of a
//! session's newest token and, for a moment, of the one before it are kept in `operator_extras.db`. Sessions that a Go
//! server made have no such number; there the token has to name the session's user.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{ApiSessionId, Error, UserName};
use rport_runtime::{Clock, Tasks};
use rport_store::{ApiSession, ApiSessions, OperatorExtras, SessionToken};
use tokio::sync::watch;

use super::service::RequestOrigin;

/// Each use keeps a session alive at least this long.
const SLIDE: Duration = Duration::from_secs(600);
/// How old the stored state of a used session may get.
const WRITE_BEHIND: Duration = Duration::from_secs(60);
/// How long a replaced token is still taken, for requests that were under way.
const GRACE: Duration = Duration::from_secs(30);
/// User agents are cut to this many bytes before they are stored.
const USER_AGENT_LIMIT: usize = 512;

pub(crate) struct Sessions {
    store: ApiSessions,
    extras: OperatorExtras,
    /// How long after its making a token is worth something at most.
    max_token_age: Option<Duration>,
    clock: Clock,
    tasks: Tasks,
    live: Mutex<Live>,
    /// Counts up whenever a session is ended.
    ends: watch::Sender<u64>,
}

#[derive(Default)]
struct Live {
    sessions: HashMap<ApiSessionId, Cached>,
    /// Counts the sessions that were ended. Whoever loads a session looks whether one was ended meanwhile, so that
    /// a logout is not undone by a request that was under way.
    ended: u64,
}

struct Cached {
    session: ApiSession,
    token: Option<SessionToken>,
    written_at: DateTime<Utc>,
}

/// A session that has just begun, or got a new token.
pub(crate) struct Started {
    pub(crate) id: ApiSessionId,
    /// The number the token has to carry.
    pub(crate) jti: String,
    pub(crate) issued_at: DateTime<Utc>,
}

impl Sessions {
    pub(crate) fn new(
        store: ApiSessions,
        extras: OperatorExtras,
        max_token_age: Option<Duration>,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self {
            store,
            extras,
            max_token_age,
            clock,
            tasks,
            live: Mutex::default(),
            ends: watch::Sender::new(0),
        }
    }

    /// Starts a session that is stored when this returns.
    pub(crate) async fn start(
        &self,
        user: &UserName,
        lifetime: Duration,
        origin: &RequestOrigin,
    ) -> Result<Started, Error> {
        let now = self.clock.now();
        let session = ApiSession {
            id: ApiSessionId(0),
            expires_at: now + lifetime,
            user: user.clone(),
            last_access_at: now,
            user_agent: shortened(&origin.user_agent),
            address: origin.address.to_string(),
        };
        let session = self.store.create(session, now).await?;
        let id = session.id;
        let token = SessionToken {
            session: id,
            jti: fresh_jti(),
            issued_at: now,
            previous: None,
        };
        self.extras.save_session_token(token.clone()).await?;
        let started = Started {
            id,
            jti: token.jti.clone(),
            issued_at: now,
        };
        let cached = Cached {
            session,
            token: Some(token),
            written_at: now,
        };
        self.live.lock().sessions.insert(id, cached);
        Ok(started)
    }

    /// Whether this session is alive, this user's and the one this token was made for; using it prolongs it.
    pub(crate) async fn use_by(
        &self,
        id: ApiSessionId,
        user: &UserName,
        jti: &str,
        origin: &RequestOrigin,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        if !self.load(id, now).await? {
            return Ok(false);
        }
        let behind = {
            let mut live = self.live.lock();
            let Some(cached) = live.sessions.get_mut(&id) else {
                return Ok(false);
            };
            if !cached.is_alive(now, self.max_token_age) || !cached.takes(user, jti, now) {
                return Ok(false);
            }
            cached
                .use_now(now, origin, self.max_token_age)
                .then(|| cached.session.clone())
        };
        if let Some(session) = behind {
            let store = self.store.clone();
            self.tasks.spawn("session_touch", async move {
                if let Err(error) = store.touch(session).await {
                    tracing::warn!(%error, "the last use of a login was not saved");
                }
            });
        }
        Ok(true)
    }

    /// Gives a session a new token that lives at least `lifetime`; the present one is worthless after a short while.
    ///
    /// # Errors
    /// `Conflict` when `jti` is not the session's newest token's, `Unauthenticated` when the session has ended.
    pub(crate) async fn renew(
        &self,
        id: ApiSessionId,
        jti: &str,
        lifetime: Duration,
    ) -> Result<Started, Error> {
        let now = self.clock.now();
        let ended = || Error::unauthenticated("unauthorized");
        let (token, session) = {
            let mut live = self.live.lock();
            let cached = live.sessions.get_mut(&id).ok_or_else(ended)?;
            if cached.token.as_ref().is_some_and(|token| token.jti != jti) {
                return Err(Error::conflict(
                    "this token has been replaced by a newer one already",
                ));
            }
            let token = SessionToken {
                session: id,
                jti: fresh_jti(),
                issued_at: now,
                previous: Some((jti.to_owned(), now + GRACE)),
            };
            cached.token = Some(token.clone());
            cached.session.expires_at = cached.session.expires_at.max(now + lifetime);
            cached.written_at = now;
            (token, cached.session.clone())
        };
        let started = Started {
            id,
            jti: token.jti.clone(),
            issued_at: now,
        };
        // A failure leaves the caller with a token that works for the time of grace, enough for another attempt.
        self.extras.save_session_token(token).await?;
        self.store.touch(session).await?;
        if !self.live.lock().sessions.contains_key(&id) {
            self.extras.forget_sessions(vec![id]).await?;
            return Err(ended());
        }
        Ok(started)
    }

    /// Brings a stored session into memory; `false` if there is none.
    async fn load(&self, id: ApiSessionId, now: DateTime<Utc>) -> Result<bool, Error> {
        loop {
            let ended = {
                let live = self.live.lock();
                if live.sessions.contains_key(&id) {
                    return Ok(true);
                }
                live.ended
            };
            let Some(session) = self.store.find(id).await? else {
                return Ok(false);
            };
            let token = self.extras.session_token(id).await?;
            let mut live = self.live.lock();
            if live.ended == ended {
                // Another request may have loaded it meanwhile; the one that is there has been prolonged already.
                live.sessions.entry(id).or_insert(Cached {
                    session,
                    token,
                    written_at: now,
                });
                return Ok(true);
            }
        }
    }

    /// Whether a session is alive, without prolonging it.
    pub(crate) async fn is_alive(&self, id: ApiSessionId) -> Result<bool, Error> {
        let now = self.clock.now();
        if !self.load(id, now).await? {
            return Ok(false);
        }
        let live = self.live.lock();
        let cached = live.sessions.get(&id);
        Ok(cached.is_some_and(|cached| cached.is_alive(now, self.max_token_age)))
    }

    /// The sessions of a user that are alive, the one used longest ago first.
    pub(crate) async fn of_user(&self, user: &UserName) -> Result<Vec<ApiSession>, Error> {
        self.flush().await?;
        let now = self.clock.now();
        let mut sessions = self.store.of_user(user).await?;
        sessions.retain(|session| session.expires_at > now);
        Ok(sessions)
    }

    /// Ends a session; `false` when it was not alive or another user's.
    pub(crate) async fn end(&self, id: ApiSessionId, user: &UserName) -> Result<bool, Error> {
        let stored = self.store.find(id).await?;
        if stored.is_none_or(|session| session.user != *user) {
            return Ok(false);
        }
        let deleted = self.store.delete(id).await?;
        self.forget(&[id]);
        self.extras.forget_sessions(vec![id]).await?;
        Ok(deleted)
    }

    /// Ends all sessions of a user; returns how many there were.
    pub(crate) async fn end_all(&self, user: &UserName) -> Result<usize, Error> {
        let ended = self.store.delete_of_user(user).await?;
        self.forget(&ended);
        self.extras.forget_sessions(ended.clone()).await?;
        Ok(ended.len())
    }

    fn forget(&self, ended: &[ApiSessionId]) {
        {
            let mut live = self.live.lock();
            live.ended += 1;
            for id in ended {
                live.sessions.remove(id);
            }
        }
        self.announce();
    }

    /// Tells whoever holds something open for a session to look whether it may stay.
    pub(crate) fn announce(&self) {
        self.ends.send_modify(|count| *count += 1);
    }

    /// Changes whenever a session was ended or its user changed.
    pub(crate) fn ends(&self) -> watch::Receiver<u64> {
        self.ends.subscribe()
    }

    /// Removes what has expired, in memory and on disk.
    pub(crate) async fn remove_expired(&self) -> Result<usize, Error> {
        self.flush().await?;
        let now = self.clock.now();
        self.live
            .lock()
            .sessions
            .retain(|_, cached| cached.session.expires_at > now);
        let removed = self.store.delete_expired(now).await?;
        // First the numbers, then the sessions: one that starts in between is in the second list only.
        let mut orphans = self.extras.known_sessions().await?;
        let alive: std::collections::HashSet<_> = self.store.ids().await?.into_iter().collect();
        orphans.retain(|id| !alive.contains(id));
        if !orphans.is_empty() {
            self.extras.forget_sessions(orphans).await?;
        }
        Ok(removed)
    }

    /// Writes every use that is only in memory so far.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let behind: Vec<ApiSession> = {
            let mut live = self.live.lock();
            let used = live
                .sessions
                .values_mut()
                .filter(|cached| cached.written_at < cached.session.last_access_at);
            used.map(|cached| {
                cached.written_at = now;
                cached.session.clone()
            })
            .collect()
        };
        for session in behind {
            self.store.touch(session).await?;
        }
        Ok(())
    }
}

impl Cached {
    /// When the session ends unless it is used.
    fn ends_at(&self, max_token_age: Option<Duration>) -> DateTime<Utc> {
        let token_ends = self
            .token
            .as_ref()
            .zip(max_token_age)
            .map(|(token, age)| token.issued_at + age);
        token_ends.map_or(self.session.expires_at, |end| end.min(self.session.expires_at))
    }

    fn is_alive(&self, now: DateTime<Utc>, max_token_age: Option<Duration>) -> bool {
        self.ends_at(max_token_age) > now
    }

    /// Whether a token of this user with this number belongs to this session.
    fn takes(&self, user: &UserName, jti: &str, now: DateTime<Utc>) -> bool {
        let Some(token) = &self.token else {
            return self.session.user == *user;
        };
        let is_previous = |(previous, until): &(String, DateTime<Utc>)| previous == jti && *until > now;
        self.session.user == *user && (token.jti == jti || token.previous.as_ref().is_some_and(is_previous))
    }

    /// Notes a use; returns whether it is time to write.
    fn use_now(
        &mut self,
        now: DateTime<Utc>,
        origin: &RequestOrigin,
        max_token_age: Option<Duration>,
    ) -> bool {
        self.session.last_access_at = now;
        self.session.expires_at = self.session.expires_at.max(now + SLIDE);
        self.session.expires_at = self.ends_at(max_token_age);
        if self.session.user_agent != origin.user_agent {
            self.session.user_agent = shortened(&origin.user_agent);
        }
        let address = origin.address.to_string();
        if self.session.address != address {
            self.session.address = address;
        }
        let due = now >= self.written_at + WRITE_BEHIND;
        if due {
            self.written_at = now;
        }
        due
    }
}

fn fresh_jti() -> String {
    rport_runtime::rng::u64().to_string()
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(USER_AGENT_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
