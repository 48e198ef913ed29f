//! Logins of users: what all ways to prove who one is share. Source: rest-api.md 5 and 6.
//!
//! The ways themselves stand beside this: `by_password.rs` (Basic, and a password for a token), `by_token.rs` (Bearer,
//! logout, renewal), `api_tokens.rs` (long-lived tokens). Whatever way, it ends in an [`Actor`] or in a session.
//!
//! Differs from RPort: a bad token is `Unauthenticated` and counts as a failure; an expired password is told only to
//! who knows it; sessions and tokens die with their user; `X-Forwarded-For` is believed from trusted proxies only.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use rport_domain::{ApiSessionId, Error, User, UserName, client_address};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::Store;
use tokio::sync::watch;

use super::api_tokens::ApiTokens;
use super::by_header::HeaderLoginOptions;
use super::second_factor::{PendingFactor, SecondFactor};
use super::sessions::Sessions;
use super::token::{Purpose, Tokens};
use super::{Bans, UserWaits};
use crate::actor::Actor;
use crate::audit::Audit;
use crate::audit::logins::{LoginAudit, via};
use crate::error::StartError;
use crate::metrics_names::LOGINS_TOTAL;
use crate::options::LoginOptions;
use crate::users::{Passwords, UserProvider};

/// A token lives this long unless asked otherwise, and at least this long after each use.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// Nobody gets a token for longer.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// Where a request comes from, as far as that matters here. Made by [`Login::origin`].
#[derive(Debug, Clone)]
pub struct RequestOrigin {
    /// The caller's address, behind trusted proxies.
    pub address: IpAddr,
    /// The caller's `User-Agent`, empty when there was none.
    pub user_agent: String,
}

/// A successful login.
#[derive(Debug)]
pub struct LoggedIn {
    /// The token for further requests, or only for the second step.
    pub token: Secret,
    /// The second step, if one is needed.
    pub pending: Option<PendingFactor>,
}

/// What happened to a user, as far as logins have to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserEvent {
    /// There is a new password.
    PasswordChanged,
    /// The password has to be changed before anything else.
    Expired,
    /// The user has another name now.
    Renamed(UserName),
    /// The user is gone.
    Deleted,
    /// The user belongs to other groups now.
    GroupsChanged,
}

/// The login service. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) users: Arc<dyn UserProvider>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) sessions: Sessions,
    pub(super) tokens: Tokens,
    pub(super) api_tokens: ApiTokens,
    pub(super) extras: rport_store::OperatorExtras,
    pub(super) second_factor: SecondFactor,
    /// Held while the secret of an app is looked at and changed.
    pub(super) totp_writes: tokio::sync::Mutex<()>,
    pub(super) waits: UserWaits,
    pub(super) bans: Bans,
    pub(super) audit: Audit,
    pub(super) logins: LoginAudit,
    pub(super) clock: Clock,
    /// Whether names and passwords are accepted besides single sign-on.
    pub(super) password_login: bool,
    warned_of_proxy: AtomicBool,
    pub(super) header: Option<HeaderLoginOptions>,
    pub(super) trusted_proxies: Vec<IpNet>,
    max_lifetime: Duration,
}

/// What the login service is built on.
pub(crate) struct LoginParts<'a> {
    pub(crate) users: Arc<dyn UserProvider>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) store: &'a Store,
    pub(crate) audit: Audit,
    pub(crate) logins: LoginAudit,
    pub(crate) clock: &'a Clock,
    pub(crate) tasks: &'a Tasks,
}

impl Login {
    /// # Errors
    /// Options of the second factor that cannot work.
    pub(crate) fn new(options: &LoginOptions, parts: LoginParts<'_>) -> Result<Self, StartError> {
        let LoginParts {
            users,
            passwords,
            store,
            audit,
            logins,
            clock,
            tasks,
        } = parts;
        let extras = store.operator_extras().clone();
        let inner = Inner {
            users,
            passwords,
            sessions: Sessions::new(
                store.api_sessions().clone(),
                extras.clone(),
                options.max_token_lifetime,
                clock.clone(),
                tasks.clone(),
            ),
            tokens: Tokens::new(&options.jwt_secret),
            api_tokens: ApiTokens::new(store.api_tokens().clone(), clock.clone()),
            extras,
            second_factor: SecondFactor::new(&options.second_factor, clock.clone())
                .map_err(StartError::Delivery)?,
            totp_writes: tokio::sync::Mutex::default(),
            waits: UserWaits::new(options.user_wait, clock.clone()),
            bans: Bans::new(options.ban, clock.clone()),
            audit,
            logins,
            clock: clock.clone(),
            password_login: options.sso.as_ref().is_none_or(|sso| sso.password_login),
            header: options.header.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            warned_of_proxy: AtomicBool::new(false),
            max_lifetime: options
                .max_token_lifetime
                .map_or(MAX_LIFETIME, |limit| limit.min(MAX_LIFETIME)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Works out where a request comes from: `peer` is the TCP peer, `forwarded_for` the values of all
    /// `X-Forwarded-For` headers in order.
    pub fn origin(&self, peer: IpAddr, forwarded_for: &[&str], user_agent: &str) -> RequestOrigin {
        let is_unbelieved =
            peer.is_loopback() && !forwarded_for.is_empty() && self.inner.trusted_proxies.is_empty();
        if is_unbelieved && !self.inner.warned_of_proxy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a proxy on this machine sends X-Forwarded-For and is not believed: bans and logs see its address \
                 instead of the visitor's; set trusted_proxies in [api], for example to [\"127.0.0.1\", \"::1\"]"
            );
        }
        RequestOrigin {
            address: client_address(peer, forwarded_for, &self.inner.trusted_proxies),
            user_agent: user_agent.to_owned(),
        }
    }

    /// Refuses banned addresses; to be asked before anything else.
    ///
    /// # Errors
    /// `Banned`.
    pub fn check_ban(&self, origin: &RequestOrigin) -> Result<(), Error> {
        if self.inner.bans.is_banned(origin.address) {
            return Err(Error::banned("Too many bad attempts. Please try later."));
        }
        Ok(())
    }

    /// Counts a request without credentials or with unreadable ones and returns what to answer.
    pub fn refuse_anonymous(&self, origin: &RequestOrigin) -> Error {
        match self.inner.check_wait("", origin) {
            Ok(()) => self.inner.failed("", via::NOTHING, origin),
            Err(error) => error,
        }
    }

    /// Starts a session for a user who has proven everything, and makes its token. `via` is a word for how, for the
    /// audit log.
    pub(crate) async fn start_session(
        &self,
        user: &UserName,
        lifetime: Duration,
        via: &'static str,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let session = inner.sessions.start(user, lifetime, origin).await?;
        inner.logins.logged_in(user.as_str(), origin.address, via).await;
        login_ended("accepted");
        tracing::info!(user.name = %user, address = %origin.address, "user logged in");
        Ok(LoggedIn {
            token: Secret::new(inner.tokens.make(user, &session, Purpose::Everything)),
            pending: None,
        })
    }

    /// Ends what a change of a user makes invalid. Awaited before the change is acknowledged.
    ///
    /// # Errors
    /// Trouble with the database.
    pub async fn user_changed(&self, user: &UserName, event: UserEvent) -> Result<(), Error> {
        let inner = &self.inner;
        inner.api_tokens.forget_verified();
        inner.second_factor.forget(user);
        match &event {
            UserEvent::GroupsChanged => inner.sessions.announce(),
            UserEvent::PasswordChanged | UserEvent::Expired => {
                inner.sessions.end_all(user).await?;
            }
            UserEvent::Renamed(new) => {
                inner.sessions.end_all(user).await?;
                inner.api_tokens.store().rename_user(user, new).await?;
                inner.extras.rename_user(user, new).await?;
            }
            UserEvent::Deleted => {
                inner.sessions.end_all(user).await?;
                inner.api_tokens.store().delete_of_user(user).await?;
                inner.extras.delete_user(user).await?;
            }
        }
        inner.api_tokens.forget_verified();
        Ok(())
    }

    /// The actor as he is now: a later look at somebody who keeps a connection open. `None` when his session has
    /// ended or he is no user any more.
    ///
    /// # Errors
    /// Trouble with the source of users or the database.
    pub async fn refreshed(&self, actor: &Actor) -> Result<Option<Actor>, Error> {
        let inner = &self.inner;
        if let Some(session) = actor.session
            && !inner.sessions.is_alive(session).await?
        {
            return Ok(None);
        }
        if let Some((prefix, _)) = &actor.api_token
            && !inner.api_tokens.is_alive(&actor.user, prefix).await?
        {
            return Ok(None);
        }
        let user = inner.users.find(&actor.user).await?;
        let Some(user) = user.filter(|user| !user.password_expired) else {
            return Ok(None);
        };
        Ok(Some(Actor {
            session: actor.session,
            api_token: actor.api_token.clone(),
            ..inner.actor_at(&user, actor.address).await?
        }))
    }

    /// A user as whom the server acts by itself, with the rights of this moment; `None` if there is no such user.
    /// Whether the password has expired does not matter: nobody is asked for it.
    ///
    /// # Errors
    /// Trouble with the source of users.
    pub(crate) async fn on_behalf_of(
        &self,
        name: &UserName,
        address: IpAddr,
    ) -> Result<Option<Actor>, Error> {
        match self.inner.users.find(name).await? {
            Some(user) => Ok(Some(self.inner.actor_at(&user, address).await?)),
            None => Ok(None),
        }
    }

    /// Changes whenever a session was ended or a user changed; then whoever keeps a connection open asks
    /// [`Login::refreshed`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.sessions.ends()
    }

    /// Removes expired sessions; a background chore.
    pub(crate) async fn remove_expired_sessions(&self) -> Result<usize, Error> {
        self.inner.sessions.remove_expired().await
    }

    /// Saves what is only in memory; part of the shutdown.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        self.inner.sessions.flush().await
    }

    pub(crate) fn users(&self) -> &dyn UserProvider {
        &*self.inner.users
    }
}

impl Inner {
    /// Refuses a name that failed from there a moment ago.
    pub(super) fn check_wait(&self, name: &str, origin: &RequestOrigin) -> Result<(), Error> {
        if self.waits.is_waiting(name, origin.address) {
            return Err(Error::too_many_attempts("too many requests, please try later"));
        }
        Ok(())
    }

    /// Counts a failure of this name from this address and returns the answer for it.
    pub(super) fn failed(&self, name: &str, via: &'static str, origin: &RequestOrigin) -> Error {
        self.waits.failed(name, origin.address);
        self.logins.refused(name, origin.address, via);
        self.failed_address(origin);
        tracing::info!(user.name = name, address = %origin.address, "login refused");
        Error::unauthenticated("unauthorized")
    }

    pub(super) fn failed_address(&self, origin: &RequestOrigin) {
        login_ended("refused");
        if let Some(until) = self.bans.failed(origin.address) {
            login_ended("banned");
            tracing::warn!(address = %origin.address, %until, "too many failed logins of users, address banned");
        }
    }

    /// Forgives earlier failures.
    pub(super) fn succeeded(&self, name: &str, origin: &RequestOrigin) {
        self.bans.succeeded(origin.address);
        self.waits.succeeded(name, origin.address);
    }

    pub(super) async fn actor(&self, user: &User, origin: &RequestOrigin) -> Result<Actor, Error> {
        self.actor_at(user, origin.address).await
    }

    async fn actor_at(&self, user: &User, address: IpAddr) -> Result<Actor, Error> {
        let permissions = self.users.group_permissions(&user.groups).await?;
        Ok(Actor::new(user.name.clone(), &user.groups, permissions, address))
    }

    /// Reads a caller's wish for the life of a token, in seconds; absent, zero or negative means ten minutes.
    pub(super) fn parse_lifetime(&self, text: Option<&str>) -> Result<Duration, Error> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(DEFAULT_LIFETIME);
        };
        let seconds: i64 = text
            .parse()
            .map_err(|error| Error::invalid(format!("invalid token-lifetime : {error}")))?;
        let lifetime = match u64::try_from(seconds) {
            Ok(0) | Err(_) => DEFAULT_LIFETIME,
            Ok(seconds) => Duration::from_secs(seconds),
        };
        if lifetime > self.max_lifetime {
            let limit = self.max_lifetime.as_secs();
            return Err(Error::invalid(format!(
                "requested token lifetime exceeds max allowed {limit}"
            )));
        }
        Ok(lifetime)
    }
}

/// The session an id in a path names.
///
/// # Errors
/// `Invalid` for what is no number.
pub(super) fn parse_session_id(text: &str) -> Result<ApiSessionId, Error> {
    text.parse()
        .map_err(|_| Error::invalid("invalid session id").detail("a session id is a number"))
}

fn login_ended(result: &'static str) {
    metrics::counter!(LOGINS_TOTAL, "result" => result).increment(1);
}

pub(super) fn expired() -> Error {
    Error::unauthenticated("password has expired, please change your password")
}
