//! Logins of users: Basic, password for token, Bearer, logout. Source: rest-api.md 5 and 6.
//!
//! Differs from RPort: a bad token is `Unauthenticated` and counts as a failure; an expired password is told only to
//! who knows it; a token dies with its user; `X-Forwarded-For` is believed from trusted proxies only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rport_domain::{ApiSessionId, Error, User, UserChange, UserName};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::ApiSessions;

use super::sessions::Sessions;
use super::token::{Claims, Tokens};
use super::{Bans, Waits};
use crate::actor::Actor;
use crate::audit::logins::{LoginAudit, via};
use crate::metrics_names::LOGINS_TOTAL;
use crate::options::{LoginOptions, client_address};
use crate::users::{Passwords, UserProvider, single_only};

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
    /// The token for further requests.
    pub token: Secret,
}

/// What became different about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserEvent {
    /// There is a new password.
    PasswordChanged,
    /// The user is called so now.
    Renamed(UserName),
    /// The user is gone.
    Deleted,
    /// The user is in other groups.
    GroupsChanged,
    /// The user has to choose a new password.
    Expired,
}

/// The login service. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    inner: Arc<Inner>,
}

struct Inner {
    users: Arc<dyn UserProvider>,
    passwords: Arc<Passwords>,
    sessions: Sessions,
    tokens: Tokens,
    waits: Waits,
    bans: Bans,
    trusted_proxies: Vec<IpNet>,
    audit: LoginAudit,
}

impl Login {
    pub(crate) fn new(
        options: &LoginOptions,
        trusted_proxies: Vec<IpNet>,
        users: Arc<dyn UserProvider>,
        passwords: Arc<Passwords>,
        store: ApiSessions,
        audit: LoginAudit,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Self {
        let inner = Inner {
            users,
            passwords,
            sessions: Sessions::new(store, clock.clone(), tasks.clone()),
            tokens: Tokens::new(&options.jwt_secret),
            waits: Waits::new(options.user_wait, clock.clone()),
            bans: Bans::new(options.ban, clock.clone()),
            trusted_proxies,
            audit,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Works out where a request comes from: `peer` is the TCP peer, `forwarded_for` the values of all
    /// `X-Forwarded-For` headers in order.
    pub fn origin(&self, peer: IpAddr, forwarded_for: &[&str], user_agent: &str) -> RequestOrigin {
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
        if self.inner.waits.is_waiting("") {
            return too_many();
        }
        self.inner.failed("", via::NOTHING, origin)
    }

    /// Authenticates by user name and password.
    ///
    /// # Errors
    /// `TooManyAttempts` while the name has to wait, `Unauthenticated` for anything wrong, `Unavailable` when too
    /// many logins are being checked.
    pub async fn basic(&self, name: &str, password: &Secret, origin: &RequestOrigin) -> Result<Actor, Error> {
        let user = self
            .inner
            .user_by_password(name, password, via::BASIC, origin)
            .await?;
        if user.password_expired {
            return Err(expired());
        }
        self.inner.audit.let_in(name, origin.address, via::BASIC);
        self.inner.actor(&user, origin).await
    }

    /// Exchanges user name and password for a token, after giving the user a new password if one is wanted; that is
    /// the way out of an expired one. `lifetime` is the caller's wish in seconds, unparsed; absent,
    /// zero or negative means ten minutes.
    ///
    /// # Errors
    /// As [`Login::basic`]; `Invalid` for a bad lifetime and for a new password that breaks a rule.
    pub async fn password(
        &self,
        name: &str,
        password: &Secret,
        new_password: Option<&Secret>,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        if name.is_empty() {
            inner.failed(name, via::LOGIN, origin);
            return Err(Error::unauthenticated("username is required"));
        }
        let user = inner.user_by_password(name, password, via::LOGIN, origin).await?;
        let lifetime = parse_lifetime(lifetime)?;
        let user = match new_password {
            Some(new) => inner.choose_password(user, new).await?,
            None => user,
        };
        if user.password_expired {
            return Err(expired());
        }
        let session = inner.sessions.start(&user.name, lifetime, origin).await?;
        inner
            .audit
            .logged_in(user.name.as_str(), origin.address, via::LOGIN)
            .await;
        login_ended("accepted");
        tracing::info!(user.name = %user.name, address = %origin.address, "user logged in");
        Ok(LoggedIn {
            token: Secret::new(inner.tokens.full(&user.name, session)),
        })
    }

    /// Authenticates by token. `method` and `path` of the request are held against the scopes of the token.
    ///
    /// # Errors
    /// `TooManyAttempts` while the token's user has to wait, `Unauthenticated` for anything wrong.
    pub async fn bearer(
        &self,
        token: &str,
        method: &str,
        path: &str,
        origin: &RequestOrigin,
    ) -> Result<Actor, Error> {
        let inner = &self.inner;
        let claims = inner.tokens.read(token).map_err(|problem| {
            inner.audit.refused("", origin.address, via::BEARER);
            inner.failed_address(origin);
            Error::unauthenticated("unauthorized").detail(problem)
        })?;
        if inner.waits.is_waiting(&claims.username) {
            return Err(too_many());
        }
        let name = UserName::from(claims.username.as_str());
        let session = ApiSessionId(claims.session_id);
        if !claims.permit(method, path) || !inner.sessions.use_by(session, &name, origin).await? {
            return Err(inner.failed(&claims.username, via::BEARER, origin));
        }
        let Some(user) = inner
            .users
            .find(&name)
            .await?
            .filter(|user| !user.password_expired)
        else {
            return Err(inner.failed(&claims.username, via::BEARER, origin));
        };
        inner.bans.succeeded(origin.address);
        inner.actor(&user, origin).await
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    /// `Invalid` when there is no token or it is worth nothing.
    pub async fn logout(&self, token: &str, origin: &RequestOrigin) -> Result<(), Error> {
        let inner = &self.inner;
        if token.is_empty() {
            inner.failed_address(origin);
            return Err(Error::invalid("authorization Bearer token required"));
        }
        let Claims {
            username, session_id, ..
        } = inner.tokens.read(token).map_err(|problem| {
            inner.failed_address(origin);
            Error::invalid(format!("token is invalid: {problem}"))
        })?;
        if !inner
            .sessions
            .end(ApiSessionId(session_id), &UserName::from(username.as_str()))
            .await?
        {
            inner.failed_address(origin);
            return Err(Error::invalid("token is invalid or expired"));
        }
        inner.audit.logged_out(&username, origin.address).await;
        tracing::info!(user.name = username, address = %origin.address, "user logged out");
        Ok(())
    }

    /// Is told by the service of users, once it is on disk, that somebody changed a user.
    ///
    /// # Errors
    /// When sessions could not be ended.
    pub(crate) async fn user_changed(&self, user: &UserName, event: UserEvent) -> Result<(), Error> {
        tracing::debug!(user.name = %user, ?event, "a user was changed");
        match event {
            // Permissions are looked up with each request, so they need no end of the session.
            UserEvent::GroupsChanged => Ok(()),
            UserEvent::PasswordChanged | UserEvent::Renamed(_) | UserEvent::Deleted | UserEvent::Expired => {
                self.inner.sessions.end_all(user).await
            }
        }
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
    async fn user_by_password(
        &self,
        name: &str,
        password: &Secret,
        via: &'static str,
        origin: &RequestOrigin,
    ) -> Result<Arc<User>, Error> {
        if self.waits.is_waiting(name) {
            return Err(too_many());
        }
        if name.is_empty() {
            return Err(self.failed(name, via, origin));
        }
        let user = self.users.find(&UserName::new(name)).await?;
        let right = self
            .passwords
            .check(user.as_deref(), &self.users.stand_in(), password)
            .await?;
        match user {
            Some(user) if right => {
                self.bans.succeeded(origin.address);
                Ok(user)
            }
            _ => Err(self.failed(name, via, origin)),
        }
    }

    /// Gives a user who has proven to know the present password a new one, and ends all sessions of the old one.
    async fn choose_password(&self, user: Arc<User>, new: &Secret) -> Result<Arc<User>, Error> {
        if !self.users.is_writable() {
            return Err(single_only());
        }
        let hash = self.passwords.hash_new(&user.name, new).await?;
        let change = UserChange {
            password_hash: Some(hash),
            password_expired: Some(false),
            ..UserChange::default()
        };
        self.users.change(&user.name, change.clone()).await?;
        self.sessions.end_all(&user.name).await?;
        tracing::info!(user.name = %user.name, "user chose a new password at login");
        Ok(Arc::new(change.applied_to(&user)))
    }

    async fn actor(&self, user: &User, origin: &RequestOrigin) -> Result<Actor, Error> {
        let permissions = self.users.group_permissions(&user.groups).await?;
        Ok(Actor::new(
            user.name.clone(),
            &user.groups,
            permissions,
            origin.address,
        ))
    }

    /// Counts a failure of this name from this address and returns the answer for it.
    fn failed(&self, name: &str, via: &'static str, origin: &RequestOrigin) -> Error {
        self.waits.failed(name);
        self.audit.refused(name, origin.address, via);
        self.failed_address(origin);
        tracing::info!(user.name = name, address = %origin.address, "login refused");
        Error::unauthenticated("unauthorized")
    }

    fn failed_address(&self, origin: &RequestOrigin) {
        login_ended("refused");
        if let Some(until) = self.bans.failed(origin.address) {
            login_ended("banned");
            tracing::warn!(address = %origin.address, %until, "too many failed logins of users, address banned");
        }
    }
}

fn login_ended(result: &'static str) {
    metrics::counter!(LOGINS_TOTAL, "result" => result).increment(1);
}

fn too_many() -> Error {
    Error::too_many_attempts("too many requests, please try later")
}

fn expired() -> Error {
    Error::unauthenticated("password has expired, please change your password")
}

fn parse_lifetime(text: Option<&str>) -> Result<Duration, Error> {
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
    if lifetime > MAX_LIFETIME {
        let limit = MAX_LIFETIME.as_secs();
        return Err(Error::invalid(format!(
            "requested token lifetime exceeds max allowed {limit}"
        )));
    }
    Ok(lifetime)
}
