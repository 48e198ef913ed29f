//! What the server tells about itself and about the caller: `GET /status` and `GET /me`.

use std::sync::Arc;

use rport_domain::Error;
use rport_transport::Fingerprint;

use crate::actor::Actor;
use crate::client_auth::ClientAuths;
use crate::clients::Registry;
use crate::login::Login;
use crate::options::About;

/// The state of the server, as rest-api.md 8.1 lists it. Features of later releases are reported as off.
#[derive(Debug, Clone)]
pub struct Status {
    /// Configured facts: version, addresses, ports, limits.
    pub about: Arc<About>,
    /// The host key's fingerprint in the colon form agents pin.
    pub fingerprint: String,
    /// Connected clients, whoever asks.
    pub clients_connected: usize,
    /// Known clients that are not connected, whoever asks.
    pub clients_disconnected: usize,
    /// `Static Credentials`, `File` or `DB`.
    pub clients_auth_source: &'static str,
    /// `Read Write` or `Read Only`.
    pub clients_auth_mode: &'static str,
    /// `Static Credentials`, `File` or `DB`.
    pub users_auth_source: &'static str,
    /// How the second factor is asked for; empty when it is not.
    pub two_fa_delivery_method: &'static str,
    /// Whether permissions are granted group by group.
    pub group_permissions_enabled: bool,
}

/// The caller, as rest-api.md 8.2 lists it.
#[derive(Debug, Clone)]
pub struct Me {
    /// The caller and the caller's groups and permissions.
    pub actor: Actor,
    /// Where codes of the second factor go.
    pub two_fa_send_to: String,
    /// Whether permissions are granted group by group.
    pub group_permissions_enabled: bool,
    /// Restrictions of tunnels, one of each group that has any.
    pub tunnels_restricted: Vec<serde_json::Value>,
    /// Restrictions of commands, one of each group that has any.
    pub commands_restricted: Vec<serde_json::Value>,
}

/// Answers questions about the server and the caller. Cheap to clone.
#[derive(Clone)]
pub struct AboutService {
    inner: Arc<Inner>,
}

struct Inner {
    about: Arc<About>,
    fingerprint: String,
    registry: Arc<Registry>,
    client_auth: ClientAuths,
    login: Option<Login>,
}

impl AboutService {
    pub(crate) fn new(
        about: About,
        fingerprint: &Fingerprint,
        registry: Arc<Registry>,
        client_auth: ClientAuths,
        login: Option<Login>,
    ) -> Self {
        let fingerprint = fingerprint.to_string();
        Self {
            inner: Arc::new(Inner {
                about: Arc::new(about),
                fingerprint,
                registry,
                client_auth,
                login,
            }),
        }
    }

    /// The state of the server. Every authenticated user may ask.
    pub fn status(&self, _actor: &Actor) -> Status {
        let inner = &self.inner;
        let (connected, known) = inner.registry.counts();
        let (source, writable) = inner.client_auth.source();
        Status {
            about: inner.about.clone(),
            fingerprint: inner.fingerprint.clone(),
            clients_connected: connected,
            clients_disconnected: known.saturating_sub(connected),
            clients_auth_source: source,
            clients_auth_mode: if writable { "Read Write" } else { "Read Only" },
            two_fa_delivery_method: inner.login.as_ref().map_or("", Login::second_factor),
            users_auth_source: inner
                .login
                .as_ref()
                .map_or("", |login| login.users().source_name()),
            group_permissions_enabled: inner
                .login
                .as_ref()
                .is_some_and(|login| login.users().supports_groups()),
        }
    }

    /// The caller.
    ///
    /// # Errors
    /// `NotFound` when the user has been removed meanwhile.
    pub async fn me(&self, actor: &Actor) -> Result<Me, Error> {
        let gone = || Error::not_found(format!("cannot find user by username '{}'", actor.user));
        let login = self.inner.login.as_ref().ok_or_else(gone)?;
        let user = login.users().find(&actor.user).await?.ok_or_else(gone)?;
        let groups = login.users().details_of(&user.groups).await?;
        let (mut tunnels_restricted, mut commands_restricted) = (Vec::new(), Vec::new());
        for group in groups {
            tunnels_restricted.extend(group.tunnels_restricted);
            commands_restricted.extend(group.commands_restricted);
        }
        Ok(Me {
            actor: actor.clone(),
            two_fa_send_to: user.two_fa_send_to.clone(),
            group_permissions_enabled: login.users().supports_groups(),
            tunnels_restricted,
            commands_restricted,
        })
    }
}
