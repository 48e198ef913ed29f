//! Changing credentials.
//!
//! Two places hold what belongs together: the source of the operator has ids and passwords, the server's own file
//! the rest ([`rport_store::ClientAuthExtras`]). They cannot be changed as one step, so every change is ordered such
//! that a crash in between leaves less allowed than wanted, never more. Changes are made one at a time.

use std::time::Duration;

use rport_domain::client_auth::{check_comment, check_id, check_password};
use rport_domain::{ClientAuthId, Error, StoredPassword};
use rport_runtime::Secret;
use rport_store::ClientAuthExtra;
use tokio::time::timeout;

use super::options::PasswordHashing;
use super::provider::{self, Change, ProviderError};
use super::requests::{
    ClientAuthChange, ClientAuthOutcome, GENERATED_LENGTH, MAX_GRACE, NewClientAuth, NewPassword,
};
use super::service::{ClientAuths, Inner};
use super::verify::Busy;
use super::view;
use crate::actor::Actor;
use crate::audit::{Action, Application};

/// How long the clean-up of revoked connections may take before the caller is told.
const REVOKE_LIMIT: Duration = Duration::from_secs(15);

impl ClientAuths {
    /// Adds credentials. They are on disk when this returns.
    ///
    /// # Errors
    /// As [`Self::check_writable`]; `Invalid` for bad texts; `Conflict` when the id exists or the file was changed by
    /// somebody else; `Unavailable`.
    pub async fn add(&self, actor: &Actor, new: NewClientAuth) -> Result<ClientAuthOutcome, Error> {
        self.check_writable(actor)?;
        let inner = &self.inner;
        let NewClientAuth {
            id,
            password,
            comment,
            expires_at,
        } = new;
        check_id(id.as_str())?;
        let password = Chosen::of(password)?;
        check_comment(&comment)?;
        let stored = inner.stored_form(&password.secret).await?;
        let _alone = inner.changing.lock().await;
        if inner.lookup(&id).await?.is_some() {
            return Err(provider::already_exists(&id));
        }
        // The expiry first: a crash leaves a note about nothing, not credentials that never expire.
        let now = inner.clock.now();
        let before = inner.extras.find(&id).await?;
        let extra = ClientAuthExtra {
            comment,
            expires_at,
            created_at: Some(now),
            updated_at: Some(now),
            ..ClientAuthExtra::new(id.clone())
        };
        inner.extras.save(&extra).await?;
        if let Err(error) = inner
            .provider
            .change(vec![Change::Insert(id.clone(), stored)])
            .await
        {
            inner.restore(&id, before, &error).await;
            return Err(error.into());
        }
        tracing::info!(client_auth.id = %id, user.name = %actor.user, "client auth added");
        let request = serde_json::json!({ "id": id });
        inner
            .audit
            .record(
                actor,
                Application::ClientAuth,
                Action::Create,
                id.as_str(),
                Some(request),
            )
            .await;
        Ok(ClientAuthOutcome {
            generated: password.shown_once(),
            disconnected: 0,
        })
    }

    /// Changes credentials: rotates the password, sets comment, expiry and switch. On disk when this returns.
    ///
    /// # Errors
    /// As [`Self::check_writable`]; `NotFound`; `Invalid` for bad texts and a grace that is too long; `Conflict` when
    /// the file was changed by somebody else; `Unavailable`.
    pub async fn update(
        &self,
        actor: &Actor,
        id: &ClientAuthId,
        change: ClientAuthChange,
    ) -> Result<ClientAuthOutcome, Error> {
        self.check_writable(actor)?;
        let inner = &self.inner;
        let request = view::audit_of(&change);
        let ClientAuthChange {
            password,
            grace,
            comment,
            expires_at,
            disabled,
            force,
        } = change;
        let password = password.map(Chosen::of).transpose()?;
        if let Some(comment) = &comment {
            check_comment(comment)?;
        }
        check_grace(grace, password.is_some())?;
        let stored = match &password {
            Some(password) => Some(inner.stored_form(&password.secret).await?),
            None => None,
        };
        {
            let _alone = inner.changing.lock().await;
            let current = inner
                .lookup(id)
                .await?
                .ok_or_else(|| provider::not_found_coded(id))?;
            let before = inner.extras.find(id).await?;
            let now = inner.clock.now();
            let mut extra = before.clone().unwrap_or_else(|| ClientAuthExtra::new(id.clone()));
            extra.updated_at = Some(now);
            extra.comment = comment.unwrap_or(extra.comment);
            extra.expires_at = expires_at.unwrap_or(extra.expires_at);
            extra.disabled = disabled.unwrap_or(extra.disabled);
            if password.is_some() {
                // Before the new password stands in the source: with a crash in between only the old one is valid.
                extra.previous = grace
                    .filter(|grace| !grace.is_zero())
                    .map(|grace| (current, now + grace));
            }
            inner.extras.save(&extra).await?;
            if let Some(stored) = stored
                && let Err(error) = inner
                    .provider
                    .change(vec![Change::Replace(id.clone(), stored)])
                    .await
            {
                inner.restore(id, before, &error).await;
                return Err(error.into());
            }
        }
        tracing::info!(client_auth.id = %id, user.name = %actor.user, "client auth changed");
        inner
            .audit
            .record(
                actor,
                Application::ClientAuth,
                Action::Update,
                id.as_str(),
                Some(request),
            )
            .await;
        let disconnected = if force { inner.disconnect(id).await } else { 0 };
        Ok(ClientAuthOutcome {
            generated: password.and_then(Chosen::shown_once),
            disconnected,
        })
    }

    /// Removes credentials. With `force` their agents are disconnected at once and the clients that belong to them
    /// are forgotten; without it the call fails if there are any.
    ///
    /// # Errors
    /// As [`Self::check_writable`]; `NotFound`; `Conflict` when clients belong to them or the file was changed by
    /// somebody else; `Unavailable`.
    pub async fn delete(&self, actor: &Actor, id: &ClientAuthId, force: bool) -> Result<(), Error> {
        self.check_writable(actor)?;
        let inner = &self.inner;
        {
            let _alone = inner.changing.lock().await;
            if inner.lookup(id).await?.is_none() {
                return Err(provider::not_found_coded(id));
            }
            let bound = view::count_bound_to(&inner.registry, id).bound(id);
            if bound > 0 && !force {
                let text = format!(
                    "Client Auth expected to have no active or disconnected bound client(s), got {bound}."
                );
                return Err(Error::conflict(text).code("ERR_CODE_CLIENT_AUTH_HAS_CLIENT"));
            }
            // The credentials first, so that nobody comes back while the connections are being closed.
            inner.provider.change(vec![Change::Delete(id.clone())]).await?;
            inner.used.lock().remove(id);
            inner.extras.delete(id).await?;
        }
        tracing::info!(client_auth.id = %id, force, user.name = %actor.user, "client auth deleted");
        let request = serde_json::json!({ "force": force });
        inner
            .audit
            .record(
                actor,
                Application::ClientAuth,
                Action::Delete,
                id.as_str(),
                Some(request),
            )
            .await;
        // Also without force: a connection may be on its way in with credentials that do not exist any more.
        inner.disconnect(id).await;
        if force {
            inner.forget_clients(id).await
        } else {
            Ok(())
        }
    }
}

impl Inner {
    async fn stored_form(&self, password: &Secret) -> Result<StoredPassword, Error> {
        match self.options.hash {
            PasswordHashing::None => Ok(StoredPassword::new(password.expose())),
            PasswordHashing::Argon2id => {
                let busy =
                    |error: Busy| Error::unavailable("The server is busy, please try again.").source(error);
                self.verifier.hash(password).await.map_err(busy)
            }
        }
    }

    /// Puts back what was known about an id after a change of its source failed. Not after an outage: the change may
    /// have been made before the connection broke, and then the old password has to stay valid as promised.
    async fn restore(&self, id: &ClientAuthId, before: Option<ClientAuthExtra>, failure: &ProviderError) {
        if matches!(failure, ProviderError::Unavailable(_)) {
            return;
        }
        let restored = match before {
            Some(extra) => self.extras.save(&extra).await,
            None => self.extras.delete(id).await,
        };
        if let Err(error) = restored {
            tracing::error!(client_auth.id = %id, %error, "what is known about a client auth was not restored");
        }
    }

    /// Closes all connections of an id and waits until they are cleaned up.
    pub(super) async fn disconnect(&self, id: &ClientAuthId) -> usize {
        let closed = self.logins.close_all(id);
        if closed == 0 {
            return 0;
        }
        tracing::info!(client_auth.id = %id, connections = closed, "agents disconnected, their client auth was changed");
        if !self.logins.gone(id, REVOKE_LIMIT).await {
            tracing::error!(client_auth.id = %id, "connections of a revoked client auth do not end");
        }
        closed
    }

    /// Forgets the clients that belong to an id. One that was re-bound to it may still be connected with others.
    async fn forget_clients(&self, id: &ClientAuthId) -> Result<(), Error> {
        for client in self.registry.all() {
            if client.record().is_none_or(|record| record.client_auth_id != *id) {
                continue;
            }
            if let Some(seat) = client.seat() {
                seat.link.connection.close();
                if timeout(REVOKE_LIMIT, seat.left.cancelled()).await.is_err() {
                    tracing::error!(client.id = %client.id, "the connection of a revoked client does not end");
                }
            }
            if self.registry.remove(&client) {
                self.registry.save(&client.id).await?;
                tracing::info!(client.id = %client.id, client_auth.id = %id, "client forgotten with its client auth");
            }
        }
        Ok(())
    }
}

/// A new password that passed its checks.
struct Chosen {
    secret: Secret,
    generated: bool,
}

impl Chosen {
    fn of(password: NewPassword) -> Result<Self, Error> {
        match password {
            NewPassword::Given(secret) => {
                check_password(secret.expose())?;
                Ok(Self {
                    secret,
                    generated: false,
                })
            }
            NewPassword::Generated => {
                let secret = Secret::new(rport_runtime::rng::alphanumeric(GENERATED_LENGTH));
                Ok(Self {
                    secret,
                    generated: true,
                })
            }
        }
    }

    fn shown_once(self) -> Option<Secret> {
        self.generated.then_some(self.secret)
    }
}

fn check_grace(grace: Option<Duration>, rotates: bool) -> Result<(), Error> {
    let Some(grace) = grace else { return Ok(()) };
    let invalid = |detail: String| {
        Err(Error::invalid("Invalid grace period.")
            .detail(detail)
            .code("ERR_CODE_INVALID_REQUEST"))
    };
    if !rotates {
        return invalid("It needs a new password.".into());
    }
    if grace > MAX_GRACE {
        return invalid(format!("Max value is {} seconds.", MAX_GRACE.as_secs()));
    }
    Ok(())
}
