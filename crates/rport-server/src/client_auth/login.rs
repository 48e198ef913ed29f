//! Checking the credentials of agents that log in.

use std::time::Duration;

use rport_domain::ClientAuthId;
use rport_domain::client_auth::MAX_BYTES;
use rport_transport::Connection;

use super::ClientAuths;
use super::logins::Entered;
use crate::error::StartError;

/// How often last uses are stored and expired credentials looked for.
const UPKEEP: Duration = Duration::from_secs(30);

/// What is known about a pair of id and password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The agent may come in.
    Right,
    /// There is no such pair.
    Wrong,
    /// The pair is right but must not be used; the word says why.
    Unusable(&'static str),
    /// It cannot be found out at present.
    Unknown(String),
}

impl ClientAuths {
    /// Checks a pair. A wrong id takes the same work as a wrong password.
    pub(crate) async fn check(&self, id: &str, password: &[u8]) -> Verdict {
        let inner = &self.inner;
        // Longer ids and zero bytes cannot have been added by anybody, and not every database takes them.
        let possible = !id.is_empty() && id.len() <= MAX_BYTES && !id.contains('\0') && !password.is_empty();
        let id = ClientAuthId::from(if possible { id } else { "" });
        let (stored, extra) = tokio::join!(inner.provider.lookup(id.as_str()), inner.extras.find(&id));
        let (stored, extra) = match (stored, extra) {
            (Ok(stored), Ok(extra)) => (stored, extra),
            (Err(error), _) => return Verdict::Unknown(error.to_string()),
            (_, Err(error)) => return Verdict::Unknown(error.to_string()),
        };
        let stored = stored.filter(|stored| possible && !stored.expose().is_empty());
        let now = inner.clock.now();
        let previous = extra.as_ref().and_then(|extra| extra.previous.as_ref());
        let previous = previous
            .filter(|(_, until)| stored.is_some() && *until > now)
            .map(|(previous, _)| previous);
        match inner.verifier.check(stored.as_ref(), previous, password).await {
            Err(busy) => Verdict::Unknown(busy.to_string()),
            Ok(false) => Verdict::Wrong,
            Ok(true) => match extra.filter(|extra| !extra.is_usable(now)) {
                Some(extra) if extra.disabled => Verdict::Unusable("disabled"),
                Some(_) => Verdict::Unusable("expired"),
                None => {
                    inner.used.lock().insert(id, now);
                    Verdict::Right
                }
            },
        }
    }

    /// Notes a connection that has logged in, until the entry is dropped. Follow with [`Self::is_usable`]: a
    /// revocation before this moment did not see the connection.
    pub(crate) fn enter(&self, id: &ClientAuthId, connection: &Connection) -> Entered {
        self.inner.logins.enter(id, connection)
    }

    /// Whether credentials exist and may be used. `None` when that cannot be found out at present.
    pub(crate) async fn is_usable(&self, id: &ClientAuthId) -> Option<bool> {
        let inner = &self.inner;
        let stored = inner.lookup(id).await.ok()?;
        if stored.is_none() {
            return Some(false);
        }
        let extra = inner.extras.find(id).await.ok()?;
        Some(extra.is_none_or(|extra| extra.is_usable(inner.clock.now())))
    }

    /// Stores last uses and disconnects agents whose credentials have expired, until the tasks are asked to stop.
    pub(crate) async fn keep_up(self) {
        let stop = self.inner.tasks.soft();
        let mut tick = tokio::time::interval(UPKEEP);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            self.flush().await;
            self.disconnect_expired().await;
        }
    }

    /// Stores the last uses that are only in memory; part of the shutdown, too.
    pub(crate) async fn flush(&self) {
        let used: Vec<_> = std::mem::take(&mut *self.inner.used.lock()).into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.inner.extras.touch(used).await {
            tracing::warn!(%error, "the last uses of client auths were not saved");
        }
    }

    /// Disconnects agents whose credentials have expired since they logged in.
    pub(crate) async fn disconnect_expired(&self) {
        let inner = &self.inner;
        let online = inner.logins.ids();
        if online.is_empty() {
            return;
        }
        match inner.extras.expired(inner.clock.now()).await {
            Ok(expired) => {
                for id in expired.iter().filter(|id| online.contains(id)) {
                    inner.disconnect(id).await;
                }
            }
            Err(error) => tracing::warn!(%error, "expired client auths were not looked for"),
        }
    }

    /// Reads the source again, see [`super::ClientAuths`].
    ///
    /// # Errors
    /// What is wrong with the source; the known credentials stay.
    pub(crate) fn reload(&self) -> Result<(), StartError> {
        self.inner.provider.reload()?;
        if let Some(example) = self.inner.provider.example_hash() {
            self.inner.verifier.observe(&example);
        }
        Ok(())
    }
}
