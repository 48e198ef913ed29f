//! Managing the credentials of agents, and checking them. Source: rest-api.md 9.
//!
//! Here is what the service is made of and how it is read; `changes.rs` writes, `login.rs` checks agents,
//! `binding.rs` decides whose a client id is.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{ClientAuthId, ClientAuthView, Error, ListQuery, Page, StoredPassword};
use rport_runtime::{Clock, Tasks};
use rport_store::{ClientAuthExtra, ClientAuthExtras};

use super::logins::Logins;
use super::options::{ClientAuthOptions, PasswordHashing};
use super::provider::{self, Pair, Provider};
use super::verify::Verifier;
use super::view;
use crate::actor::Actor;
use crate::audit::Audit;
use crate::clients::Registry;

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
    pub(super) changing: tokio::sync::Mutex<()>,
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
        if id.as_str().contains('\0') {
            return Ok(None);
        }
        Ok(self.provider.lookup(id.as_str()).await?)
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
