//! The tokens a login hands out: taken, renewed, given back.

use std::sync::Arc;

use rport_domain::{ApiSessionId, Error, User, UserName};
use rport_runtime::Secret;

use super::service::{Inner, LoggedIn, Login, RequestOrigin};
use super::token::{Claims, Purpose};
use crate::actor::Actor;
use crate::audit::logins::via;

impl Login {
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
        let (user, claims) = inner.token_holder(token, method, path, origin).await?;
        let mut actor = inner.actor(&user, origin).await?;
        actor.session = Some(ApiSessionId(claims.session_id));
        Ok(actor)
    }

    /// Refuses a token that is not meant for such a request, before anything else of the request is looked at.
    ///
    /// # Errors
    /// As [`Login::bearer`].
    pub async fn check_bearer(
        &self,
        token: &str,
        (method, path): (&str, &str),
        origin: &RequestOrigin,
    ) -> Result<(), Error> {
        self.inner
            .token_holder(token, method, path, origin)
            .await
            .map(drop)
    }

    /// Gives the session of a full token a new token; the old one stops working within half a minute. `lifetime` as
    /// at a login.
    ///
    /// # Errors
    /// As [`Login::bearer`]; `Invalid` for a bad lifetime, `Conflict` when the token was replaced already.
    pub async fn renew(
        &self,
        token: &str,
        method: &str,
        path: &str,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let (user, claims) = inner.token_holder(token, method, path, origin).await?;
        let lifetime = inner.parse_lifetime(lifetime)?;
        let session = ApiSessionId(claims.session_id);
        let renewed = inner.sessions.renew(session, &claims.jti, lifetime).await?;
        Ok(LoggedIn {
            token: Secret::new(inner.tokens.make(&user.name, &renewed, Purpose::Everything)),
            pending: None,
        })
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
        let claims = inner.tokens.read(token).map_err(|problem| {
            inner.failed_address(origin);
            Error::invalid(format!("token is invalid: {problem}"))
        })?;
        let worthless = || {
            inner.failed_address(origin);
            Error::invalid("token is invalid or expired")
        };
        let (session, user) = (
            ApiSessionId(claims.session_id),
            UserName::from(claims.username.as_str()),
        );
        if !claims.is_full() || !inner.sessions.use_by(session, &user, &claims.jti, origin).await? {
            return Err(worthless());
        }
        if !inner.sessions.end(session, &user).await? {
            return Err(worthless());
        }
        inner.logins.logged_out(user.as_str(), origin.address).await;
        tracing::info!(user.name = %user, address = %origin.address, "user logged out");
        Ok(())
    }
}

impl Inner {
    /// Who holds this token, if it is worth something and meant for such a request.
    pub(super) async fn token_holder(
        &self,
        token: &str,
        method: &str,
        path: &str,
        origin: &RequestOrigin,
    ) -> Result<(Arc<User>, Claims), Error> {
        let claims = self.tokens.read(token).map_err(|problem| {
            self.logins.refused("", origin.address, via::BEARER);
            self.failed_address(origin);
            Error::unauthenticated("unauthorized").detail(problem)
        })?;
        self.check_wait(&claims.username, origin)?;
        let name = UserName::from(claims.username.as_str());
        let session = ApiSessionId(claims.session_id);
        if !claims.permit(method, path) || !self.sessions.use_by(session, &name, &claims.jti, origin).await? {
            return Err(self.failed(&claims.username, via::BEARER, origin));
        }
        let user = self.users.find(&name).await?;
        match user.filter(|user| !user.password_expired) {
            Some(user) => {
                // Who still has to show a code has not shown enough to have failures forgiven.
                if claims.is_full() {
                    self.bans.succeeded(origin.address);
                }
                Ok((user, claims))
            }
            None => Err(self.failed(&claims.username, via::BEARER, origin)),
        }
    }
}
