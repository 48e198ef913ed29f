//! Who is logged in, and ending that. Source: rest-api.md 18.2; the caller's own sessions are ours.

use rport_domain::{Error, UserName};
use rport_store::ApiSession;

use super::service::{Login, parse_session_id};
use crate::actor::Actor;
use crate::audit::{Action, Application};

impl Login {
    /// The sessions of a user, the one used longest ago first; none for a user nobody knows.
    ///
    /// # Errors
    /// `Forbidden` for who is no administrator.
    pub async fn sessions(&self, actor: &Actor, user: &UserName) -> Result<Vec<ApiSession>, Error> {
        actor.require_admin()?;
        self.inner.sessions.of_user(user).await
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// `Forbidden` for who is no administrator.
    pub async fn end_sessions(&self, actor: &Actor, user: &UserName) -> Result<(), Error> {
        actor.require_admin()?;
        let ended = self.inner.sessions.end_all(user).await?;
        tracing::info!(user.name = %user, ended, by = %actor.user, "sessions ended by administrator");
        self.inner
            .audit
            .record(
                actor,
                Application::AuthApiSessions,
                Action::Delete,
                user.as_str(),
                None,
            )
            .await;
        Ok(())
    }

    /// Ends one session of a user. One that is not there, or another user's, is left alone without a word, as in the
    /// Go server for the former.
    ///
    /// # Errors
    /// `Forbidden` for who is no administrator, `Invalid` when the id is no number.
    pub async fn end_session(&self, actor: &Actor, user: &UserName, id: &str) -> Result<(), Error> {
        actor.require_admin()?;
        let id = parse_session_id(id)?;
        if self.inner.sessions.end(id, user).await? {
            self.note_ended(actor, &id.to_string()).await;
        }
        Ok(())
    }

    /// The caller's own sessions.
    ///
    /// # Errors
    /// Trouble with the database.
    pub async fn own_sessions(&self, actor: &Actor) -> Result<Vec<ApiSession>, Error> {
        self.inner.sessions.of_user(&actor.user).await
    }

    /// Ends one of the caller's own sessions, also the present one.
    ///
    /// # Errors
    /// `Invalid` when the id is no number, `NotFound` when it is no session of the caller.
    pub async fn end_own_session(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        let id = parse_session_id(id)?;
        if !self.inner.sessions.end(id, &actor.user).await? {
            return Err(Error::not_found(format!("cannot find session {id}")));
        }
        self.note_ended(actor, &id.to_string()).await;
        Ok(())
    }

    async fn note_ended(&self, actor: &Actor, id: &str) {
        self.inner
            .audit
            .record(actor, Application::AuthApiSession, Action::Delete, id, None)
            .await;
    }
}
