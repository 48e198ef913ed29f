//! Checks an agent's password, with waits and bans around it.

use std::net::IpAddr;

use super::{ClientAuths, Verdict};
use crate::login::{Bans, Waits};

/// The check of agents' credentials. Source: wire-protocol.md 5.
pub(crate) struct Gate {
    client_auth: ClientAuths,
    waits: Waits,
    bans: Bans,
}

impl Gate {
    pub(crate) fn new(client_auth: ClientAuths, waits: Waits, bans: Bans) -> Self {
        Self {
            client_auth,
            waits,
            bans,
        }
    }

    /// Whether nothing from this address is listened to.
    pub(crate) fn is_banned(&self, address: IpAddr) -> bool {
        self.bans.is_banned(address)
    }

    /// Whether the pair is right and neither the id nor the address has to wait.
    pub(crate) async fn admits(&self, id: &str, password: &[u8], address: IpAddr) -> bool {
        if self.bans.is_banned(address) {
            return false;
        }
        // Within its wait an id fails unchecked and uncounted, so that retries do not prolong it.
        if self.waits.is_waiting(id) {
            tracing::debug!(client_auth.id = id, %address, "login refused, the client auth id has to wait");
            return false;
        }
        match self.client_auth.check(id, password).await {
            Verdict::Right => {
                self.bans.succeeded(address);
                true
            }
            Verdict::Wrong => {
                self.waits.failed(id);
                tracing::info!(client_auth.id = id, %address, "wrong client auth id or password");
                if let Some(until) = self.bans.failed(address) {
                    tracing::warn!(%address, %until, "too many failed logins of agents, address banned");
                }
                false
            }
            Verdict::Unusable(why) => {
                // Nobody is guessing here. A ban would hit the other agents behind the same address.
                self.waits.failed(id);
                tracing::info!(client_auth.id = id, %address, "login refused, the client auth is {why}");
                false
            }
            Verdict::Unknown(cause) => {
                // Neither counted nor made to wait: the agent has done nothing wrong.
                tracing::debug!(client_auth.id = id, %address, cause, "login refused, the client auth cannot be checked");
                false
            }
        }
    }
}
