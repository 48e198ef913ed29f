//! A client group as callers see it.

use crate::{ClientGroup, ClientId, list::Value};

/// A client group and those of its clients that a caller may see.
#[derive(Debug, Clone)]
pub struct ClientGroupView {
    /// The group.
    pub group: ClientGroup,
    /// Its clients, sorted. May be left empty when the query does not need them.
    pub client_ids: Vec<ClientId>,
    /// How many of them are connected.
    pub connected: usize,
}

impl ClientGroupView {
    /// Gives the members lists sort and filter by; for [`crate::list::ListQuery::run`].
    pub fn field<'a>(&'a self, name: &str) -> Value<'a> {
        match name {
            "id" => Value::Text(self.group.id.as_str()),
            "description" => Value::Text(&self.group.description),
            _ => Value::Null,
        }
    }
}
