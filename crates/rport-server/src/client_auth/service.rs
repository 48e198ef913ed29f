//! Managing the credentials of agents, and checking them. Source: rest-api.md 9.
//!
//! Two places hold what belongs together: the source of the operator has ids and passwords, the server's own file
//! the rest ([`rport_store::ClientAuthExtras`]). They cannot be changed as one step, so every change is ordered such
//! that a crash in between leaves less allowed than wanted, never more. Changes are made one at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::client_auth::{check_comment, check_id, check_password};
use rport_domain::{ClientAuthId, ClientAuthView, Error, ListQuery, Page, StoredPassword};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::{ClientAuthExtra, ClientAuthExtras};

use super::logins::Logins;
use super::options::{ClientAuthOptions, PasswordHashing};
use super::provider::{self, Change, Pair, Provider};
use super::requests::{
    ClientAuthChange, ClientAuthOutcome, GENERATED_LENGTH, MAX_GRACE, NewClientAuth, NewPassword,
};
use super::verify::{Busy, Verifier};
use super::view;
use crate::actor::Actor;
use crate::audit::{Action, Application, Audit};
use crate::clients::Registry;

/// How long the clean-up of revoked connections may take before the caller is told.
const REVOKE_LIMIT: Duration = Duration::from_secs(15);

/// The service of client auth. Cheap to clone.
#[derive(Clone)]
pub struct ClientAuths {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) options: ClientAuthOptions,
    pub(super) extras: ClientAuthExtras,
    pub(super) registry: Arc<Registry>,
    pub(super) audit: Audit,
    pub(super) verifier: Verifier,
    pub(super) logins: Logins,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    /// Last uses that are not stored yet.
    pub(super) used: Mutex<HashMap<ClientAuthId, DateTime<Utc>>>,
    /// One change at a time, because each looks before it writes.
    changing: tokio::sync::Mutex<()>,
}

/// What the service is built on.
pub(crate) struct Needs {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) extras: ClientAuthExtras,
    pub(crate) registry: Arc<Registry>,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

impl ClientAuths {
    pub(crate) fn new(options: ClientAuthOptions, needs: Needs) -> Self {
        let Needs {
            provider,
            extras,
            registry,
            audit,
            clock,
            tasks,
        } = needs;
        let hashing = options.hash == PasswordHashing::Argon2id;
        let verifier = Verifier::new(hashing, clock.clone(), tasks.clone());
        if let Some(example) = provider.example_hash() {
            verifier.observe(&example);
        }
        let inner = Inner {
            provider,
            options,
            extras,
            registry,
            audit,
            verifier,
            logins: Logins::default(),
            clock,
            tasks,
            used: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Passes administrators where credentials can be changed; to be asked before anything of a request is looked at.
    ///
    /// # Errors
    /// `Forbidden` for others and when the configuration forbids changes, `ReadOnly` for the static pair.
    pub fn check_writable(&self, actor: &Actor) -> Result<(), Error> {
        actor.require_admin()?;
        if !self.inner.provider.is_writable() {
            return Err(provider::single_only());
        }
        if !self.inner.options.write {
            return Err(provider::read_only_mode());
        }
        Ok(())
    }

    /// All credentials, filtered, sorted and cut to a page. `query` was read with
    /// [`rport_domain::CLIENT_AUTH_LIST`]. Without a wish they are sorted by id, byte by byte.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable` when the database does not answer.
    pub async fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ClientAuthView>, Error> {
        actor.require_admin()?;
        let inner = &self.inner;
        let page = view::page(inner.provider.list().await?, query);
        let mut extras: HashMap<ClientAuthId, ClientAuthExtra> = inner
            .extras
            .all()
            .await?
            .into_iter()
            .map(|extra| (extra.id.clone(), extra))
            .collect();
        let bound = view::count_bound(&inner.registry);
        Ok(page.map(|pair| {
            let extra = extras.remove(&pair.0);
            inner.view(pair, extra, &bound)
        }))
    }

    /// One pair of credentials.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Unavailable` when the database does not answer.
    pub async fn get(&self, actor: &Actor, id: &ClientAuthId) -> Result<ClientAuthView, Error> {
        actor.require_admin()?;
        let inner = &self.inner;
        let stored = inner.lookup(id).await?.ok_or_else(|| provider::not_found(id))?;
        let extra = inner.extras.find(id).await?;
        let bound = view::count_bound_to(&inner.registry, id);
        Ok(inner.view((id.clone(), stored), extra, &bound))
    }

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
            inner.restore(&id, before).await;
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
                inner.restore(id, before).await;
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

    /// The words for the source in the API's status, and whether the API may write to it.
    pub(crate) fn source(&self) -> (&'static str, bool) {
        let provider = &self.inner.provider;
        (
            provider.source_name(),
            provider.is_writable() && self.inner.options.write,
        )
    }
}

impl Inner {
    pub(super) async fn lookup(&self, id: &ClientAuthId) -> Result<Option<StoredPassword>, Error> {
        // Such an id cannot have been added, and PostgreSQL would choke on the zero byte.
        if check_id(id.as_str()).is_err() && id.as_str().contains('\0') {
            return Ok(None);
        }
        Ok(self.provider.lookup(id.as_str()).await?)
    }

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

    /// Puts back what was known about an id after a change of its source failed.
    async fn restore(&self, id: &ClientAuthId, before: Option<ClientAuthExtra>) {
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

    async fn forget_clients(&self, id: &ClientAuthId) -> Result<(), Error> {
        for client in self.registry.all() {
            let belongs = client.record().is_some_and(|record| record.client_auth_id == *id);
            if belongs && self.registry.remove(&client) {
                self.registry.save(&client.id).await?;
                tracing::info!(client.id = %client.id, client_auth.id = %id, "client forgotten with its client auth");
            }
        }
        Ok(())
    }

    fn view(
        &self,
        (id, stored): Pair,
        extra: Option<ClientAuthExtra>,
        bound: &view::Bound,
    ) -> ClientAuthView {
        let extra = extra.unwrap_or_else(|| ClientAuthExtra::new(id.clone()));
        let unsaved = self.used.lock().get(&id).copied();
        let now = self.clock.now();
        let hashed = stored.is_hashed();
        ClientAuthView {
            password: (!hashed && self.options.reveal).then(|| stored.expose().to_owned()),
            hashed,
            comment: extra.comment,
            expires_at: extra.expires_at,
            disabled: extra.disabled,
            created_at: extra.created_at,
            updated_at: extra.updated_at,
            last_used_at: extra.last_used_at.max(unsaved),
            previous_password_until: extra
                .previous
                .map(|(_, until)| until)
                .filter(|until| *until > now),
            bound_clients: bound.bound(&id),
            connected_clients: bound.connected(&id),
            id,
        }
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
