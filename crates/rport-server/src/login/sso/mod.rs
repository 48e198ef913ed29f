//! Single sign-on: users log in at a provider, and this server believes the provider.
//!
//! Two flows end in a session like any other: a browser is sent to the provider and comes back with a code, or a program
//! shows a code to be typed there and asks until that is done. Source of the calls: rest-api.md 6.6 and 21.5; how they
//! work inside is ours, the original's part was never published.

mod device;
mod github;
mod http;
mod id_token;
mod mapping;
mod oidc;
mod options;
mod pending;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rport_domain::{Error, Kind, User, UserChange, UserName};
use rport_runtime::{Clock, Secret, rng};

use self::device::Polled;
pub use self::device::{DeviceAnswer, DeviceStart};
use self::github::Github;
use self::http::Http;
use self::mapping::Identity;
use self::oidc::Oidc;
pub use self::options::{SsoMapping, SsoOptions, SsoProvider};
use self::pending::PendingLogins;
use super::service::{LoggedIn, Login, RequestOrigin, UserEvent};
use crate::audit::logins::via;

/// Longest code that is passed on.
const CODE_LIMIT: usize = 4096;

/// A login that has begun.
#[derive(Debug)]
pub struct SsoStart {
    /// Where the browser has to go.
    pub authorize_url: String,
    /// Comes back with the browser.
    pub state: String,
    /// Until when it may come back.
    pub expires_at: DateTime<Utc>,
    /// To be kept by the browser that began, out of reach of pages, and to be shown at the end.
    pub binding: Secret,
}

/// What asking for a login on a device brings.
#[derive(Debug)]
pub enum DeviceLogin {
    /// The user has confirmed.
    Done(LoggedIn),
    /// The provider's answer until then.
    Waiting(DeviceAnswer),
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Sso {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<SsoOptions>,
    login: Login,
    http: Http,
    provider: Provider,
    pending: PendingLogins,
}

enum Provider {
    Oidc(Box<Oidc>),
    Github(Github),
}

impl Sso {
    /// Prepares the service; the provider is asked when somebody logs in. Blocks on the disk.
    ///
    /// # Errors
    /// A sentence about the certificate authorities.
    pub(crate) fn new(options: SsoOptions, login: Login, clock: Clock) -> Result<Self, String> {
        let options = Arc::new(options);
        let provider = match &options.provider {
            SsoProvider::Oidc { .. } => Provider::Oidc(Box::new(Oidc::new(options.clone(), clock.clone()))),
            SsoProvider::Github { .. } => Provider::Github(Github::new(options.clone())),
        };
        let inner = Inner {
            http: Http::new(options.ca_file.as_deref())?,
            pending: PendingLogins::new(clock),
            options,
            login,
            provider,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The word for the provider in the API.
    pub fn provider_name(&self) -> &'static str {
        match self.inner.provider {
            Provider::Oidc(_) => "oidc",
            Provider::Github(_) => "github",
        }
    }

    /// Whether the browser comes back over https.
    pub fn is_https(&self) -> bool {
        self.inner.options.redirect_url.starts_with("https://")
    }

    /// Begins a login with a browser.
    ///
    /// # Errors
    /// `Unavailable` when the provider cannot be asked about itself.
    pub async fn begin(&self) -> Result<SsoStart, Error> {
        let inner = &self.inner;
        let (state, pending) = inner.pending.begin();
        let authorize_url = match &inner.provider {
            Provider::Oidc(oidc) => oidc.authorize_url(&inner.http, &state, &pending).await?,
            Provider::Github(github) => github.authorize_url(&state, &pending),
        };
        Ok(SsoStart {
            authorize_url,
            state,
            expires_at: pending.expires_at,
            binding: pending.binding,
        })
    }

    /// Ends a login with a browser. `binding` is what the browser kept since the beginning; `lifetime` is the caller's
    /// wish in seconds, unparsed.
    ///
    /// # Errors
    /// `Unauthenticated` for anything wrong, `Invalid` for a bad lifetime, `Unavailable` when the provider cannot be
    /// asked.
    pub async fn finish(
        &self,
        code: &str,
        state: &str,
        binding: Option<&str>,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        let lifetime = inner.login.inner.parse_lifetime(lifetime)?;
        let refused =
            |text: &str| inner.refuse("", Error::unauthenticated("unauthorized").detail(text), origin);
        if code.is_empty() || code.len() > CODE_LIMIT {
            return Err(refused("code is required"));
        }
        let Some(pending) = inner.pending.take(state) else {
            return Err(refused(
                "the state is unknown, was used already, or is too old: begin again",
            ));
        };
        if !binding.is_some_and(|binding| pending.binding.matches(binding.as_bytes())) {
            return Err(refused("this login was begun by another browser"));
        }
        let identity = match &inner.provider {
            Provider::Oidc(oidc) => oidc.redeem(&inner.http, code, &pending).await,
            Provider::Github(github) => github.redeem(&inner.http, code, &pending).await,
        };
        let identity = identity.map_err(|problem| inner.refuse("", problem.into(), origin))?;
        let user = inner.user(&identity, origin).await?;
        inner.login.start_session(&user, lifetime, via::SSO, origin).await
    }

    /// Begins a login on a device without a browser.
    ///
    /// # Errors
    /// As [`Sso::begin`]; `Unauthenticated` when the provider does not offer it.
    pub async fn begin_device(&self) -> Result<DeviceStart, Error> {
        let inner = &self.inner;
        let begun = match &inner.provider {
            Provider::Oidc(oidc) => oidc.begin_device(&inner.http).await,
            Provider::Github(github) => github.begin_device(&inner.http).await,
        };
        Ok(begun?)
    }

    /// Asks whether the user has confirmed by now.
    ///
    /// # Errors
    /// As [`Sso::finish`].
    pub async fn finish_device(
        &self,
        device_code: &str,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<DeviceLogin, Error> {
        let inner = &self.inner;
        let lifetime = inner.login.inner.parse_lifetime(lifetime)?;
        if device_code.is_empty() || device_code.len() > CODE_LIMIT {
            let error = Error::unauthenticated("unauthorized").detail("device_code is required");
            return Err(inner.refuse("", error, origin));
        }
        let polled = match &inner.provider {
            Provider::Oidc(oidc) => oidc.poll_device(&inner.http, device_code).await,
            Provider::Github(github) => github.poll_device(&inner.http, device_code).await,
        };
        match polled.map_err(|problem| inner.refuse("", problem.into(), origin))? {
            Polled::Done(identity) => {
                let user = inner.user(&identity, origin).await?;
                let logged_in = inner
                    .login
                    .start_session(&user, lifetime, via::SSO, origin)
                    .await?;
                Ok(DeviceLogin::Done(logged_in))
            }
            Polled::Waiting(answer) => {
                if !answer.is_pending() {
                    // Guessing codes is what this counts.
                    inner.login.inner.failed_address(origin);
                }
                Ok(DeviceLogin::Waiting(answer))
            }
        }
    }
}

impl Inner {
    /// Notes a failure; only those of the caller count against his address.
    fn refuse(&self, name: &str, error: Error, origin: &RequestOrigin) -> Error {
        if error.kind == Kind::Unauthenticated {
            let login = &self.login.inner;
            login.logins.refused(name, origin.address, via::SSO);
            login.failed_address(origin);
            tracing::info!(user.name = name, address = %origin.address, reason = error.detail, "single sign-on refused");
        }
        error
    }

    /// The user this identity stands for, created or brought up to date where that was asked for.
    async fn user(&self, identity: &Identity, origin: &RequestOrigin) -> Result<UserName, Error> {
        let refuse = |error| self.refuse(&identity.name, error, origin);
        let groups = self.options.mapping.admit(identity).map_err(refuse)?;
        let name = UserName::new(identity.name.as_str());
        let login = &self.login.inner;
        match login.users.find(&name).await? {
            Some(user) if self.options.sync_groups && user.groups != groups => {
                let change = UserChange {
                    groups: Some(groups),
                    ..UserChange::default()
                };
                login.users.change(&name, change).await?;
                self.login.user_changed(&name, UserEvent::GroupsChanged).await?;
            }
            Some(_) => {}
            None if self.options.create_missing_users => {
                // Nobody knows this password: only the provider lets this user in.
                let password = Secret::new(rng::alphanumeric(40));
                let user = User {
                    name: name.clone(),
                    password_hash: login.passwords.hash(&password).await?,
                    groups,
                    password_expired: false,
                    two_fa_send_to: String::new(),
                    totp_secret: String::new(),
                };
                login.users.add(user).await?;
                tracing::info!(user.name = %name, "user created at single sign-on");
            }
            None => {
                let error = Error::unauthenticated("unauthorized");
                return Err(refuse(
                    error.detail("this user is not known here, and is not created"),
                ));
            }
        }
        login.succeeded(&identity.name, origin);
        Ok(name)
    }
}
