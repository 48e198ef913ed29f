//! Who is known, and who is connected.
//!
//! The registry holds the live copy of every record. Each client has one *seat*: the connection that speaks for it.
//! A newer connection takes the seat from an older one; the older one is told, cleans up, and says when it has left.
//! Leaving needs the matching seat, so a slow goodbye cannot evict the newer connection.
//!
//! Saving goes through [`Registry::save`], which writes whatever the registry says at the moment of writing. Two
//! savers of one client can therefore never overtake each other with old contents.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, FixedOffset};
use metrics::gauge;
use parking_lot::{Mutex, RwLock};
use rport_domain::{ClientAuthId, ClientId, ClientRecord, ConnectionId};
use rport_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::ClientLink;
use crate::metrics_names::{CLIENTS_CONNECTED, CLIENTS_KNOWN};

/// All clients of this node.
pub(crate) struct Registry {
    store: rport_store::Clients,
    clients: RwLock<HashMap<ClientId, Arc<Client>>>,
    /// Which clients use a client auth id; kept only where ids may not be shared.
    auth_users: Option<Mutex<HashMap<ClientAuthId, HashSet<ClientId>>>>,
    next_connection: AtomicU64,
    connected: AtomicUsize,
}

/// One client: its record and its seat.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    state: Mutex<State>,
}

struct State {
    /// Missing while the first connection of a new client is being looked at.
    record: Option<Arc<ClientRecord>>,
    seat: Option<Arc<Seat>>,
    last_heartbeat_at: Option<DateTime<FixedOffset>>,
    last_tunnel: u64,
}

/// The place of one connection.
pub(crate) struct Seat {
    pub(crate) link: ClientLink,
    /// The agent process; equal for all connections of one process, empty for very old agents.
    pub(crate) session_id: Box<str>,
    /// Cancelled when a newer connection has taken over.
    pub(crate) replaced: CancellationToken,
    /// Cancelled when the connection has gone and everything of it is cleaned up.
    pub(crate) left: CancellationToken,
    /// The connection this one took over from, as long as that has not left.
    predecessor: Mutex<Option<Arc<Seat>>>,
    admitted: std::sync::atomic::AtomicBool,
}

impl Registry {
    /// A registry of these records; nobody is connected. `exclusive_auth` says that two clients may not use the same
    /// client auth id.
    pub(crate) fn new(store: rport_store::Clients, records: Vec<ClientRecord>, exclusive_auth: bool) -> Self {
        let registry = Self {
            store,
            clients: RwLock::new(HashMap::with_capacity(records.len())),
            auth_users: exclusive_auth.then(Mutex::default),
            next_connection: AtomicU64::new(1),
            connected: AtomicUsize::new(0),
        };
        for record in records {
            registry.note_auth(&record);
            let client = Arc::new(Client::new(record.id.clone(), Some(Arc::new(record))));
            registry.clients.write().insert(client.id.clone(), client);
        }
        registry.publish_counts();
        registry
    }

    /// A number no connection had before.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// The client of this id, known or about to become known.
    pub(crate) fn find(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.clients.read().get(id).cloned()
    }

    /// The client of this id, making room for a new one.
    pub(crate) fn find_or_insert(&self, id: &ClientId) -> Arc<Client> {
        if let Some(client) = self.find(id) {
            return client;
        }
        let mut clients = self.clients.write();
        clients
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Client::new(id.clone(), None)))
            .clone()
    }

    /// All clients, in no order. Cheap: nothing is copied but pointers.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.clients.read().values().cloned().collect()
    }

    /// Connected and known clients.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.connected.load(Ordering::Relaxed), self.clients.read().len())
    }

    /// Whether another client that `counts` uses this client auth id, where that is not allowed.
    pub(crate) fn has_other_user(
        &self,
        auth: &ClientAuthId,
        client: &ClientId,
        counts: impl Fn(&Client) -> bool,
    ) -> bool {
        let Some(users) = &self.auth_users else {
            return false;
        };
        let others: Vec<ClientId> = users.lock().get(auth).into_iter().flatten().cloned().collect();
        others
            .iter()
            .filter(|other| *other != client)
            .filter_map(|other| self.find(other))
            .any(|other| counts(&other))
    }

    /// Seats a connection whose request was accepted: from now on the client is connected. `record` makes the new
    /// record of the present one.
    ///
    /// Returns `false`, and changes nothing, if another connection has taken the seat meanwhile.
    pub(crate) fn admit(
        &self,
        client: &Client,
        seat: &Arc<Seat>,
        record: impl FnOnce(Option<Arc<ClientRecord>>) -> ClientRecord,
    ) -> bool {
        {
            let mut state = client.state.lock();
            if !state
                .seat
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, seat))
            {
                return false;
            }
            let old = state.record.take();
            if let Some(old) = &old {
                self.forget_auth(old);
            }
            let record = record(old);
            self.note_auth(&record);
            state.record = Some(Arc::new(record));
            seat.admitted.store(true, Ordering::Release);
        }
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.publish_counts();
        true
    }

    /// Takes a connection off its seat. The client is disconnected since `at` unless a newer connection sits there.
    /// Returns whether the client's record changed.
    pub(crate) fn leave(&self, client: &Client, seat: &Arc<Seat>, at: DateTime<FixedOffset>) -> bool {
        let (changed, unknown) = {
            let mut state = client.state.lock();
            if seat.admitted.swap(false, Ordering::AcqRel) {
                self.connected.fetch_sub(1, Ordering::Relaxed);
            }
            if !state
                .seat
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, seat))
            {
                (false, false)
            } else {
                state.seat = None;
                let unknown = state.record.is_none();
                let connected = state
                    .record
                    .as_mut()
                    .filter(|record| record.disconnected_at.is_none());
                let changed = connected
                    .map(|record| Arc::make_mut(record).disconnected_at = Some(at))
                    .is_some();
                (changed, unknown)
            }
        };
        if unknown {
            // A new client that was refused leaves no trace.
            self.remove_unknown(client);
        }
        self.publish_counts();
        changed
    }

    fn remove_unknown(&self, client: &Client) {
        let mut clients = self.clients.write();
        let unknown = |known: &Arc<Client>| {
            let state = known.state.lock();
            std::ptr::eq(&**known, client) && state.record.is_none() && state.seat.is_none()
        };
        if clients.get(&client.id).is_some_and(unknown) {
            clients.remove(&client.id);
        }
    }

    /// Gives a client to other credentials; `false` if it is not known any more. Follow with [`Registry::save`].
    pub(crate) fn rebind(&self, client: &Client, auth: &ClientAuthId) -> bool {
        let mut state = client.state.lock();
        let Some(record) = state.record.as_mut() else {
            return false;
        };
        self.forget_auth(record);
        Arc::make_mut(record).client_auth_id = auth.clone();
        self.note_auth(record);
        true
    }

    /// Forgets a client that is not connected; `false` if it is. Follow with [`Registry::save`].
    pub(crate) fn remove(&self, client: &Arc<Client>) -> bool {
        let mut clients = self.clients.write();
        let state = client.state.lock();
        if state.seat.is_some() {
            return false;
        }
        if let Some(record) = &state.record {
            self.forget_auth(record);
        }
        if clients
            .get(&client.id)
            .is_some_and(|known| Arc::ptr_eq(known, client))
        {
            clients.remove(&client.id);
        }
        drop(state);
        drop(clients);
        self.publish_counts();
        true
    }

    /// Makes the stored row say what the registry says when the row is written: the record, or nothing for a client
    /// that has been removed. On disk when it returns.
    pub(crate) async fn save(self: &Arc<Self>, id: &ClientId) -> Result<(), StoreError> {
        let registry = Arc::downgrade(self);
        let wanted = id.clone();
        self.store
            .sync(id, move || {
                let client = registry.upgrade()?.find(&wanted)?;
                client.record()
            })
            .await
    }

    fn note_auth(&self, record: &ClientRecord) {
        if let Some(users) = &self.auth_users {
            users
                .lock()
                .entry(record.client_auth_id.clone())
                .or_default()
                .insert(record.id.clone());
        }
    }

    fn forget_auth(&self, record: &ClientRecord) {
        let Some(users) = &self.auth_users else { return };
        let mut users = users.lock();
        if let Some(clients) = users.get_mut(&record.client_auth_id) {
            clients.remove(&record.id);
            if clients.is_empty() {
                users.remove(&record.client_auth_id);
            }
        }
    }

    fn publish_counts(&self) {
        let (connected, known) = self.counts();
        gauge!(CLIENTS_CONNECTED).set(connected as f64);
        gauge!(CLIENTS_KNOWN).set(known as f64);
    }
}

impl Client {
    fn new(id: ClientId, record: Option<Arc<ClientRecord>>) -> Self {
        let state = State {
            record,
            seat: None,
            last_heartbeat_at: None,
            last_tunnel: 0,
        };
        Self {
            id,
            state: Mutex::new(state),
        }
    }

    /// The record as it is now; `None` while the client is not known yet.
    pub(crate) fn record(&self) -> Option<Arc<ClientRecord>> {
        self.state.lock().record.clone()
    }

    /// The last sign of life the API shows.
    pub(crate) fn last_heartbeat_at(&self) -> Option<DateTime<FixedOffset>> {
        self.state.lock().last_heartbeat_at
    }

    pub(crate) fn heard(&self, at: DateTime<FixedOffset>) {
        self.state.lock().last_heartbeat_at = Some(at);
    }

    /// Changes the record, if there is one. Readers who hold the old one keep it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut ClientRecord) -> T) -> Option<T> {
        self.state
            .lock()
            .record
            .as_mut()
            .map(|record| change(Arc::make_mut(record)))
    }

    /// The link to the agent, while it is connected.
    pub(crate) fn link(&self) -> Option<ClientLink> {
        let state = self.state.lock();
        let seat = state
            .seat
            .as_ref()
            .filter(|seat| seat.admitted.load(Ordering::Acquire))?;
        Some(seat.link.clone())
    }

    /// The seat somebody sits on, accepted as a client already or not.
    pub(crate) fn seat(&self) -> Option<Arc<Seat>> {
        self.state.lock().seat.clone()
    }

    /// Whether this connection still speaks for the client.
    pub(crate) fn is_seated(&self, id: ConnectionId) -> bool {
        self.state
            .lock()
            .seat
            .as_ref()
            .is_some_and(|seat| seat.link.id == id)
    }

    /// The number of the next tunnel of this client.
    pub(crate) fn next_tunnel(&self) -> u64 {
        let mut state = self.state.lock();
        state.last_tunnel += 1;
        state.last_tunnel
    }

    /// Sits down if the seat is free, else returns who sits there.
    pub(crate) fn sit(&self, seat: &Arc<Seat>) -> Result<(), Arc<Seat>> {
        let mut state = self.state.lock();
        match &state.seat {
            Some(other) => Err(other.clone()),
            None => {
                state.seat = Some(seat.clone());
                Ok(())
            }
        }
    }

    /// Takes the seat from `old` and tells it; `false` if somebody else sits there by now.
    pub(crate) fn take_over(&self, old: &Arc<Seat>, seat: &Arc<Seat>) -> bool {
        let mut state = self.state.lock();
        if !state
            .seat
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, old))
        {
            return false;
        }
        *seat.predecessor.lock() = Some(old.clone());
        state.seat = Some(seat.clone());
        drop(state);
        old.replaced.cancel();
        old.link.connection.close();
        true
    }
}

impl Seat {
    pub(crate) fn new(link: ClientLink, session_id: &str) -> Arc<Self> {
        Arc::new(Self {
            link,
            session_id: session_id.into(),
            replaced: CancellationToken::new(),
            left: CancellationToken::new(),
            predecessor: Mutex::default(),
            admitted: false.into(),
        })
    }

    /// Waits until the connection this one took over from has cleaned up, and all those before it.
    pub(crate) async fn predecessor_left(&self) {
        let predecessor = self.predecessor.lock().clone();
        if let Some(predecessor) = predecessor {
            predecessor.left.cancelled().await;
            self.predecessor.lock().take();
        }
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
