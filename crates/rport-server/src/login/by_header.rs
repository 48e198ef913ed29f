//! Logins that a proxy in front vouches for. Source: rest-api.md 5.6.
//!
//! Differs from RPort, where anybody who sends the headers is let in, unknown names become administrators, and
//! `create_missing_users` has no effect: the headers count only when the TCP peer is one of the `trusted_proxies`, users
//! are made only when that is wanted, and belong to no group unless one is configured.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rport_domain::{Error, User, UserName};
use rport_runtime::Secret;
use serde_json::json;

use super::service::{LoggedIn, Login, RequestOrigin, expired};
use crate::actor::Actor;
use crate::audit::logins::via;
use crate::audit::{Action, Application};

/// Longest name of a user that is made, in bytes.
const NAME_LIMIT: usize = 150;

/// How a proxy tells who has logged in there.
#[derive(Debug, Clone)]
pub struct HeaderLoginOptions {
    /// The header that says the user has been authenticated, with any value (`auth_header`).
    pub auth_header: String,
    /// The header with the name (`user_header`).
    pub user_header: String,
    /// Whether unknown users are made (`create_missing_users`).
    pub create_missing: bool,
    /// The group of users that are made (`default_user_group`).
    pub default_group: Option<String>,
}

impl Login {
    /// The name a trusted proxy vouches for; `None` when this request has none. `values` gives all values of a header.
    /// A name that stands there twice, as it may when the proxy did not strip the caller's header, is empty.
    pub fn vouched<'a>(&self, peer: IpAddr, values: impl Fn(&str) -> Vec<&'a str>) -> Option<String> {
        let header = self.inner.header.as_ref()?;
        if values(&header.auth_header).iter().all(|value| value.is_empty()) {
            return None;
        }
        let peer = peer.to_canonical();
        if !self.inner.trusted_proxies.iter().any(|net| net.contains(&peer)) {
            tracing::warn!(%peer, "'auth_header' came from somebody who is no trusted proxy and was ignored");
            return None;
        }
        match values(&header.user_header).as_slice() {
            [name] => Some(name.trim().to_owned()),
            _ => Some(String::new()),
        }
    }

    /// Logs a user in whom a trusted proxy vouches for, see [`Login::vouched`]. A second factor is still asked for.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody and for unknown users who are not to be made; `Invalid` for a bad lifetime;
    /// `TooManyAttempts` while the name has to wait.
    pub async fn by_header(
        &self,
        name: &str,
        lifetime: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<LoggedIn, Error> {
        let inner = &self.inner;
        inner.check_wait(name, origin)?;
        if name.is_empty() {
            inner.failed(name, via::HEADER, origin);
            return Err(Error::unauthenticated("username is required"));
        }
        let lifetime: Duration = inner.parse_lifetime(lifetime)?;
        let known = inner.users.find(&UserName::new(name)).await?;
        let user = match (known, &inner.header) {
            (Some(user), _) => user,
            (None, Some(header)) if header.create_missing && is_sound(name) => {
                self.make_user(name, header.default_group.as_deref(), origin)
                    .await?
            }
            (None, _) => return Err(inner.failed(name, via::HEADER, origin)),
        };
        if user.password_expired {
            return Err(expired());
        }
        self.first_step_done(&user, lifetime, via::HEADER, origin).await
    }

    async fn make_user(
        &self,
        name: &str,
        group: Option<&str>,
        origin: &RequestOrigin,
    ) -> Result<Arc<User>, Error> {
        let inner = &self.inner;
        let name = UserName::new(name);
        let groups: Vec<String> = group.map(str::to_owned).into_iter().collect();
        let user = User {
            name: name.clone(),
            password_hash: inner
                .passwords
                .hash(&Secret::new(rport_runtime::rng::alphanumeric(40)))
                .await?,
            groups: groups.clone(),
            password_expired: false,
            two_fa_send_to: String::new(),
            totp_secret: String::new(),
        };
        if let Err(error) = inner.users.add(user.clone()).await {
            // Two requests of a new user may come at once; the second finds what the first made.
            return inner.users.find(&name).await?.ok_or(error);
        }
        tracing::info!(user.name = %name, ?groups, "user made whom a trusted proxy vouches for");
        let actor: Actor = inner.actor(&user, origin).await?;
        let request = json!({"username": name, "groups": groups, "via": via::HEADER});
        inner
            .audit
            .record(
                &actor,
                Application::AuthUser,
                Action::Create,
                name.as_str(),
                Some(request),
            )
            .await;
        Ok(Arc::new(user))
    }
}

/// Whether a name can be that of a new user: whatever HTTP Basic can carry.
fn is_sound(name: &str) -> bool {
    name.len() <= NAME_LIMIT && !name.contains(':') && !name.chars().any(char::is_control)
}
