//! Client ids stay with the credentials they came with.
//!
//! The original lets any credentials take any client id and inherit its tunnels, its access list and its name. Here a
//! known client belongs to the credentials it connected with last, for as long as those exist and can be used; what
//! happens to others is configured ([`ClientIdBinding`]). Credentials that were deleted, disabled or have expired
//! hold no client back: machines are moved to new credentials that way.

use std::net::IpAddr;

use rport_domain::access::client_not_found;
use rport_domain::{ClientAuthId, ClientId, ClientRecord, Error};

use super::ClientAuths;
use super::options::ClientIdBinding;
use super::provider;
use crate::actor::Actor;
use crate::audit::{Action, Application};

/// A client id is held by other credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound;

impl ClientAuths {
    /// Decides whether an agent that logged in as `auth` may be the client of `record`.
    pub(crate) async fn may_become(
        &self,
        auth: &ClientAuthId,
        record: &ClientRecord,
        address: IpAddr,
    ) -> Result<(), Bound> {
        let inner = &self.inner;
        let enforce = match inner.options.binding {
            ClientIdBinding::Off => return Ok(()),
            ClientIdBinding::Warn => false,
            ClientIdBinding::Enforce => true,
        };
        let owner = &record.client_auth_id;
        // Nobody knows whether the owner still exists while its source is out of order. It did when it connected.
        if owner == auth || !self.is_usable(owner).await.unwrap_or(true) {
            return Ok(());
        }
        let (client, request) = (
            &record.id,
            serde_json::json!({ "client_auth_id": auth, "bound_to": owner }),
        );
        let action = if enforce {
            tracing::warn!(client.id = %client, client_auth.id = %auth, bound_to = %owner, %address,
                "agent refused, the client id belongs to another client auth; re-bind it or give the agent another id");
            Action::Failed
        } else {
            tracing::warn!(client.id = %client, client_auth.id = %auth, bound_to = %owner, %address,
                "client id taken over with another client auth; set client_id_binding = \"enforce\" to refuse this");
            Action::Update
        };
        inner
            .audit
            .record_client(
                None,
                address,
                (Application::Client, action),
                client.as_str(),
                record,
                request,
            )
            .await;
        if enforce { Err(Bound) } else { Ok(()) }
    }

    /// Binds a client to other credentials, with which its agent then may connect. Its present connection, if any,
    /// stays.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when there is no such client or are no such credentials; `Conflict` when another
    /// client uses them and they may not be shared; `Unavailable`.
    pub async fn rebind(&self, actor: &Actor, client: &ClientId, auth: &ClientAuthId) -> Result<(), Error> {
        actor.require_admin()?;
        let inner = &self.inner;
        let known = inner
            .registry
            .find(client)
            .ok_or_else(|| client_not_found(client))?;
        let record = known.record().ok_or_else(|| client_not_found(client))?;
        if inner.lookup(auth).await?.is_none() {
            return Err(provider::not_found_coded(auth));
        }
        if inner.registry.has_other_user(auth, client, |_| true) {
            let text = format!("Client Auth with ID=\"{auth}\" is used by another client.");
            return Err(Error::conflict(text).detail("'auth_multiuse_creds' is switched off."));
        }
        if record.client_auth_id == *auth {
            return Ok(());
        }
        if !inner.registry.rebind(&known, auth) {
            return Err(client_not_found(client));
        }
        inner.registry.save(client).await?;
        tracing::info!(client.id = %client, client_auth.id = %auth, was = %record.client_auth_id,
            user.name = %actor.user, "client bound to another client auth");
        let request = serde_json::json!({ "client_auth_id": auth, "bound_to": record.client_auth_id });
        let action = (Application::Client, Action::Update);
        inner
            .audit
            .record_client(
                Some(actor),
                actor.address,
                action,
                client.as_str(),
                &record,
                request,
            )
            .await;
        Ok(())
    }
}
