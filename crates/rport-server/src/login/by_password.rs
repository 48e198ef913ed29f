//! User name with password or API token: HTTP Basic, and the exchange of a password for a token.

use std::sync::Arc;

use rport_domain::{Error, User, UserChange, UserName};
use rport_runtime::Secret;

use super::api_tokens::Verdict;
use super::service::{Inner, LoggedIn, Login, RequestOrigin, UserEvent, expired};
use crate::actor::Actor;
use crate::audit::logins::via;
use crate::users::single_only;

impl Login {
    /// Authenticates by user name and password or API token, as HTTP Basic carries them. `method` and `path` of the
    /// request are held against the scope of an API token.
    ///
    /// # Errors
    /// `TooManyAttempts` while the name has to wait, `Unauthenticated` for anything wrong, `Forbidden` for a token
    /// whose scope does not cover the request, `Unavailable` when too many logins are being checked.
    pub async fn basic(
        &self,
        name: &str,
        password: &Secret,
        method: &str,
        path: &str,
        origin: &RequestOrigin,
    ) -> Result<Actor, Error> {
        let inner = &self.inner;
        inner.check_wait(name, origin)?;
        let user = inner.named(name, via::BASIC, origin).await?;
        if let Some(user) = &user {
            match inner
                .api_tokens
                .verify(&user.name, password, &inner.passwords)
                .await?
            {
                Verdict::Good { prefix, scope } => {
                    if user.password_expired {
                        return Err(expired());
                    }
                    if !scope.permits(method, path) {
                        inner.logins.refused(name, origin.address, via::API_TOKEN);
                        inner.failed_address(origin);
                        return Err(Error::forbidden(
                            "the scope of the provided token is not authorized for this operation",
                        ));
                    }
                    inner.succeeded(name, origin);
                    inner.logins.let_in(name, origin.address, via::API_TOKEN);
                    let mut actor = inner.actor(user, origin).await?;
                    actor.api_token = Some((prefix, scope));
                    return Ok(actor);
                }
                Verdict::Wrong => return Err(inner.failed(name, via::API_TOKEN, origin)),
                Verdict::NoToken => {}
            }
        }
        inner.require_password_login()?;
        // With a second factor a password alone opens nothing; tokens are for programs.
        if inner.second_factor.is_on() {
            return Err(inner.failed(name, via::BASIC, origin));
        }
        let user = inner.checked(user, name, password, via::BASIC, origin).await?;
        if user.password_expired {
            return Err(expired());
        }
        inner.logins.let_in(name, origin.address, via::BASIC);
        inner.actor(&user, origin).await
    }

    /// Exchanges user name and password for a token, after giving the user a new password if one is wanted; that is
    /// the way out of an expired one. `lifetime` is the caller's wish in seconds, unparsed; absent, zero or negative
    /// means ten minutes.
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
        inner.require_password_login()?;
        inner.check_wait(name, origin)?;
        if name.is_empty() {
            inner.failed(name, via::LOGIN, origin);
            return Err(Error::unauthenticated("username is required"));
        }
        let user = inner.named(name, via::LOGIN, origin).await?;
        let user = inner.checked(user, name, password, via::LOGIN, origin).await?;
        let lifetime = inner.parse_lifetime(lifetime)?;
        let user = match new_password {
            Some(new) => self.choose_password(user, new).await?,
            None => user,
        };
        if user.password_expired {
            return Err(expired());
        }
        self.first_step_done(&user, lifetime, via::LOGIN, origin).await
    }

    /// Gives a user who has proven to know the present password a new one, and ends all sessions of the old one.
    async fn choose_password(&self, user: Arc<User>, new: &Secret) -> Result<Arc<User>, Error> {
        let inner = &self.inner;
        if !inner.users.is_writable() {
            return Err(single_only());
        }
        let hash = inner.passwords.hash_new(&user.name, new).await?;
        let change = UserChange {
            password_hash: Some(hash),
            password_expired: Some(false),
            ..UserChange::default()
        };
        inner.users.change(&user.name, change.clone()).await?;
        self.user_changed(&user.name, UserEvent::PasswordChanged).await?;
        tracing::info!(user.name = %user.name, "user chose a new password at login");
        Ok(Arc::new(change.applied_to(&user)))
    }
}

impl Inner {
    /// Refuses passwords where users have to come by single sign-on.
    fn require_password_login(&self) -> Result<(), Error> {
        if self.password_login {
            return Ok(());
        }
        Err(Error::forbidden(
            "login with a password is switched off, please use single sign-on",
        ))
    }

    /// The user of this name. A request without a name is refused at once.
    async fn named(
        &self,
        name: &str,
        via: &'static str,
        origin: &RequestOrigin,
    ) -> Result<Option<Arc<User>>, Error> {
        if name.is_empty() {
            return Err(self.failed(name, via, origin));
        }
        self.users.find(&UserName::new(name)).await
    }

    /// The user, if this is the password. Takes as long for a name that nobody has.
    async fn checked(
        &self,
        user: Option<Arc<User>>,
        name: &str,
        password: &Secret,
        via: &'static str,
        origin: &RequestOrigin,
    ) -> Result<Arc<User>, Error> {
        let right = self
            .passwords
            .check(user.as_deref(), &self.users.stand_in(), password)
            .await?;
        match user {
            Some(user) if right => {
                // Else the failures of the second step would be forgiven with every first one.
                if !self.second_factor.is_on() {
                    self.succeeded(name, origin);
                }
                Ok(user)
            }
            _ => Err(self.failed(name, via, origin)),
        }
    }
}
