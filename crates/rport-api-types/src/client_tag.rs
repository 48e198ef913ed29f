//! Tags and who carries them.

use rport_domain::Fields;
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::ToSchema;

/// A tag with the members that were asked for.
#[derive(Debug, Clone)]
pub struct ClientTag {
    tag: rport_domain::ClientTag,
    fields: Fields,
}

impl ClientTag {
    /// Shows the wanted members of a tag.
    pub fn new(tag: rport_domain::ClientTag, fields: Fields) -> Self {
        Self { tag, fields }
    }
}

impl Serialize for ClientTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.fields.names() {
            match name {
                "tag" => map.serialize_entry(name, &self.tag.tag),
                "client_ids" => map.serialize_entry(name, &self.tag.client_ids),
                _ => Ok(()),
            }?;
        }
        map.end()
    }
}

/// A tag and the clients that carry it. Members that were not asked for are absent.
#[derive(ToSchema)]
#[schema(as = ClientTag)]
#[expect(
    dead_code,
    reason = "describes what ClientTag writes, for the OpenAPI document"
)]
pub struct ClientTagDocument {
    /// The tag.
    tag: Option<String>,
    /// The clients, sorted.
    client_ids: Option<Vec<String>>,
}
