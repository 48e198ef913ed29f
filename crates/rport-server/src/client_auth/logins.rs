//! Which connections came in with which credentials, from their login to their very end.
//!
//! What is revoked has to be gone: connections that are clients, connections that are on their way to become one, and
//! whatever they left in the registry. A connection enters here when its session begins and is looked at once more
//! right after ([`super::ClientAuths::is_usable`]), so none slips through between its login and a revocation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rport_domain::ClientAuthId;
use rport_transport::Connection;
use tokio::sync::Notify;

/// The connections of all credentials. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Logins {
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    entries: Mutex<Entries>,
    /// Told whenever somebody leaves.
    left: Notify,
}

#[derive(Default)]
struct Entries {
    next: u64,
    by_id: HashMap<ClientAuthId, HashMap<u64, Connection>>,
}

/// A connection's entry, given back when dropped: after everything of the connection is cleaned up.
pub(crate) struct Entered {
    table: Arc<Table>,
    id: ClientAuthId,
    number: u64,
}

impl Logins {
    /// Notes a connection until the entry is dropped.
    pub(crate) fn enter(&self, id: &ClientAuthId, connection: &Connection) -> Entered {
        let mut entries = self.table.entries.lock();
        let number = entries.next;
        entries.next += 1;
        entries
            .by_id
            .entry(id.clone())
            .or_default()
            .insert(number, connection.clone());
        Entered {
            table: self.table.clone(),
            id: id.clone(),
            number,
        }
    }

    /// The credentials somebody is logged in with.
    pub(crate) fn ids(&self) -> Vec<ClientAuthId> {
        self.table.entries.lock().by_id.keys().cloned().collect()
    }

    /// Closes all connections of these credentials; returns how many there were.
    pub(crate) fn close_all(&self, id: &ClientAuthId) -> usize {
        // Told outside the lock: closing may do more than set a flag.
        let connections: Vec<Connection> = {
            let entries = self.table.entries.lock();
            entries
                .by_id
                .get(id)
                .into_iter()
                .flat_map(|connections| connections.values().cloned())
                .collect()
        };
        for connection in &connections {
            connection.close();
        }
        connections.len()
    }

    /// Waits until nobody is left with these credentials; `false` if that takes longer than `limit`.
    pub(crate) async fn gone(&self, id: &ClientAuthId, limit: Duration) -> bool {
        let gone = async {
            loop {
                let left = self.table.left.notified();
                tokio::pin!(left);
                left.as_mut().enable();
                if !self.table.entries.lock().by_id.contains_key(id) {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(limit, gone).await.is_ok()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut entries = self.table.entries.lock();
        if let Some(connections) = entries.by_id.get_mut(&self.id) {
            connections.remove(&self.number);
            if connections.is_empty() {
                entries.by_id.remove(&self.id);
            }
        }
        drop(entries);
        self.table.left.notify_waiters();
    }
}
