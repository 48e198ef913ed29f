//! What administrators do with users, and users with themselves. Source: rest-api.md 8.2 and 18.
//!
//! Differs from RPort: the last administrator cannot be removed; who is renamed, removed or gets another password is
//! logged out everywhere; a new password clears the expired flag with every source.

use std::sync::{Arc, OnceLock};

use rport_domain::{AuditAction as Action, AuditApplication as Application, Error, SendToRule, UserName};
use rport_runtime::Secret;
use serde_json::Value;

use super::accounts::Accounts;
use super::password::Passwords;
use super::provider::UserProvider;
use super::requests::{NewUser, OwnUpdate, UserUpdate, UserView};
use crate::actor::Actor;
use crate::audit::Audit;
use crate::login::{Login, UserEvent};
use crate::schedules::Schedules;

/// The service of users and their groups. Cheap to clone.
#[derive(Clone)]
pub struct Users {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) accounts: Accounts,
    login: Login,
    /// What runs in the names of users; known a moment after the start.
    schedules: OnceLock<Schedules>,
    pub(super) audit: Audit,
}

impl Users {
    pub(crate) fn new(
        provider: Arc<dyn UserProvider>,
        passwords: Arc<Passwords>,
        send_to: Option<SendToRule>,
        login: Login,
        audit: Audit,
    ) -> Self {
        let inner = Inner {
            accounts: Accounts::new(provider, passwords, send_to),
            login,
            schedules: OnceLock::new(),
            audit,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// From now on schedules hear of changes.
    pub(crate) fn tell(&self, schedules: Schedules) {
        // Set once, when the server starts.
        let _ = self.inner.schedules.set(schedules);
    }

    /// Passes administrators where users can be managed at all; to be asked before anything of a request is looked at.
    ///
    /// # Errors
    /// `Forbidden` for others, `Invalid` for the static pair.
    pub fn check_manageable(&self, actor: &Actor) -> Result<(), Error> {
        actor.require_admin()?;
        self.check_writable()
    }

    /// Passes where users can be changed at all.
    ///
    /// # Errors
    /// `Invalid` for the static pair.
    pub fn check_writable(&self) -> Result<(), Error> {
        self.inner.accounts.check_writable()
    }

    /// All users.
    ///
    /// # Errors
    /// As [`Self::check_manageable`]; `Unavailable` when the database does not answer.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<UserView>, Error> {
        self.check_manageable(actor)?;
        let users = self.inner.accounts.provider.list().await?;
        Ok(users.iter().map(|user| UserView::from(&**user)).collect())
    }

    /// Adds a user, who is on disk when this returns.
    ///
    /// # Errors
    /// As [`Self::check_manageable`]; `Invalid` for what is missing or breaks a rule and for a name that exists;
    /// `Conflict` when somebody else changed the file; `Unavailable`.
    pub async fn add(&self, actor: &Actor, new: NewUser) -> Result<(), Error> {
        self.check_manageable(actor)?;
        let name = new.name.clone();
        let request = self.inner.accounts.add(new).await?;
        tracing::info!(user.name = %name, by = %actor.user, "user added");
        self.inner
            .audit
            .record(actor, Application::AuthUser, Action::Create, &name, Some(request))
            .await;
        Ok(())
    }

    /// Changes a user; on disk when this returns.
    ///
    /// # Errors
    /// As [`Self::add`]; `NotFound`; `Conflict` also when nobody would be an administrator any more.
    pub async fn update(&self, actor: &Actor, name: &UserName, update: UserUpdate) -> Result<(), Error> {
        self.check_manageable(actor)?;
        let request = self.inner.update(name, update).await?;
        tracing::info!(user.name = %name, by = %actor.user, "user changed");
        self.inner
            .audit
            .record(
                actor,
                Application::AuthUser,
                Action::Update,
                name.as_str(),
                Some(request),
            )
            .await;
        Ok(())
    }

    /// Changes the caller; on disk when this returns.
    ///
    /// # Errors
    /// `Invalid` for the static pair, for nothing to change and for what breaks a rule; `Forbidden` when a new
    /// password comes without the right old one; `NotFound` when the caller is gone; `Conflict`, `Unavailable`.
    pub async fn update_me(&self, actor: &Actor, update: OwnUpdate) -> Result<(), Error> {
        self.check_writable()?;
        let inner = &self.inner;
        let OwnUpdate {
            name,
            password,
            old_password,
            two_fa_send_to,
        } = update;
        let password = password.filter(|password| !password.is_empty());
        if password.is_some() {
            inner.check_old_password(actor, old_password).await?;
        }
        let update = UserUpdate {
            name,
            password,
            two_fa_send_to,
            ..UserUpdate::default()
        };
        let request = inner.update(&actor.user, update).await?;
        tracing::info!(user.name = %actor.user, "user changed the own account");
        inner
            .audit
            .record(
                actor,
                Application::AuthUserMe,
                Action::Update,
                actor.user.as_str(),
                Some(request),
            )
            .await;
        Ok(())
    }

    /// Removes a user, who is logged out everywhere when this returns.
    ///
    /// # Errors
    /// As [`Self::check_manageable`]; `NotFound`; `Conflict` for the last administrator and when somebody else
    /// changed the file; `Unavailable`.
    pub async fn delete(&self, actor: &Actor, name: &UserName) -> Result<(), Error> {
        self.check_manageable(actor)?;
        let inner = &self.inner;
        inner.accounts.delete(name).await?;
        tracing::info!(user.name = %name, by = %actor.user, "user deleted");
        inner
            .audit
            .record(actor, Application::User, Action::Delete, name.as_str(), None)
            .await;
        inner.tell(name, UserEvent::Deleted).await
    }
}

impl Inner {
    /// Makes the change and tells it to whom it concerns. Returns what to write into the audit log.
    async fn update(&self, name: &UserName, update: UserUpdate) -> Result<Value, Error> {
        let (request, events) = self.accounts.update(name, update).await?;
        for event in events {
            self.tell(name, event).await?;
        }
        Ok(request)
    }

    async fn tell(&self, name: &UserName, event: UserEvent) -> Result<(), Error> {
        if let Some(schedules) = self.schedules.get() {
            schedules.user_changed(name, &event).await?;
        }
        self.login.user_changed(name, event).await
    }

    async fn check_old_password(&self, actor: &Actor, old: Option<Secret>) -> Result<(), Error> {
        let old = old
            .filter(|old| !old.is_empty())
            .ok_or_else(|| Error::forbidden("Missing old password."))?;
        let Accounts {
            provider, passwords, ..
        } = &self.accounts;
        let user = provider.find(&actor.user).await?;
        let stand_in = provider.stand_in();
        if passwords.check(user.as_deref(), &stand_in, &old).await? {
            return Ok(());
        }
        tracing::info!(user.name = %actor.user, address = %actor.address, "wrong old password");
        Err(Error::forbidden("Incorrect old password."))
    }
}
