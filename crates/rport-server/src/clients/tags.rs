//! The tags in use. Source: rest-api.md 10.3.

use std::collections::HashMap;

use rport_domain::{ClientTag, Error, ListQuery, Page};

use super::Clients;
use crate::actor::Actor;

impl Clients {
    /// The tags of the clients the actor may access, cut to a page. `query` was read with
    /// [`rport_domain::CLIENT_TAG_LIST`].
    ///
    /// # Errors
    /// None at present; a list of nothing is a list.
    pub fn tags(&self, actor: &Actor, query: &ListQuery) -> Result<Page<ClientTag>, Error> {
        let admin = actor.is_admin();
        let mut tags: HashMap<String, Vec<_>> = HashMap::new();
        for client in self.inner.registry.known().iter() {
            let Some(record) = client.record() else { continue };
            let Some(own) = record.details.tags.as_deref().filter(|own| !own.is_empty()) else {
                continue;
            };
            if !admin && !actor.may_access(client) {
                continue;
            }
            for tag in own {
                let clients = match tags.get_mut(tag) {
                    Some(clients) => clients,
                    None => tags.entry(tag.clone()).or_default(),
                };
                // An agent may name a tag twice; its client comes once.
                if clients.last() != Some(&client.id) {
                    clients.push(client.id.clone());
                }
            }
        }
        let mut tags: Vec<ClientTag> = tags
            .into_iter()
            .map(|(tag, mut client_ids)| {
                client_ids.sort_unstable();
                ClientTag { tag, client_ids }
            })
            .collect();
        // Tags that differ in case only are different: an order without regard to case could show one of them twice.
        tags.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
        Ok(query.run_sorted(tags, ClientTag::field))
    }
}
