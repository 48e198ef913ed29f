//! Who is known, and who is connected.
//!
//! The registry holds the live copy of every record. Each client has one *seat*: the connection that speaks for it.
//! A newer connection takes the seat from an older one; the older one is told, cleans up, and says when it has left.
//! Leaving needs the matching seat, so a slow goodbye cannot evict the newer connection.
//!
//! Saving goes through [`Registry::save`], which writes whatever the registry says at the moment of writing. Two
//! savers of one client can therefore never overtake each other with old contents.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, FixedOffset};
use metrics::gauge;
use parking_lot::{Mutex, RwLock};
use rport_domain::{ClientAuthId, ClientId, ClientRecord, ClientView, ConnectionId, access};
use rport_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::ClientLink;
use crate::client_groups::{GroupSet, Membership, Memberships};
use crate::events::{EventKind, Events};
use crate::metrics_names::{CLIENTS_CONNECTED, CLIENTS_KNOWN};

/// All clients of this node.
pub(crate) struct Registry {
    store: rport_store::Clients,
    clients: RwLock<HashMap<ClientId, Arc<Client>>>,
    /// The clients that have a record, in the order of lists. Innermost of all locks.
    order: Mutex<Order>,
    memberships: Arc<Memberships>,
    /// Which clients use a client auth id; kept only where ids may not be shared.
    auth_users: Option<Mutex<HashMap<ClientAuthId, HashSet<ClientId>>>>,
    next_connection: AtomicU64,
    connected: AtomicUsize,
    events: Events,
}

/// Clients sorted by id, without regard to case.
#[derive(Default)]
struct Order {
    sorted: BTreeMap<(String, ClientId), Arc<Client>>,
    /// The same as a list, made when it is asked for and shared until clients come or go.
    snapshot: Option<Arc<[Arc<Client>]>>,
}

/// One client: its record and its seat.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    memberships: Arc<Memberships>,
    state: Mutex<State>,
}

struct State {
    /// Missing while the first connection of a new client is being looked at.
    record: Option<Arc<ClientRecord>>,
    /// What the record made it belong to; forgotten whenever the record changes.
    membership: Option<Arc<Membership>>,
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
    pub(crate) fn new(
        store: rport_store::Clients,
        records: Vec<ClientRecord>,
        exclusive_auth: bool,
        memberships: Arc<Memberships>,
    ) -> Self {
        let registry = Self {
            store,
            clients: RwLock::new(HashMap::with_capacity(records.len())),
            order: Mutex::default(),
            memberships,
            auth_users: exclusive_auth.then(Mutex::default),
            next_connection: AtomicU64::new(1),
            connected: AtomicUsize::new(0),
            events: Events::default(),
        };
        for record in records {
            registry.note_auth(&record);
            let client = Arc::new(registry.client(record.id.clone(), Some(Arc::new(record))));
            registry.order.lock().insert(&client);
            registry.clients.write().insert(client.id.clone(), client);
        }
        registry.publish_counts();
        registry
    }

    /// Where it is told what happens to clients.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Tells of a client. Not to be called while a client is locked.
    fn tell(&self, kind: EventKind, client: &Client) {
        if let Some(client) = self.find(&client.id) {
            self.events.client(kind, &client);
        }
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
            .or_insert_with(|| Arc::new(self.client(id.clone(), None)))
            .clone()
    }

    /// All clients, in no order. Cheap: nothing is copied but pointers.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.clients.read().values().cloned().collect()
    }

    /// The clients that have a record, sorted by id without regard to case. Usually costs nothing.
    pub(crate) fn known(&self) -> Arc<[Arc<Client>]> {
        let mut order = self.order.lock();
        if let Some(snapshot) = &order.snapshot {
            return snapshot.clone();
        }
        let snapshot: Arc<[Arc<Client>]> = order.sorted.values().cloned().collect();
        order.snapshot = Some(snapshot.clone());
        snapshot
    }

    /// The client groups of this moment.
    pub(crate) fn groups(&self) -> Arc<GroupSet> {
        self.memberships.current()
    }

    fn client(&self, id: ClientId, record: Option<Arc<ClientRecord>>) -> Client {
        Client::new(id, record, self.memberships.clone())
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
    /// Returns `false`, and changes nothing, if another connection has taken the seat meanwhile, or if the client was
    /// removed just before this connection sat down.
    pub(crate) fn admit(
        &self,
        client: &Arc<Client>,
        seat: &Arc<Seat>,
        record: impl FnOnce(Option<Arc<ClientRecord>>) -> ClientRecord,
    ) -> bool {
        // Somebody sits there, so it cannot be removed from now on.
        if !self
            .find(&client.id)
            .is_some_and(|known| Arc::ptr_eq(&known, client))
        {
            return false;
        }
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
            match &old {
                Some(old) => self.forget_auth(old),
                None => self.order.lock().insert(client),
            }
            let record = record(old);
            self.note_auth(&record);
            state.record = Some(Arc::new(record));
            state.membership = None;
            seat.admitted.store(true, Ordering::Release);
        }
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.publish_counts();
        self.tell(EventKind::ClientConnected, client);
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
                state.membership = None;
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
        if changed {
            self.tell(EventKind::ClientDisconnected, client);
        }
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

    /// Tells listeners that what is known about a client has changed.
    pub(crate) fn changed(&self, client: &Client) {
        self.tell(EventKind::ClientChanged, client);
    }

    /// Gives a client to other credentials; `false` if it is not known any more. Follow with [`Registry::save`].
    pub(crate) fn rebind(&self, client: &Client, auth: &ClientAuthId) -> bool {
        let mut state = client.state.lock();
        state.membership = None;
        let Some(record) = state.record.as_mut() else {
            return false;
        };
        self.forget_auth(record);
        Arc::make_mut(record).client_auth_id = auth.clone();
        self.note_auth(record);
        drop(state);
        self.tell(EventKind::ClientChanged, client);
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
        self.order.lock().remove(client);
        drop(state);
        drop(clients);
        self.publish_counts();
        self.events.client(EventKind::ClientDeleted, client);
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

impl Order {
    fn key(client: &Client) -> (String, ClientId) {
        (client.id.as_str().to_lowercase(), client.id.clone())
    }

    fn insert(&mut self, client: &Arc<Client>) {
        self.sorted.insert(Self::key(client), client.clone());
        self.snapshot = None;
    }

    fn remove(&mut self, client: &Arc<Client>) {
        let key = Self::key(client);
        if self
            .sorted
            .get(&key)
            .is_some_and(|known| Arc::ptr_eq(known, client))
        {
            self.sorted.remove(&key);
            self.snapshot = None;
        }
    }
}

impl Client {
    fn new(id: ClientId, record: Option<Arc<ClientRecord>>, memberships: Arc<Memberships>) -> Self {
        let state = State {
            record,
            membership: None,
            seat: None,
            last_heartbeat_at: None,
            last_tunnel: 0,
        };
        Self {
            id,
            memberships,
            state: Mutex::new(state),
        }
    }

    /// The record as it is now; `None` while the client is not known yet.
    pub(crate) fn record(&self) -> Option<Arc<ClientRecord>> {
        self.state.lock().record.clone()
    }

    /// The client as users see it, with its groups only if `groups` are given.
    pub(crate) fn view(&self, groups: Option<&GroupSet>) -> Option<ClientView> {
        let mut state = self.state.lock();
        let State {
            record,
            membership,
            last_heartbeat_at,
            ..
        } = &mut *state;
        let record = record.clone()?;
        Some(ClientView {
            groups: groups
                .map(|groups| groups.membership(membership, &record).groups.clone())
                .unwrap_or_default(),
            record,
            last_heartbeat_at: *last_heartbeat_at,
        })
    }

    /// What it belongs to, and whether it is connected.
    pub(crate) fn membership(&self, groups: &GroupSet) -> Option<(Arc<Membership>, bool)> {
        let mut state = self.state.lock();
        let State {
            record, membership, ..
        } = &mut *state;
        let record = record.as_ref()?;
        let membership = groups.membership(membership, record);
        Some((membership, record.disconnected_at.is_none()))
    }

    /// Whether a user of these groups may access it: by its own list, or by that of a client group it belongs to.
    pub(crate) fn allows(&self, user_groups: &[String]) -> bool {
        let groups = self.memberships.current();
        let mut state = self.state.lock();
        let State {
            record, membership, ..
        } = &mut *state;
        let Some(record) = record.as_ref() else {
            return false;
        };
        let own = record.details.allowed_user_groups.as_deref();
        if groups.is_empty() {
            return access::may_access(user_groups, own, []);
        }
        let membership = groups.membership(membership, record);
        access::may_access(user_groups, own, [membership.allowed_user_groups.as_slice()])
    }

    pub(crate) fn heard(&self, at: DateTime<FixedOffset>) {
        self.state.lock().last_heartbeat_at = Some(at);
    }

    /// Changes the record, if there is one. Readers who hold the old one keep it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut ClientRecord) -> T) -> Option<T> {
        let mut state = self.state.lock();
        state.membership = None;
        state.record.as_mut().map(|record| change(Arc::make_mut(record)))
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
