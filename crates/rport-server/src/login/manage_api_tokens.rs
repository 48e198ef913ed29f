//! Users keep their API tokens. Source: rest-api.md 8.3; the view for administrators is ours.

use chrono::{DateTime, Utc};
use rport_domain::{Error, TokenScope, UserName};
use rport_runtime::Secret;
use rport_store::{ApiToken, TokenWrite};
use serde_json::json;

use super::api_tokens::PREFIX_LEN;
use super::service::Login;
use crate::actor::Actor;
use crate::audit::{Action, Application};

/// Names are shorter than this, in bytes.
const NAME_LIMIT: usize = 250;
/// How long a token lives unless asked otherwise.
const DEFAULT_LIFE: chrono::Days = chrono::Days::new(365);
/// Tokens one user may have.
const MOST: usize = 1000;

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// `read`, `read+write` or `clients-auth`.
    pub scope: String,
    /// What the user calls it.
    pub name: String,
    /// From when on it is worthless; in a year unless given.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token that was just made, with its secret, which is nowhere else.
#[derive(Debug)]
pub struct MadeApiToken {
    /// The half that is no secret.
    pub prefix: String,
    /// What to send as the password of HTTP Basic.
    pub token: Secret,
    /// What it is good for.
    pub scope: TokenScope,
    /// From when on it is worthless.
    pub expires_at: DateTime<Utc>,
}

impl Login {
    /// The caller's tokens, oldest first.
    ///
    /// # Errors
    /// Trouble with the database.
    pub async fn api_tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, Error> {
        Ok(self.inner.api_tokens.store().of_user(&actor.user).await?)
    }

    /// Makes a token for the caller.
    ///
    /// # Errors
    /// `Invalid` for a bad scope, name or expiry, or a name that is taken; `NotFound` when the caller is no user any
    /// more; `Conflict` with too many tokens.
    pub async fn add_api_token(&self, actor: &Actor, new: NewApiToken) -> Result<MadeApiToken, Error> {
        let inner = &self.inner;
        let scope: TokenScope = new
            .scope
            .parse()
            .map_err(|_| Error::invalid("missing or invalid scope."))?;
        check_name(&new.name)?;
        if scope == TokenScope::ClientsAuth && !actor.is_admin() {
            return Err(Error::invalid(
                "only members of group Administrators can create tokens with scope clients-auth",
            ));
        }
        let now = inner.clock.now();
        check_expiry(new.expires_at, now)?;
        if inner.users.find(&actor.user).await?.is_none() {
            return Err(Error::not_found(format!(
                "cannot find user by username '{}'",
                actor.user
            )));
        }
        let store = inner.api_tokens.store();
        if store.of_user(&actor.user).await?.len() >= MOST {
            return Err(Error::conflict(format!("a user has at most {MOST} tokens")));
        }
        let expires_at = new
            .expires_at
            .or_else(|| now.checked_add_days(DEFAULT_LIFE))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let (prefix, secret, hash) = inner.api_tokens.generate(&inner.passwords).await?;
        let row = ApiToken {
            user: actor.user.clone(),
            prefix: prefix.clone(),
            created_at: now,
            expires_at: Some(expires_at),
            scope: scope.as_str().to_owned(),
            hash,
            name: new.name.clone(),
        };
        match store.add(row).await? {
            TokenWrite::Done => {}
            TokenWrite::NameTaken => return Err(name_taken()),
            TokenWrite::NoSuchPrefix => {
                return Err(Error::unavailable(
                    "the new token's prefix is taken, please try again",
                ));
            }
        }
        let request = json!({"scope": scope.as_str(), "name": new.name, "expires_at": expires_at});
        self.note_token(
            actor,
            Action::Create,
            &format!("[{},{prefix}]", actor.user),
            Some(request),
        )
        .await;
        Ok(MadeApiToken {
            token: Secret::new(format!("{prefix}_{}", secret.expose())),
            prefix,
            scope,
            expires_at,
        })
    }

    /// Changes name and expiry of one of the caller's tokens; `None` leaves one as it is.
    ///
    /// # Errors
    /// `Invalid` for a bad prefix, name or expiry, or a name that is taken; `NotFound` for an unknown prefix.
    pub async fn change_api_token(
        &self,
        actor: &Actor,
        prefix: &str,
        name: Option<String>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        check_prefix(prefix)?;
        if let Some(name) = &name {
            check_name(name)?;
        }
        check_expiry(expires_at, inner.clock.now())?;
        let request = json!({"name": name, "expires_at": expires_at});
        let store = inner.api_tokens.store();
        match store.change(&actor.user, prefix, name, expires_at).await? {
            TokenWrite::Done => {}
            TokenWrite::NameTaken => return Err(name_taken()),
            TokenWrite::NoSuchPrefix => return Err(unknown_prefix(prefix)),
        }
        inner.api_tokens.forget_verified();
        inner.sessions.announce();
        self.note_token(actor, Action::Update, actor.user.as_str(), Some(request))
            .await;
        Ok(())
    }

    /// Deletes one of the caller's tokens.
    ///
    /// # Errors
    /// `Invalid` for a bad prefix, `NotFound` for an unknown one.
    pub async fn delete_api_token(&self, actor: &Actor, prefix: &str) -> Result<(), Error> {
        self.delete_token_of(actor, &actor.user, prefix).await
    }

    /// The tokens of any user, for administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn api_tokens_of(&self, actor: &Actor, user: &UserName) -> Result<Vec<ApiToken>, Error> {
        actor.require_admin()?;
        Ok(self.inner.api_tokens.store().of_user(user).await?)
    }

    /// Deletes a token of any user, for administrators.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for a bad prefix, `NotFound` for an unknown one.
    pub async fn delete_api_token_of(
        &self,
        actor: &Actor,
        user: &UserName,
        prefix: &str,
    ) -> Result<(), Error> {
        actor.require_admin()?;
        self.delete_token_of(actor, user, prefix).await
    }

    async fn delete_token_of(&self, actor: &Actor, user: &UserName, prefix: &str) -> Result<(), Error> {
        check_prefix(prefix)?;
        if !self.inner.api_tokens.store().delete(user, prefix).await? {
            return Err(unknown_prefix(prefix));
        }
        self.inner.api_tokens.forget_verified();
        self.inner.sessions.announce();
        self.note_token(
            actor,
            Action::Delete,
            user.as_str(),
            Some(json!({"prefix": prefix})),
        )
        .await;
        Ok(())
    }

    async fn note_token(
        &self,
        actor: &Actor,
        action: Action,
        affected: &str,
        request: Option<serde_json::Value>,
    ) {
        self.inner
            .audit
            .record(actor, Application::AuthUserMeToken, action, affected, request)
            .await;
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() >= NAME_LIMIT || name.chars().any(char::is_control) {
        return Err(
            Error::invalid("missing or invalid name.").detail("field name is required, 250 characters max")
        );
    }
    Ok(())
}

/// Differs from RPort, which takes any instant.
fn check_expiry(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Error> {
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Error::invalid("the expiry of a token has to be in the future"));
    }
    Ok(())
}

fn check_prefix(prefix: &str) -> Result<(), Error> {
    if prefix.len() == PREFIX_LEN {
        return Ok(());
    }
    Err(Error::invalid("missing or invalid token prefix."))
}

fn name_taken() -> Error {
    Error::invalid("A token with the same name already exists")
}

fn unknown_prefix(prefix: &str) -> Error {
    Error::not_found(format!("cannot find API Token by prefix {prefix}"))
}
