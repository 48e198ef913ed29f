//! Which clients an order is for. Source: rest-api.md 13.2.

use std::collections::HashSet;
use std::sync::Arc;

use rport_domain::access::{access_denied, client_not_found};
use rport_domain::{ClientId, Error, JobTargets, TagOperator, TagTargets};

use crate::actor::Actor;
use crate::clients::{Client, Registry};

/// Checks which form of targets was used.
///
/// # Errors
/// `Invalid` in the words of the Go server.
fn check_form(targets: &JobTargets, tags_given: bool) -> Result<(), Error> {
    let named = !targets.client_ids.is_empty() || !targets.group_ids.is_empty();
    let tags_given = tags_given || targets.tags.is_some();
    if !named && !tags_given {
        return Err(Error::invalid("Missing targeting parameters."));
    }
    if named && tags_given {
        return Err(Error::invalid("Multiple targeting parameters."));
    }
    let tags = targets.tags.as_ref().map(|tags| tags.tags.as_slice());
    if tags_given && tags.unwrap_or_default().is_empty() {
        return Err(Error::invalid("No tags specified."));
    }
    Ok(())
}

/// Finds the clients: ids as given, then members of groups; or those with the tags. Each comes once, connected or not.
///
/// # Errors
/// `Invalid`, `NotFound` in the words of the Go server; `Forbidden`, naming all clients the actor may not access.
pub(super) fn resolve(
    registry: &Registry,
    actor: &Actor,
    targets: &JobTargets,
    tags_given: bool,
) -> Result<Vec<Arc<Client>>, Error> {
    check_form(targets, tags_given)?;
    let clients = match &targets.tags {
        Some(tags) => tagged(registry, tags),
        None => named(registry, targets)?,
    };
    if clients.is_empty() {
        return Err(Error::invalid("at least 1 client should be specified"));
    }
    let denied: Vec<&ClientId> = clients
        .iter()
        .filter(|client| !actor.may_access(client))
        .map(|client| &client.id)
        .collect();
    if !denied.is_empty() {
        return Err(access_denied(denied));
    }
    Ok(clients)
}

fn named(registry: &Registry, targets: &JobTargets) -> Result<Vec<Arc<Client>>, Error> {
    let mut seen = HashSet::new();
    let mut clients = Vec::new();
    for id in &targets.client_ids {
        let known = registry.find(id).filter(|client| client.record().is_some());
        let client = known.ok_or_else(|| client_not_found(id))?;
        if seen.insert(client.id.clone()) {
            clients.push(client);
        }
    }
    if targets.group_ids.is_empty() {
        return Ok(clients);
    }
    let groups = registry.groups();
    if let Some(unknown) = targets.group_ids.iter().find(|id| groups.get(id).is_none()) {
        return Err(Error::invalid(format!("Unknown group with id=\"{unknown}\".")));
    }
    for client in registry.known().iter() {
        let Some((membership, _)) = client.membership(&groups) else {
            continue;
        };
        let is_member = targets
            .group_ids
            .iter()
            .any(|id| membership.groups.iter().any(|group| group == id.as_str()));
        if is_member && seen.insert(client.id.clone()) {
            clients.push(client.clone());
        }
    }
    if clients.is_empty() {
        return Err(Error::invalid(
            "no active clients belong to the selected group(s)",
        ));
    }
    Ok(clients)
}

fn tagged(registry: &Registry, wanted: &TagTargets) -> Vec<Arc<Client>> {
    let has_them = |client: &Client| {
        let Some(record) = client.record() else {
            return false;
        };
        let own = record.details.tags.as_deref().unwrap_or_default();
        let has = |tag: &String| own.contains(tag);
        match wanted.operator {
            TagOperator::Or => wanted.tags.iter().any(has),
            TagOperator::And => wanted.tags.iter().all(has),
        }
    };
    let known = registry.known();
    known.iter().filter(|client| has_them(client)).cloned().collect()
}
