//! Live logins: a cache in front of `api_sessions.db`.
//!
//! Every authorised request prolongs its session. The Go server writes that to the database twice per request; here
//! it stays in memory and is written at most once a minute per session, and at shutdown. What a crash can lose is a
//! minute of prolongation.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{ApiSessionId, Error, UserName};
use rport_runtime::{Clock, Tasks};
use rport_store::{ApiSession, ApiSessions};

use super::service::RequestOrigin;

/// Each use keeps a session alive at least this long.
const SLIDE: Duration = Duration::from_secs(600);
/// How old the stored state of a used session may get.
const WRITE_BEHIND: Duration = Duration::from_secs(60);
/// User agents are cut to this many bytes before they are stored.
const USER_AGENT_LIMIT: usize = 512;

pub(crate) struct Sessions {
    store: ApiSessions,
    clock: Clock,
    tasks: Tasks,
    live: Mutex<Live>,
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
    written_at: DateTime<Utc>,
}

impl Sessions {
    pub(crate) fn new(store: ApiSessions, clock: Clock, tasks: Tasks) -> Self {
        Self {
            store,
            clock,
            tasks,
            live: Mutex::default(),
        }
    }

    /// Starts a session that is stored when this returns.
    pub(crate) async fn start(
        &self,
        user: &UserName,
        lifetime: Duration,
        origin: &RequestOrigin,
    ) -> Result<ApiSessionId, Error> {
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
        self.live.lock().sessions.insert(
            id,
            Cached {
                session,
                written_at: now,
            },
        );
        Ok(id)
    }

    /// Whether this session is alive and this user's; using it prolongs it.
    pub(crate) async fn use_by(
        &self,
        id: ApiSessionId,
        user: &UserName,
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
            if cached.session.expires_at <= now {
                live.sessions.remove(&id);
                return Ok(false);
            }
            // The token's user has to be the session's: old tokens may name a number that others got since.
            if cached.session.user != *user {
                return Ok(false);
            }
            cached.use_now(now, origin).then(|| cached.session.clone())
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
            let mut live = self.live.lock();
            if live.ended == ended {
                // Another request may have loaded it meanwhile; the one that is there has been prolonged already.
                live.sessions.entry(id).or_insert(Cached {
                    session,
                    written_at: now,
                });
                return Ok(true);
            }
        }
    }

    /// Ends a session; `false` when it was not alive or another user's.
    pub(crate) async fn end(&self, id: ApiSessionId, user: &UserName) -> Result<bool, Error> {
        let stored = self.store.find(id).await?;
        if stored.is_none_or(|session| session.user != *user) {
            return Ok(false);
        }
        let deleted = self.store.delete(id).await?;
        let mut live = self.live.lock();
        live.ended += 1;
        live.sessions.remove(&id);
        Ok(deleted)
    }

    /// Ends all sessions of a user.
    pub(crate) async fn end_all(&self, user: &UserName) -> Result<(), Error> {
        let deleted = self.store.delete_of_user(user).await;
        let mut live = self.live.lock();
        live.ended += 1;
        live.sessions.retain(|_, cached| cached.session.user != *user);
        Ok(deleted.map(drop)?)
    }

    /// Removes what has expired, in memory and on disk.
    pub(crate) async fn remove_expired(&self) -> Result<usize, Error> {
        self.flush().await?;
        let now = self.clock.now();
        self.live
            .lock()
            .sessions
            .retain(|_, cached| cached.session.expires_at > now);
        Ok(self.store.delete_expired(now).await?)
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
    /// Notes a use; returns whether it is time to write.
    fn use_now(&mut self, now: DateTime<Utc>, origin: &RequestOrigin) -> bool {
        self.session.last_access_at = now;
        self.session.expires_at = self.session.expires_at.max(now + SLIDE);
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

fn shortened(text: &str) -> String {
    let mut end = text.len().min(USER_AGENT_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
