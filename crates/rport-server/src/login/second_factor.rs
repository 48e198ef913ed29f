//! The second step of a login. Source: rest-api.md 6.
//!
//! After the right password a user gets a token that opens nothing but this step; a code, from an app, sent by some
//! channel, or from the set for emergencies, turns it into a full one.
//!
//! Differs from RPort: the user is the token's, whatever name the request carries; a code is good once; wrong codes are
//! counted per user as well as per address.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::{ApiSessionId, Error, Kind, User, UserName};
use rport_runtime::{Clock, Secret};

use super::delivered_code::DeliveredCodes;
use super::recovery_codes;
use super::service::{Inner, LoggedIn, Login, RequestOrigin};
use super::token::Purpose;
use super::totp::Authenticator;
use crate::audit::logins::via;
use crate::delivery::{CodeChannel, CodeMessage, CodeSender, DeliveryError};

/// Wrong codes of one user within the window below, from wherever, before no more are taken.
const WRONG_LIMIT: u32 = 10;
/// See above.
const WRONG_WINDOW: Duration = Duration::from_secs(15 * 60);

/// What is asked for besides the password.
#[derive(Debug, Clone, Default)]
pub enum SecondFactorOptions {
    /// Nothing.
    #[default]
    Off,
    /// A code that is sent to the user (`two_fa_token_delivery`).
    Codes {
        /// How it is sent.
        channel: CodeChannel,
        /// How long it is good (`two_fa_token_ttl_seconds`).
        ttl: Duration,
        /// How long sending may take (`two_fa_send_timeout`).
        send_timeout: Duration,
    },
    /// A code of an authenticator app (`totp_enabled`).
    Totp {
        /// How the app shows the account (`totp_account_name`).
        account_name: String,
        /// How long the second step may take (`totp_login_session_ttl`).
        login_ttl: Duration,
    },
}

/// The second step that a login waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingFactor {
    /// Where a code was sent, shortened to what the user recognises; empty for apps.
    pub send_to: String,
    /// `email`, `pushover`, `script`, `url` or `totp_authenticator_app`.
    pub delivery_method: &'static str,
    /// For apps `pending` or `exists`: whether the user has a secret. Else empty.
    pub totp_key_status: &'static str,
}

/// The word for apps in the API.
const APP: &str = "totp_authenticator_app";

pub(super) struct SecondFactor {
    kind: Kinds,
    clock: Clock,
    wrong: Mutex<HashMap<UserName, Wrong>>,
}

enum Kinds {
    Off,
    Codes {
        sender: CodeSender,
        codes: DeliveredCodes,
    },
    Totp {
        account_name: String,
        login_ttl: Duration,
    },
}

struct Wrong {
    count: u32,
    until: DateTime<Utc>,
}

impl SecondFactor {
    /// # Errors
    /// What in the options cannot work.
    pub(super) fn new(options: &SecondFactorOptions, clock: Clock) -> Result<Self, String> {
        let kind = match options {
            SecondFactorOptions::Off => Kinds::Off,
            SecondFactorOptions::Codes {
                channel,
                ttl,
                send_timeout,
            } => Kinds::Codes {
                sender: CodeSender::new(channel, *send_timeout)?,
                codes: DeliveredCodes::new(*ttl, clock.clone()),
            },
            SecondFactorOptions::Totp {
                account_name,
                login_ttl,
            } => Kinds::Totp {
                account_name: account_name.clone(),
                login_ttl: *login_ttl,
            },
        };
        Ok(Self {
            kind,
            clock,
            wrong: Mutex::default(),
        })
    }

    pub(super) fn is_on(&self) -> bool {
        !matches!(self.kind, Kinds::Off)
    }

    /// The word for `GET /status`; empty when there is no second step.
    pub(super) fn method(&self) -> &'static str {
        match &self.kind {
            Kinds::Off => "",
            Kinds::Codes { sender, .. } => sender.method(),
            Kinds::Totp { .. } => APP,
        }
    }

    /// The account's name in apps.
    ///
    /// # Errors
    /// `Invalid` when apps are not in use.
    pub(super) fn account_name(&self) -> Result<&str, Error> {
        match &self.kind {
            Kinds::Totp { account_name, .. } => Ok(account_name),
            Kinds::Off | Kinds::Codes { .. } => Err(Error::invalid("TotP is disabled")),
        }
    }

    /// Voids what a user who has changed was sent.
    pub(super) fn forget(&self, user: &UserName) {
        if let Kinds::Codes { codes, .. } = &self.kind {
            codes.forget(user);
        }
    }

    fn check_guesses(&self, user: &UserName) -> Result<(), Error> {
        let now = self.clock.now();
        let wrong = self.wrong.lock();
        let too_many = wrong
            .get(user)
            .is_some_and(|wrong| wrong.count >= WRONG_LIMIT && wrong.until > now);
        if too_many {
            return Err(Error::too_many_attempts("too many requests, please try later"));
        }
        Ok(())
    }

    /// Only who knows a password gets here, so there are never more entries than users.
    fn count_wrong(&self, user: &UserName) {
        let now = self.clock.now();
        let mut wrong = self.wrong.lock();
        wrong.retain(|_, wrong| wrong.until > now);
        let until = now + WRONG_WINDOW;
        wrong
            .entry(user.clone())
            .or_insert(Wrong { count: 0, until })
            .count += 1;
    }
}

impl Login {
    /// The word for the second step in `GET /status`; empty when there is none.
    pub fn second_factor(&self) -> &'static str {
        self.inner.second_factor.method()
    }

    /// Asks the channel that delivers codes, where that is possible, whether it knows an address.
    ///
    /// # Errors
    /// `Invalid` when it does not, `Unavailable` when it cannot be asked.
    pub async fn check_send_to(&self, send_to: &str) -> Result<(), Error> {
        match &self.inner.second_factor.kind {
            Kinds::Codes { sender, .. } => sender.check_address(send_to).await.map_err(answer),
            Kinds::Off | Kinds::Totp { .. } => Ok(()),
        }
    }

    /// Goes on with a user whose first proof was right: a session at once, or the second step.
    pub(crate) async fn first_step_done(
        &self,
        user: &User,
        lifetime: Duration,
        via: &'static str,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        match &inner.second_factor.kind {
            Kinds::Off => self.start_session(&user.name, lifetime, via, origin).await,
            Kinds::Codes { sender, codes } => {
                if user.two_fa_send_to.is_empty() {
                    return Err(Error::invalid("no two_fa_send_to set for this user"));
                }
                codes.count_send(&user.name)?;
                let session = inner.sessions.start(&user.name, codes.ttl(), origin).await?;
                let message = CodeMessage {
                    code: codes.make(&user.name, session.id),
                    send_to: user.two_fa_send_to.clone(),
                    ttl: codes.ttl(),
                    user_agent: origin.user_agent.clone(),
                    remote_address: origin.address.to_string(),
                };
                if let Err(error) = sender.send(&message).await {
                    inner.sessions.end(session.id, &user.name).await?;
                    tracing::warn!(user.name = %user.name, %error, "a code for the second factor was not delivered");
                    return Err(answer(error));
                }
                tracing::info!(user.name = %user.name, address = %origin.address, "code for the second factor sent");
                Ok(LoggedIn {
                    token: Secret::new(inner.tokens.make(&user.name, &session, Purpose::SecondStep)),
                    pending: Some(PendingFactor {
                        send_to: shortened(&user.two_fa_send_to),
                        delivery_method: sender.method(),
                        totp_key_status: "",
                    }),
                })
            }
            Kinds::Totp { login_ttl, .. } => {
                let session = inner.sessions.start(&user.name, *login_ttl, origin).await?;
                let exists = Authenticator::read(&user.totp_secret).is_some();
                let (purpose, status) = if exists {
                    (Purpose::SecondStep, "exists")
                } else {
                    (Purpose::SecondStepWithNewSecret, "pending")
                };
                Ok(LoggedIn {
                    token: Secret::new(inner.tokens.make(&user.name, &session, purpose)),
                    pending: Some(PendingFactor {
                        send_to: String::new(),
                        delivery_method: APP,
                        totp_key_status: status,
                    }),
                })
            }
        }
    }

    /// The second step: exchanges the token of the first and a code for a full token.
    ///
    /// # Errors
    /// As [`Login::bearer`]; `Unauthenticated` for a wrong code, `TooManyAttempts` after many of them, `Invalid` for a
    /// bad lifetime, `Conflict` when the user has no secret yet, or when there is no second step.
    pub async fn verify(
        &self,
        token: &str,
        request: (&str, &str),
        (name, code): (&str, &str),
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let (method, path) = request;
        let (user, claims) = inner.token_holder(token, method, path, origin).await?;
        if !inner.second_factor.is_on() {
            return Err(Error::conflict("2fa is disabled"));
        }
        for (value, missing) in [(name, "username is required"), (code, "token is required")] {
            if value.is_empty() {
                return Err(Error::unauthenticated(missing));
            }
        }
        let lifetime = inner.parse_lifetime(lifetime)?;
        inner.second_factor.check_guesses(&user.name)?;
        let session = ApiSessionId(claims.session_id);
        if let Err(error) = inner.check_code(&user, name, session, code).await {
            if error.kind == Kind::Unauthenticated {
                inner.second_factor.count_wrong(&user.name);
                inner.failed(user.name.as_str(), via::SECOND_FACTOR, origin);
            }
            return Err(error);
        }
        inner.sessions.end(session, &user.name).await?;
        inner.succeeded(user.name.as_str(), origin);
        self.start_session(&user.name, lifetime, via::SECOND_FACTOR, origin)
            .await
    }
}

impl Inner {
    async fn check_code(
        &self,
        user: &Arc<User>,
        name: &str,
        session: ApiSessionId,
        code: &str,
    ) -> Result<(), Error> {
        if let Some(hash) = recovery_codes::hash(code)
            && self.extras.take_recovery_code(&user.name, hash).await?
        {
            tracing::warn!(user.name = %user.name, "recovery code used in place of the second factor");
            return Ok(());
        }
        match &self.second_factor.kind {
            Kinds::Off => Err(Error::conflict("2fa is disabled")),
            Kinds::Codes { codes, .. } => {
                if name != user.name.as_str() {
                    return Err(Error::unauthenticated(
                        "2fa token not found for provided username",
                    ));
                }
                codes.take(&user.name, session, code)
            }
            Kinds::Totp { .. } => {
                let app = Authenticator::read(&user.totp_secret).ok_or_else(|| {
                    Error::conflict("time based one time secret key should be generated for this user")
                })?;
                let invalid = || Error::unauthenticated("invalid code");
                let step = app
                    .step_of(code, self.clock.now().timestamp())
                    .ok_or_else(invalid)?;
                // Who looked over a shoulder must not be able to use the code once more.
                if self.extras.take_totp_step(&user.name, step).await? {
                    Ok(())
                } else {
                    Err(invalid())
                }
            }
        }
    }
}

/// What the caller reads when a code was not delivered. Only the words of the operator's own program are passed on.
fn answer(error: DeliveryError) -> Error {
    const TITLE: &str = "failed to send 2fa verification code";
    match &error {
        DeliveryError::PushoverUnavailable(_) => {
            Error::unavailable("pushover service unavailable").source(error)
        }
        DeliveryError::Address(said) => {
            Error::invalid(format!("invalid two_fa_send_to: {said}")).source(error)
        }
        DeliveryError::Script(said) => Error::new(Kind::Internal, TITLE)
            .detail(said.clone())
            .source(error),
        DeliveryError::TooSlow(_) | DeliveryError::Failed(_) => {
            Error::new(Kind::Internal, TITLE).source(error)
        }
    }
}

/// What a user recognises and a stranger cannot use. Differs from RPort, which shows the whole address to everybody who
/// knows the password.
fn shortened(address: &str) -> String {
    let (shown, rest) = match address.split_once('@') {
        Some((local, host)) => (local, format!("@{host}")),
        None => (address, String::new()),
    };
    let first: String = shown.chars().take(2).collect();
    format!("{first}***{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shortened() {
        assert_eq!(shortened("ann@example.com"), "an***@example.com");
        assert_eq!(shortened("u5p9"), "u5***");
        assert_eq!(shortened(""), "***");
    }

    #[test]
    fn wrong_codes_add_up_per_user() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let factor =
            SecondFactor::new(&SecondFactorOptions::Off, clock.clone()).expect("nothing to go wrong");
        let (ann, bob) = (UserName::new("ann"), UserName::new("bob"));
        for _ in 0..WRONG_LIMIT {
            assert!(factor.check_guesses(&ann).is_ok());
            factor.count_wrong(&ann);
        }
        assert!(factor.check_guesses(&ann).is_err() && factor.check_guesses(&bob).is_ok());
        clock.advance(WRONG_WINDOW);
        assert!(factor.check_guesses(&ann).is_ok());
    }
}
