//! Checks an agent's password, with waits and bans around it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Provider;
use crate::login::{Bans, Waits};

/// The check of agents' credentials. Source: wire-protocol.md 5.
pub(crate) struct Gate {
    provider: Arc<dyn Provider>,
    waits: Waits,
    bans: Bans,
}

impl Gate {
    pub(crate) fn new(provider: Arc<dyn Provider>, waits: Waits, bans: Bans) -> Self {
        Self { provider, waits, bans }
    }

    /// Whether nothing from this address is listened to.
    pub(crate) fn is_banned(&self, address: IpAddr) -> bool {
        self.bans.is_banned(address)
    }

    /// Whether the pair is right and neither the id nor the address has to wait.
    pub(crate) fn admits(&self, id: &str, password: &[u8], address: IpAddr) -> bool {
        if self.bans.is_banned(address) {
            return false;
        }
        // Within its wait an id fails unchecked and uncounted, so that retries do not prolong it.
        if self.waits.is_waiting(id) {
            tracing::debug!(client_auth.id = id, %address, "login refused, the client auth id has to wait");
            return false;
        }
        if self.provider.verify(id, password) {
            self.bans.succeeded(address);
            return true;
        }
        self.waits.failed(id);
        tracing::info!(client_auth.id = id, %address, "wrong client auth id or password");
        if let Some(until) = self.bans.failed(address) {
            tracing::warn!(%address, %until, "too many failed logins of agents, address banned");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use rport_runtime::{Clock, Secret};

    use super::*;
    use crate::client_auth::single::Single;
    use crate::options::BanOptions;

    fn gate() -> (Gate, Clock) {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let ban = BanOptions { max_failed: 2, duration: Duration::from_secs(3600) };
        let gate = Gate::new(
            Arc::new(Single::new("rport", Secret::from("s3cret"))),
            Waits::new(Duration::from_secs(2), clock.clone()),
            Bans::new(Some(ban), clock.clone()),
        );
        (gate, clock)
    }

    #[test]
    fn a_wrong_password_makes_the_id_wait_and_then_bans_the_address() {
        let (gate, clock) = gate();
        let address = IpAddr::from([203, 0, 113, 7]);
        assert!(gate.admits("rport", b"s3cret", address));
        assert!(!gate.admits("rport", b"wrong", address));
        assert!(!gate.admits("rport", b"s3cret", address), "has to wait");
        clock.advance(Duration::from_secs(3));
        assert!(!gate.admits("rport", b"wrong", address));
        clock.advance(Duration::from_secs(3));
        assert!(gate.is_banned(address) && !gate.admits("rport", b"s3cret", address));
        assert!(gate.admits("rport", b"s3cret", IpAddr::from([203, 0, 113, 8])));
    }
}
