//! The client as the server knows it.

use std::fmt;

use chrono::{DateTime, FixedOffset};
use rport_protocol::to_server::NewConnection;

use crate::{ClientAuthId, ClientDetails, ClientId};

/// What the server keeps about a client, connected or not. One row of the table `clients`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientRecord {
    /// Its id.
    pub id: ClientId,
    /// The credentials it connected with.
    pub client_auth_id: ClientAuthId,
    /// When the link ended; none while connected.
    pub disconnected_at: Option<DateTime<FixedOffset>>,
    /// Everything else.
    pub details: ClientDetails,
}

impl ClientRecord {
    /// Makes the record of a client that connects for the first time, with no tunnels yet.
    pub fn new(id: ClientId, client_auth_id: ClientAuthId, request: NewConnection, address: &str) -> Self {
        let mut details = ClientDetails::default();
        details.describe(request, address);
        Self {
            id,
            client_auth_id,
            disconnected_at: None,
            details,
        }
    }

    /// Brings the record up to date when the client connects again: everything the agent says about its machine is
    /// replaced, the tunnels are cleared (take what shall be re-opened before), and what the server knows by itself
    /// (access list, updates status, public addresses) stays.
    pub fn reconnected(&mut self, client_auth_id: ClientAuthId, request: NewConnection, address: &str) {
        self.client_auth_id = client_auth_id;
        self.disconnected_at = None;
        self.details.tunnels.clear();
        self.details.describe(request, address);
    }

    /// Tells whether the client is connected.
    pub fn connection_state(&self) -> ConnectionState {
        if self.disconnected_at.is_none() {
            ConnectionState::Connected
        } else {
            ConnectionState::Disconnected
        }
    }
}

/// Whether a client has a link to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// It has.
    Connected,
    /// It has not.
    Disconnected,
}

impl ConnectionState {
    /// Returns the word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
