//! Logins of users: Basic, password for token, Bearer, logout. Source: rest-api.md 5 and 6.
//!
//! Differs from RPort: a bad token is `Unauthenticated` and counts as a failure; an expired password is told only to
//! who knows it; a token dies with its user; `X-Forwarded-For` is believed from trusted proxies only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rport_domain::{ApiSessionId, Error, User, UserName};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::ApiSessions;

use super::sessions::Sessions;
use super::token::{Claims, Tokens};
use super::{Bans, Waits};
use crate::actor::Actor;
use crate::metrics_names::LOGINS_TOTAL;
use crate::options::{LoginOptions, client_address};
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
    /// The token for further requests.
    pub token: Secret,
}

/// The login service. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    inner: Arc<Inner>,
}

struct Inner {
    users: Arc<dyn UserProvider>,
    passwords: Passwords,
    sessions: Sessions,
    tokens: Tokens,
    waits: Waits,
    bans: Bans,
    trusted_proxies: Vec<IpNet>,
}

impl Login {
    pub(crate) fn new(
        options: &LoginOptions,
        trusted_proxies: Vec<IpNet>,
        users: Arc<dyn UserProvider>,
        store: ApiSessions,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Self {
        let inner = Inner {
            users,
            passwords: Passwords::new(clock.clone(), tasks.clone()),
            sessions: Sessions::new(store, clock.clone(), tasks.clone()),
            tokens: Tokens::new(&options.jwt_secret),
            waits: Waits::new(options.user_wait, clock.clone()),
            bans: Bans::new(options.ban, clock.clone()),
            trusted_proxies,
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
        self.inner.failed("", origin)
    }

    /// Authenticates by user name and password.
    ///
    /// # Errors
    /// `TooManyAttempts` while the name has to wait, `Unauthenticated` for anything wrong, `Unavailable` when too
    /// many logins are being checked.
    pub async fn basic(&self, name: &str, password: &Secret, origin: &RequestOrigin) -> Result<Actor, Error> {
        let user = self.inner.user_by_password(name, password, origin).await?;
        if user.password_expired {
            return Err(expired());
        }
        Ok(actor(&user, origin))
    }

    /// Exchanges user name and password for a token. `lifetime` is the caller's wish in seconds, unparsed; absent,
    /// zero or negative means ten minutes.
    ///
    /// # Errors
    /// As [`Login::basic`]; `Invalid` for a bad lifetime.
    pub async fn password(
        &self,
        name: &str,
        password: &Secret,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        if name.is_empty() {
            inner.failed(name, origin);
            return Err(Error::unauthenticated("username is required"));
        }
        let user = inner.user_by_password(name, password, origin).await?;
        let lifetime = parse_lifetime(lifetime)?;
        if user.password_expired {
            return Err(expired());
        }
        let session = inner.sessions.start(&user.name, lifetime, origin).await?;
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
            inner.failed_address(origin);
            Error::unauthenticated("unauthorized").detail(problem)
        })?;
        if inner.waits.is_waiting(&claims.username) {
            return Err(too_many());
        }
        let name = UserName::from(claims.username.as_str());
        let session = ApiSessionId(claims.session_id);
        if !claims.permit(method, path) || !inner.sessions.use_by(session, &name, origin).await? {
            return Err(inner.failed(&claims.username, origin));
        }
        let Some(user) = inner
            .users
            .find(&name)
            .await?
            .filter(|user| !user.password_expired)
        else {
            return Err(inner.failed(&claims.username, origin));
        };
        inner.bans.succeeded(origin.address);
        Ok(actor(&user, origin))
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
        tracing::info!(user.name = username, address = %origin.address, "user logged out");
        Ok(())
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
        origin: &RequestOrigin,
    ) -> Result<Arc<User>, Error> {
        if self.waits.is_waiting(name) {
            return Err(too_many());
        }
        if name.is_empty() {
            return Err(self.failed(name, origin));
        }
        let user = self.users.find(&UserName::new(name)).await?;
        let right = self
            .passwords
            .check(user.as_deref(), self.users.stand_in(), password)
            .await?;
        match user {
            Some(user) if right => {
                self.bans.succeeded(origin.address);
                Ok(user)
            }
            _ => Err(self.failed(name, origin)),
        }
    }

    /// Counts a failure of this name from this address and returns the answer for it.
    fn failed(&self, name: &str, origin: &RequestOrigin) -> Error {
        self.waits.failed(name);
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

fn actor(user: &User, origin: &RequestOrigin) -> Actor {
    Actor::new(user.name.clone(), &user.groups, origin.address)
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
