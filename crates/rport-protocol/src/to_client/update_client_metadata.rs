//! Request `update_client_metadata`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::request::Request;

/// Replaces the attributes (tags and labels) the client keeps in its attributes file.
///
/// Wire: global request `update_client_metadata`, server to client, reply wanted, from 0.9.7 on. The agent reports
/// the new values at its next `new_connection`. Absent members are stored as `null`. Golden: `messages.json`. The
/// agent's attributes file has the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateClientMetadata {
    /// The new tags.
    pub tags: Option<Vec<String>>,
    /// The new labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Confirms the update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateClientMetadataReply {
    /// `OK`; Go servers do not look at it.
    pub status: String,
}

impl Request for UpdateClientMetadata {
    const NAME: &'static str = "update_client_metadata";
    type Reply = UpdateClientMetadataReply;
}
