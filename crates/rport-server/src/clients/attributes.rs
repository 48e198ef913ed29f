//! Tags and labels, which the agent keeps. Source: rest-api.md 10.3, wire-protocol.md on `update_client_metadata`.

use std::time::Duration;

use rport_domain::{Attributes, ClientId, Error};
use rport_protocol::to_client::UpdateClientMetadata;

use super::service::Inner;
use super::{AskError, ClientLink, Clients};
use crate::actor::Actor;
use crate::audit::{Action, Application, Event};
use crate::events::EventKind;

/// How long an agent may take to write its file.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

impl Clients {
    /// The attributes of a connected client.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `ClientOffline`, although the server knows them, as with the Go server.
    pub fn attributes(&self, actor: &Actor, id: &ClientId) -> Result<Attributes, Error> {
        let (client, record) = self.inner.visible(actor, id)?;
        client.link().ok_or_else(|| not_active(id))?;
        Ok(Attributes {
            tags: record.details.tags.clone(),
            labels: record.details.labels.clone(),
        })
    }

    /// Replaces the attributes of a connected client, first at its agent, then here.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `ClientOffline`, `Invalid`; `Conflict` while somebody else does the same;
    /// `ClientRefused` with the agent's words, usually that it has no file to keep them in; `ClientTimeout`.
    pub async fn set_attributes(
        &self,
        actor: &Actor,
        id: &ClientId,
        attributes: Attributes,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let (client, record) = inner.visible(actor, id)?;
        let link = client.link().ok_or_else(|| not_active(id))?;
        attributes.check()?;
        // Two changes at once could reach the agent in one order and the record in the other.
        let _changing = Changing::start(inner, id)?;
        push(&link, &attributes).await?;
        let request = serde_json::json!({ "tags": &attributes.tags, "labels": &attributes.labels });
        client.update(|record| {
            record.details.tags = attributes.tags;
            record.details.labels = attributes.labels;
        });
        inner.registry.save(id).await?;
        inner.registry.events().client(EventKind::ClientChanged, &client);
        tracing::info!(client.id = %id, user.name = %actor.user, "tags and labels of client changed");
        let event = Event {
            client: Some(&record),
            request: Some(request),
            ..Event::new(Application::ClientAttributes, Action::Update, id.as_str())
        };
        inner.audit.note(actor, event).await;
        Ok(())
    }
}

async fn push(link: &ClientLink, attributes: &Attributes) -> Result<(), Error> {
    let request = UpdateClientMetadata {
        tags: attributes.tags.clone(),
        labels: attributes.labels.clone(),
    };
    match link.ask(&request, ANSWER_LIMIT).await {
        // Go servers do not look at the answer, so there is nothing in it to be wrong.
        Ok(_) | Err(AskError::Garbled(_)) => Ok(()),
        Err(error) if error.is_unknown_request() => Err(Error::client_refused(format!(
            "the agent of client {} is too old to change its attributes: version 0.9.7 or later is needed",
            link.client
        ))),
        Err(AskError::Offline) => Err(not_active(&link.client)),
        Err(error) => Err(error.for_client(&link.client)),
    }
}

fn not_active(id: &ClientId) -> Error {
    Error::client_offline(format!("Active client with id=\"{id}\" not found."))
}

/// Says that the attributes of a client are being changed, until it is dropped.
struct Changing<'a> {
    inner: &'a Inner,
    id: &'a ClientId,
}

impl<'a> Changing<'a> {
    fn start(inner: &'a Inner, id: &'a ClientId) -> Result<Self, Error> {
        if !inner.changing.lock().insert(id.clone()) {
            return Err(Error::conflict(format!(
                "the attributes of client {id} are being changed already, please try again"
            )));
        }
        Ok(Self { inner, id })
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.inner.changing.lock().remove(self.id);
    }
}
