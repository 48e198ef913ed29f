//! Tags and labels of a client.

use std::collections::BTreeMap;

use rport_domain::Attributes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tags and labels of a client. In a change, what is missing becomes null.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientAttributes {
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

impl From<Attributes> for ClientAttributes {
    fn from(Attributes { tags, labels }: Attributes) -> Self {
        Self { tags, labels }
    }
}

impl From<ClientAttributes> for Attributes {
    fn from(ClientAttributes { tags, labels }: ClientAttributes) -> Self {
        Self { tags, labels }
    }
}
