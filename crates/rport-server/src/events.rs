//! What happens to clients, tunnels and jobs, told to whoever listens at the moment.
//!
//! Nobody who acts waits for a listener: events go into a ring of fixed size, and a listener that is too slow is told
//! how many it has missed. Each listener hears only of clients it may access.

use std::sync::Arc;

use rport_domain::{ClientId, JobId, LibraryKind, Permission, TunnelId};
use tokio::sync::broadcast;

use crate::actor::Actor;
use crate::clients::Client;

/// Events kept for slow listeners.
const CAPACITY: usize = 1024;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A client is connected now.
    ClientConnected,
    /// A client is not connected any more.
    ClientDisconnected,
    /// What is known about a client has changed.
    ClientChanged,
    /// A client has been forgotten.
    ClientDeleted,
    /// A tunnel listens now.
    TunnelOpened,
    /// A tunnel has ended.
    TunnelClosed,
    /// A job was ordered, started, or has ended.
    JobChanged,
}

impl EventKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientConnected => "client_connected",
            Self::ClientDisconnected => "client_disconnected",
            Self::ClientChanged => "client_changed",
            Self::ClientDeleted => "client_deleted",
            Self::TunnelOpened => "tunnel_opened",
            Self::TunnelClosed => "tunnel_closed",
            Self::JobChanged => "job_changed",
        }
    }

    fn is_about_tunnels(self) -> bool {
        matches!(self, Self::TunnelOpened | Self::TunnelClosed)
    }
}

/// Something that happened.
#[derive(Clone)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The client concerned.
    pub client_id: ClientId,
    /// The tunnel concerned, if it is about one.
    pub tunnel_id: Option<TunnelId>,
    /// The job concerned, if it is about one.
    pub job_id: Option<JobId>,
    /// The multi-job it belongs to.
    pub multi_job_id: Option<JobId>,
    /// Decides who hears of a job.
    job_kind: Option<LibraryKind>,
    /// Decides who hears of it.
    client: Arc<Client>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("client_id", &self.client_id)
            .field("tunnel_id", &self.tunnel_id)
            .field("job_id", &self.job_id)
            .finish_non_exhaustive()
    }
}

/// What a listener gets.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Something happened.
    Event(Event),
    /// The listener was too slow for this many.
    Missed(u64),
}

/// Where events come from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    sender: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(CAPACITY);
        Self { sender }
    }
}

impl Events {
    /// Tells of a client.
    pub(crate) fn client(&self, kind: EventKind, client: &Arc<Client>) {
        self.tell(kind, client, |_| {});
    }

    /// Tells of a tunnel of a client.
    pub(crate) fn tunnel(&self, kind: EventKind, tunnel: &TunnelId, client: &Arc<Client>) {
        self.tell(kind, client, |event| event.tunnel_id = Some(tunnel.clone()));
    }

    /// Tells of a job on a client.
    pub(crate) fn job(&self, id: &JobId, multi: Option<&JobId>, kind: LibraryKind, client: &Arc<Client>) {
        self.tell(EventKind::JobChanged, client, |event| {
            event.job_id = Some(id.clone());
            event.multi_job_id = multi.cloned();
            event.job_kind = Some(kind);
        });
    }

    fn tell(&self, kind: EventKind, client: &Arc<Client>, fill: impl FnOnce(&mut Event)) {
        // Most of the time nobody listens.
        if self.sender.receiver_count() == 0 {
            return;
        }
        let mut event = Event {
            kind,
            client_id: client.id.clone(),
            tunnel_id: None,
            job_id: None,
            multi_job_id: None,
            job_kind: None,
            client: client.clone(),
        };
        fill(&mut event);
        let _ = self.sender.send(event);
    }

    /// Begins to listen.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener {
            receiver: self.sender.subscribe(),
        }
    }
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Listener {
    receiver: broadcast::Receiver<Event>,
}

impl Listener {
    /// The next thing that `actor` may hear of; `None` when nothing more will come. Cancel-safe.
    pub async fn next(&mut self, actor: &Actor) -> Option<Heard> {
        loop {
            match self.receiver.recv().await {
                Ok(event) if may_hear(actor, &event) => return Some(Heard::Event(event)),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => return Some(Heard::Missed(missed)),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

fn may_hear(actor: &Actor, event: &Event) -> bool {
    let needed = match event.job_kind {
        Some(kind) => Some(kind.permission()),
        None => event.kind.is_about_tunnels().then_some(Permission::Tunnels),
    };
    let permitted = needed.is_none_or(|needed| actor.permissions.contains(needed));
    permitted && actor.may_access(&event.client)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use rport_domain::{ClientDetails, ClientRecord, Permissions};
    use rport_store::{Store, StoreOptions};

    use super::*;
    use crate::clients::Registry;

    fn actor(group: &str, permissions: Permissions) -> Actor {
        let address = IpAddr::from([127, 0, 0, 1]);
        Actor::new("someone".into(), &[group.to_owned()], permissions, address)
    }

    /// Two clients: `shut` for the group `dev`, `open` for the group `ops`.
    fn clients() -> (Arc<Client>, Arc<Client>, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        })
        .expect("opens");
        let records = [("shut", "dev"), ("open", "ops")].map(|(id, group)| ClientRecord {
            id: id.into(),
            client_auth_id: "agent".into(),
            disconnected_at: None,
            details: ClientDetails {
                allowed_user_groups: Some(vec![group.into()]),
                ..ClientDetails::default()
            },
        });
        let registry = Registry::new(store.clients().clone(), records.into(), false, Arc::default());
        let client = |id: &str| registry.find(&id.into()).expect("known");
        (client("shut"), client("open"), directory)
    }

    async fn next(listener: &mut Listener, actor: &Actor) -> String {
        match listener.next(actor).await {
            Some(Heard::Event(event)) => format!("{} {}", event.kind.as_str(), event.client_id),
            Some(Heard::Missed(count)) => format!("missed {count}"),
            None => "end".to_owned(),
        }
    }

    #[tokio::test]
    async fn listeners_hear_of_what_they_may_access() {
        let events = Events::default();
        let (mut ops, mut blind) = (events.listen(), events.listen());
        let (shut, open, _directory) = clients();
        events.client(EventKind::ClientConnected, &shut);
        events.tunnel(EventKind::TunnelOpened, &"1".into(), &open);
        events.job(&"j1".into(), None, LibraryKind::Command, &shut);
        events.job(&"j2".into(), None, LibraryKind::Script, &open);
        events.client(EventKind::ClientDisconnected, &open);
        let all = actor("ops", Permissions::all());
        assert_eq!(next(&mut ops, &all).await, "tunnel_opened open");
        assert_eq!(next(&mut ops, &all).await, "job_changed open");
        assert_eq!(next(&mut ops, &all).await, "client_disconnected open");
        let none = actor("ops", Permissions::NONE);
        assert_eq!(next(&mut blind, &none).await, "client_disconnected open");
    }

    #[tokio::test]
    async fn slow_listeners_are_told_what_they_missed() {
        let events = Events::default();
        let mut slow = events.listen();
        let (_, open, _directory) = clients();
        for _ in 0..CAPACITY + 5 {
            events.client(EventKind::ClientChanged, &open);
        }
        let ops = actor("ops", Permissions::all());
        assert_eq!(next(&mut slow, &ops).await, "missed 5");
        assert_eq!(next(&mut slow, &ops).await, "client_changed open");
    }
}
