//! A running tunnel as it is stored and shown.

use rport_protocol::{GoTime, Remote};
use serde::{Deserialize, Serialize};

use crate::TunnelId;

/// A running tunnel, or one that ran when its client went away.
///
/// Source: storage notes, section 5.1. The JSON has the members of the remote between `id` and `created_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunnelRecord {
    /// Its number among the tunnels of the client.
    pub id: TunnelId,
    /// Where it listens, where it leads, and its options.
    #[serde(flatten)]
    pub remote: Remote,
    /// When it was opened.
    #[serde(default)]
    pub created_at: GoTime,
}
