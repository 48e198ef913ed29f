//! Tags and who carries them.

use crate::{
    ClientId,
    list::{FieldsSpec, ListSpec, SortSpec, Value},
};

/// Members of a tag in answers, in their order.
pub static CLIENT_TAG_FIELDS: FieldsSpec = FieldsSpec {
    resource: "client_tags",
    also: &[],
    all: &["tag", "client_ids"],
    default: &["tag", "client_ids"],
};

/// What `GET /client-tags` allows. Source: rest-api.md 4.2.
pub static CLIENT_TAG_LIST: ListSpec = ListSpec {
    default_limit: 50,
    max_limit: 500,
    sorts: &[],
    default_sort: &[SortSpec::ascending("tag")],
    single_sort: None,
    filters: &[],
    fields: Some(&CLIENT_TAG_FIELDS),
};

/// A tag and the clients that carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTag {
    /// The tag.
    pub tag: String,
    /// The clients, sorted.
    pub client_ids: Vec<ClientId>,
}

impl ClientTag {
    /// Gives the members lists sort and filter by; for [`crate::list::ListQuery::run`].
    pub fn field<'a>(&'a self, name: &str) -> Value<'a> {
        match name {
            "tag" => Value::Text(&self.tag),
            _ => Value::Null,
        }
    }
}
