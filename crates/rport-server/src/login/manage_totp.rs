//! Secrets of authenticator apps, and the codes for the day the app is lost. Source: rest-api.md 6.4; the recovery
//! codes and the reset by administrators are ours.

use rport_domain::{Error, UserChange, UserName};
use rport_runtime::Secret;

use super::recovery_codes;
use super::service::Login;
use super::totp::Authenticator;
use crate::actor::Actor;
use crate::audit::{Action, Application};

/// A secret as the user gets to see it.
#[derive(Debug)]
pub struct TotpSecret {
    /// For typing in, base32.
    pub secret: Secret,
    /// For the app's camera: a PNG in base64.
    pub picture: Secret,
    /// With a new secret: the codes for the day the app is lost. They are not shown again.
    pub recovery_codes: Vec<Secret>,
}

impl Login {
    /// The caller's secret.
    ///
    /// # Errors
    /// `Invalid` when apps are not in use, `NotFound` without a secret.
    pub async fn totp_secret(&self, actor: &Actor) -> Result<TotpSecret, Error> {
        let inner = &self.inner;
        inner.second_factor.account_name()?;
        let user = self.known(&actor.user).await?;
        let app = Authenticator::read(&user.totp_secret).ok_or_else(|| {
            Error::not_found("time based one time secret key should be generated for this user")
        })?;
        Ok(TotpSecret {
            secret: Secret::new(app.secret()),
            picture: Secret::new(app.picture()?),
            recovery_codes: Vec::new(),
        })
    }

    /// Makes a secret for a caller who has none, and a set of recovery codes.
    ///
    /// # Errors
    /// `Invalid` when apps are not in use, `Conflict` when there is a secret.
    pub async fn add_totp_secret(&self, actor: &Actor) -> Result<TotpSecret, Error> {
        let inner = &self.inner;
        let account = inner.second_factor.account_name()?;
        // Of two who come at once the second must not replace the secret the first was just shown.
        let _one_at_a_time = inner.totp_writes.lock().await;
        let user = self.known(&actor.user).await?;
        if Authenticator::read(&user.totp_secret).is_some() {
            return Err(Error::conflict(
                "cannot create new totP secret when another one already exists",
            ));
        }
        let app = Authenticator::generate(user.name.as_str(), account);
        let picture = Secret::new(app.picture()?);
        let change = UserChange {
            totp_secret: Some(app.url().expose().to_owned()),
            ..UserChange::default()
        };
        inner.extras.forget_totp_step(&user.name).await?;
        inner.users.change(&user.name, change).await?;
        let recovery_codes = self.replace_recovery_codes(&user.name).await?;
        inner
            .audit
            .record(actor, Application::AuthUserTotp, Action::Create, "", None)
            .await;
        Ok(TotpSecret {
            secret: Secret::new(app.secret()),
            picture,
            recovery_codes,
        })
    }

    /// Deletes the caller's secret and recovery codes; also when there are none.
    ///
    /// # Errors
    /// `Invalid` when apps are not in use.
    pub async fn delete_totp_secret(&self, actor: &Actor) -> Result<(), Error> {
        self.inner.second_factor.account_name()?;
        self.delete_totp_secret_of(actor, &actor.user, "").await
    }

    /// Deletes the secret and the recovery codes of a user who has lost the app, for administrators.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for an unknown user, `Invalid` when apps are not in use.
    pub async fn reset_totp_secret(&self, actor: &Actor, user: &UserName) -> Result<(), Error> {
        actor.require_admin()?;
        self.inner.second_factor.account_name()?;
        self.delete_totp_secret_of(actor, user, user.as_str()).await?;
        // Whoever has the app could be logged in at this moment.
        self.inner.sessions.end_all(user).await.map(drop)
    }

    async fn delete_totp_secret_of(
        &self,
        actor: &Actor,
        name: &UserName,
        affected: &str,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let _one_at_a_time = inner.totp_writes.lock().await;
        let user = self.known(name).await?;
        if !user.totp_secret.trim().is_empty() {
            let change = UserChange {
                totp_secret: Some(String::new()),
                ..UserChange::default()
            };
            inner.users.change(&user.name, change).await?;
        }
        inner.extras.set_recovery_codes(&user.name, Vec::new()).await?;
        inner
            .audit
            .record(actor, Application::AuthUserTotp, Action::Delete, affected, None)
            .await;
        Ok(())
    }

    /// How many recovery codes the caller has left.
    ///
    /// # Errors
    /// Trouble with the database.
    pub async fn recovery_codes_left(&self, actor: &Actor) -> Result<usize, Error> {
        Ok(self.inner.extras.recovery_codes_left(&actor.user).await?)
    }

    /// Makes a new set of recovery codes for the caller; the old ones are void.
    ///
    /// # Errors
    /// `Conflict` when nobody is asked for a second factor; `NotFound` when the caller is no user any more.
    pub async fn renew_recovery_codes(&self, actor: &Actor) -> Result<Vec<Secret>, Error> {
        if !self.inner.second_factor.is_on() {
            return Err(Error::conflict("2fa is disabled"));
        }
        let user = self.known(&actor.user).await?;
        let codes = self.replace_recovery_codes(&user.name).await?;
        self.inner
            .audit
            .record(
                actor,
                Application::AuthUserRecoveryCodes,
                Action::Create,
                "",
                None,
            )
            .await;
        Ok(codes)
    }

    async fn replace_recovery_codes(&self, user: &UserName) -> Result<Vec<Secret>, Error> {
        let codes = recovery_codes::generate();
        let hashes = codes
            .iter()
            .filter_map(|code| recovery_codes::hash(code))
            .collect();
        self.inner.extras.set_recovery_codes(user, hashes).await?;
        Ok(codes.into_iter().map(Secret::new).collect())
    }

    async fn known(&self, name: &UserName) -> Result<std::sync::Arc<rport_domain::User>, Error> {
        let user = self.inner.users.find(name).await?;
        user.ok_or_else(|| Error::not_found(format!("cannot find user by username '{name}'")))
    }
}
