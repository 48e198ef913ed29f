//! Reading and writing the library. Source: rest-api.md 14.

use rport_domain::{Error, LibraryDefinition, LibraryEntry, LibraryId, LibraryKind, ListQuery, Page};
use rport_protocol::GoTime;
use rport_runtime::Clock;
use rport_store::LibraryWrite;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};

/// The library. Cheap to clone.
///
/// Every method takes the permission that running such an entry takes: `commands` or `scripts`.
#[derive(Clone)]
pub struct Library {
    store: rport_store::Library,
    audit: Audit,
    clock: Clock,
}

impl Library {
    pub(crate) fn new(store: rport_store::Library, audit: Audit, clock: Clock) -> Self {
        Self { store, audit, clock }
    }

    /// The entries of a kind, filtered, sorted and cut to a page. `query` was read with [`LibraryKind::list_spec`].
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(
        &self,
        actor: &Actor,
        kind: LibraryKind,
        query: &ListQuery,
    ) -> Result<Page<LibraryEntry>, Error> {
        actor.require(kind.permission())?;
        Ok(self.store.list(kind, query).await?)
    }

    /// One entry.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn get(&self, actor: &Actor, kind: LibraryKind, id: &LibraryId) -> Result<LibraryEntry, Error> {
        actor.require(kind.permission())?;
        let entry = self.store.find(kind, id).await?;
        entry.ok_or_else(|| kind.not_found(id))
    }

    /// Adds an entry under a fresh id.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`, all mistakes joined; `Conflict` when another entry has the name.
    pub async fn add(
        &self,
        actor: &Actor,
        kind: LibraryKind,
        definition: LibraryDefinition,
    ) -> Result<LibraryEntry, Error> {
        actor.require(kind.permission())?;
        let definition = definition.checked(kind)?;
        let id = LibraryId::from(uuid::Uuid::new_v4().to_string());
        let entry = self.entry(actor, id, definition);
        let name = entry.definition.name.clone();
        match self.store.insert(kind, entry).await? {
            LibraryWrite::Written(entry) => {
                self.record(actor, kind, Action::Create, &entry).await;
                Ok(entry)
            }
            LibraryWrite::NameTaken | LibraryWrite::Missing => Err(kind.name_taken(&name)),
        }
    }

    /// Replaces the definition of an entry. Who created it and when stays as it is.
    ///
    /// # Errors
    /// As for [`Library::add`], and `NotFound`.
    pub async fn replace(
        &self,
        actor: &Actor,
        kind: LibraryKind,
        id: &LibraryId,
        definition: LibraryDefinition,
    ) -> Result<LibraryEntry, Error> {
        actor.require(kind.permission())?;
        let definition = definition.checked(kind)?;
        let name = definition.name.clone();
        let entry = self.entry(actor, id.clone(), definition);
        match self.store.replace(kind, entry).await? {
            LibraryWrite::Written(entry) => {
                self.record(actor, kind, Action::Update, &entry).await;
                Ok(entry)
            }
            LibraryWrite::NameTaken => Err(kind.name_taken(&name)),
            LibraryWrite::Missing => Err(Error::not_found("cannot find entry by the provided ID")),
        }
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete(&self, actor: &Actor, kind: LibraryKind, id: &LibraryId) -> Result<(), Error> {
        actor.require(kind.permission())?;
        if !self.store.delete(kind, id).await? {
            return Err(Error::not_found("cannot find this entry by the provided id"));
        }
        let application = application(kind);
        self.audit
            .record(actor, application, Action::Delete, id.as_str(), None)
            .await;
        Ok(())
    }

    fn entry(&self, actor: &Actor, id: LibraryId, definition: LibraryDefinition) -> LibraryEntry {
        let now = self.clock.now_local();
        LibraryEntry {
            id,
            created_by: actor.user.clone(),
            created_at: now,
            updated_by: actor.user.clone(),
            updated_at: now,
            definition,
        }
    }

    async fn record(&self, actor: &Actor, kind: LibraryKind, action: Action, entry: &LibraryEntry) {
        let event = Event {
            request: Some(request(kind, &entry.definition)),
            response: Some(response(kind, entry)),
            ..Event::new(application(kind), action, entry.id.as_str())
        };
        self.audit.note(actor, event).await;
    }
}

fn application(kind: LibraryKind) -> Application {
    match kind {
        LibraryKind::Command => Application::LibraryCommand,
        LibraryKind::Script => Application::LibraryScript,
    }
}

/// What was asked for, in the shape of the API.
fn request(kind: LibraryKind, definition: &LibraryDefinition) -> Value {
    let LibraryDefinition {
        name,
        text,
        interpreter,
        is_sudo,
        cwd,
        tags,
        timeout_sec,
    } = definition;
    match kind {
        LibraryKind::Command => {
            json!({ "name": name, "cmd": text, "tags": tags, "timeout_sec": timeout_sec })
        }
        LibraryKind::Script => json!({
            "name": name, "interpreter": interpreter, "is_sudo": is_sudo, "cwd": cwd, "script": text, "tags": tags,
            "timeout_sec": timeout_sec,
        }),
    }
}

/// The entry that came of it.
fn response(kind: LibraryKind, entry: &LibraryEntry) -> Value {
    let mut response = request(kind, &entry.definition);
    response["id"] = json!(entry.id);
    response["created_by"] = json!(entry.created_by);
    response["created_at"] = json!(GoTime(entry.created_at));
    response["updated_by"] = json!(entry.updated_by);
    response["updated_at"] = json!(GoTime(entry.updated_at));
    response
}
