//! What the listeners and the handle of a tunnel share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, counter, gauge};
use parking_lot::RwLock;
use rport_domain::TunnelAcl;

use crate::activity::{Activity, OpenGuard};
use crate::metrics_names::{BYTES_TOTAL, DROPPED_TOTAL, REFUSED_TOTAL, VISITORS, VISITORS_TOTAL};

/// Figures of one tunnel since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelStats {
    /// TCP connections accepted, refused ones included.
    pub visitors: u64,
    /// Connections closed and datagrams dropped because of the ACL.
    pub denied: u64,
    /// Connections closed because too many were open.
    pub over_limit: u64,
    /// Connections closed because the client did not open a channel.
    pub not_dialled: u64,
    /// Bytes sent to the client. TCP connections count when they end.
    pub bytes_to_client: u64,
    /// Bytes received from the client. TCP connections count when they end.
    pub bytes_from_client: u64,
    /// Datagrams lost for another reason than the ACL.
    pub datagrams_dropped: u64,
}

/// Shared by the tasks of one tunnel.
#[derive(Debug)]
pub(crate) struct State {
    /// Names the tunnel in log lines.
    pub(crate) label: String,
    acl: RwLock<Option<Arc<TunnelAcl>>>,
    activity: Activity,
    visitors: AtomicU64,
    denied: AtomicU64,
    over_limit: AtomicU64,
    not_dialled: AtomicU64,
    to_client: AtomicU64,
    from_client: AtomicU64,
    dropped: AtomicU64,
    meters: Meters,
}

/// Metric handles, looked up once per tunnel instead of once per datagram.
struct Meters {
    open: Gauge,
    visitors: Counter,
    to_client: Counter,
    from_client: Counter,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

/// Why a datagram was not carried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    /// The queue towards the client was full.
    Queue,
    /// The client named an address that never wrote to this tunnel.
    Address,
    /// The operating system refused to send.
    Send,
}

impl State {
    pub(crate) fn new(label: String, acl: Option<TunnelAcl>) -> Self {
        Self {
            label,
            acl: RwLock::new(acl.map(Arc::new)),
            activity: Activity::new(),
            visitors: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            over_limit: AtomicU64::new(0),
            not_dialled: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            from_client: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            meters: Meters {
                open: gauge!(VISITORS),
                visitors: counter!(VISITORS_TOTAL),
                to_client: counter!(BYTES_TOTAL, "direction" => "to_client"),
                from_client: counter!(BYTES_TOTAL, "direction" => "from_client"),
            },
        }
    }

    pub(crate) fn set_acl(&self, acl: Option<TunnelAcl>) {
        *self.acl.write() = acl.map(Arc::new);
    }

    pub(crate) fn acl(&self) -> Option<Arc<TunnelAcl>> {
        self.acl.read().clone()
    }

    /// Whether the ACL lets `peer` in. A peer seen by a dual-stack socket counts with its IPv4 address.
    pub(crate) fn allows(&self, peer: IpAddr) -> bool {
        self.acl
            .read()
            .as_ref()
            .is_none_or(|acl| acl.allows(peer.to_canonical()))
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(crate) fn visitor_came(&self) {
        self.visitors.fetch_add(1, Ordering::Relaxed);
        self.meters.visitors.increment(1);
    }

    pub(crate) fn visitor_denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
        counter!(REFUSED_TOTAL, "reason" => "acl").increment(1);
    }

    pub(crate) fn visitor_over_limit(&self) {
        self.over_limit.fetch_add(1, Ordering::Relaxed);
        counter!(REFUSED_TOTAL, "reason" => "full").increment(1);
    }

    pub(crate) fn visitor_not_dialled(&self) {
        self.not_dialled.fetch_add(1, Ordering::Relaxed);
        counter!(REFUSED_TOTAL, "reason" => "client").increment(1);
    }

    pub(crate) fn datagram_denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
        counter!(DROPPED_TOTAL, "reason" => "acl").increment(1);
    }

    pub(crate) fn datagram_dropped(&self, why: Dropped) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let reason = match why {
            Dropped::Queue => "queue",
            Dropped::Address => "address",
            Dropped::Send => "send",
        };
        counter!(DROPPED_TOTAL, "reason" => reason).increment(1);
    }

    pub(crate) fn sent_to_client(&self, bytes: u64) {
        self.to_client.fetch_add(bytes, Ordering::Relaxed);
        self.meters.to_client.increment(bytes);
    }

    pub(crate) fn received_from_client(&self, bytes: u64) {
        self.from_client.fetch_add(bytes, Ordering::Relaxed);
        self.meters.from_client.increment(bytes);
    }

    pub(crate) fn stats(&self) -> TunnelStats {
        TunnelStats {
            visitors: self.visitors.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
            over_limit: self.over_limit.load(Ordering::Relaxed),
            not_dialled: self.not_dialled.load(Ordering::Relaxed),
            bytes_to_client: self.to_client.load(Ordering::Relaxed),
            bytes_from_client: self.from_client.load(Ordering::Relaxed),
            datagrams_dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// Counts one TCP connection as open, for the idle timer, the limit and the gauge.
pub(crate) struct OpenVisitor {
    guard: OpenGuard<Shared>,
}

/// A state that many tasks hold.
#[derive(Clone, Debug)]
pub(crate) struct Shared(pub(crate) Arc<State>);

impl AsRef<Activity> for Shared {
    fn as_ref(&self) -> &Activity {
        &self.0.activity
    }
}

impl OpenVisitor {
    /// Counts a visitor in, unless `limit` are open already.
    pub(crate) fn enter(state: &Arc<State>, limit: usize) -> Option<Self> {
        let guard = Activity::enter(Shared(Arc::clone(state)), limit)?;
        state.meters.open.increment(1.0);
        Some(Self { guard })
    }

    pub(crate) fn state(&self) -> &State {
        &self.guard.owner().0
    }
}

impl Drop for OpenVisitor {
    fn drop(&mut self) {
        self.state().meters.open.decrement(1.0);
    }
}
