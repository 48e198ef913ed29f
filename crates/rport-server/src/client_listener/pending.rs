//! Connections that have not authenticated yet, oldest first.
//!
//! Before the login a peer costs memory and a file descriptor without having shown anything. There may be only so
//! many of them, in total and per address; one more drops the oldest. An agent that works is through in well under a
//! second, so it is the silent ones that are dropped, and accepting never stops.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::login::subscriber;

/// The table of pending connections.
pub(crate) struct Pending {
    max_total: usize,
    max_per_ip: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    by_age: BTreeMap<u64, (IpAddr, CancellationToken)>,
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
}

/// A place in the table, given back when dropped.
pub(crate) struct Ticket {
    pending: Arc<Pending>,
    number: u64,
    dropped: CancellationToken,
}

impl Pending {
    pub(crate) fn new(max_total: usize, max_per_ip: usize) -> Arc<Self> {
        Arc::new(Self {
            max_total: max_total.max(1),
            max_per_ip: max_per_ip.max(1),
            table: Mutex::default(),
        })
    }

    /// Takes a place, dropping the oldest connection if there is none left.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Ticket {
        let address = subscriber(address);
        let dropped = CancellationToken::new();
        let mut table = self.table.lock();
        let mut evicted = Vec::new();
        let oldest_here = table
            .by_address
            .get(&address)
            .filter(|numbers| numbers.len() >= self.max_per_ip);
        if let Some(oldest) = oldest_here.and_then(BTreeSet::first).copied() {
            evicted.extend(table.remove(oldest));
        }
        if table.by_age.len() >= self.max_total {
            let oldest = table.by_age.keys().next().copied();
            evicted.extend(oldest.and_then(|oldest| table.remove(oldest)));
        }
        let number = table.next;
        table.next += 1;
        table.by_age.insert(number, (address, dropped.clone()));
        table.by_address.entry(address).or_default().insert(number);
        drop(table);
        for (address, token) in evicted {
            tracing::debug!(%address, "too many unauthenticated connections, the oldest is dropped");
            token.cancel();
        }
        Ticket {
            pending: self.clone(),
            number,
            dropped,
        }
    }

    /// Drops the oldest connection, for instance because the process has run out of file descriptors.
    pub(crate) fn drop_oldest(&self) {
        let mut table = self.table.lock();
        let oldest = table.by_age.keys().next().copied();
        let evicted = oldest.and_then(|oldest| table.remove(oldest));
        drop(table);
        if let Some((_, token)) = evicted {
            token.cancel();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table.lock().by_age.len()
    }
}

impl Table {
    fn remove(&mut self, number: u64) -> Option<(IpAddr, CancellationToken)> {
        let (address, token) = self.by_age.remove(&number)?;
        if let Some(numbers) = self.by_address.get_mut(&address) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_address.remove(&address);
            }
        }
        Some((address, token))
    }
}

impl Ticket {
    /// Waits until this connection has to make room for another.
    pub(crate) async fn evicted(&self) {
        self.dropped.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pending.table.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[test]
    fn the_oldest_makes_room() {
        let pending = Pending::new(3, 2);
        let first = pending.enter(ip(1));
        let second = pending.enter(ip(1));
        let third = pending.enter(ip(1));
        assert!(first.dropped.is_cancelled() && !second.dropped.is_cancelled());
        let fourth = pending.enter(ip(2));
        let fifth = pending.enter(ip(3));
        assert!(second.dropped.is_cancelled() && !third.dropped.is_cancelled());
        pending.drop_oldest();
        assert!(third.dropped.is_cancelled() && !fourth.dropped.is_cancelled());
        drop((first, second, third, fourth, fifth));
        assert_eq!(pending.len(), 0);
        assert!(pending.table.lock().by_address.is_empty());
    }
}
