//! Putting together what administrators see.

use std::collections::HashMap;

use rport_domain::list::Value;
use rport_domain::{ClientAuthId, ClientRecord, ListQuery, Page};

use super::provider::Pair;
use super::requests::{ClientAuthChange, NewPassword};
use crate::clients::Registry;

/// How many clients belong to credentials.
#[derive(Default)]
pub(super) struct Bound {
    counts: HashMap<ClientAuthId, (usize, usize)>,
}

impl Bound {
    /// All clients of an id.
    pub(super) fn bound(&self, id: &ClientAuthId) -> usize {
        self.counts.get(id).map_or(0, |(bound, _)| *bound)
    }

    /// Those that are connected.
    pub(super) fn connected(&self, id: &ClientAuthId) -> usize {
        self.counts.get(id).map_or(0, |(_, connected)| *connected)
    }

    fn count(registry: &Registry, wanted: impl Fn(&ClientRecord) -> bool) -> Self {
        let mut bound = Self::default();
        for record in registry
            .all()
            .iter()
            .filter_map(|client| client.record())
            .filter(|record| wanted(record))
        {
            let (all, connected) = bound.counts.entry(record.client_auth_id.clone()).or_default();
            *all += 1;
            *connected += usize::from(record.disconnected_at.is_none());
        }
        bound
    }
}

pub(super) fn count_bound(registry: &Registry) -> Bound {
    Bound::count(registry, |_| true)
}

pub(super) fn count_bound_to(registry: &Registry, id: &ClientAuthId) -> Bound {
    Bound::count(registry, |record| record.client_auth_id == *id)
}

/// Filters, sorts and cuts. Not by the engine for lists, which sorts without regard to case: ids that differ only in
/// case are different, and a page must not show one of them twice.
pub(super) fn page(mut pairs: Vec<Pair>, query: &ListQuery) -> Page<Pair> {
    if !query.filters.is_empty() {
        pairs.retain(|pair| query.accepts(pair, field));
    }
    let total = pairs.len();
    pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    if query.sorts.first().is_some_and(|sort| sort.descending) {
        pairs.reverse();
    }
    let items = pairs.into_iter().skip(query.offset).take(query.limit).collect();
    Page { items, total }
}

fn field<'a>((id, _): &'a Pair, _name: &str) -> Value<'a> {
    Value::Text(id.as_str())
}

/// A change as the audit log shows it: what was asked for, without any password.
pub(super) fn audit_of(change: &ClientAuthChange) -> serde_json::Value {
    let mut request = serde_json::Map::new();
    let mut note = |name: &str, value: serde_json::Value| request.insert(name.to_owned(), value);
    match &change.password {
        Some(NewPassword::Given(_)) => drop(note("password", "***".into())),
        Some(NewPassword::Generated) => drop(note("generate", true.into())),
        None => {}
    }
    if let Some(grace) = change.grace {
        note("grace_seconds", grace.as_secs().into());
    }
    if let Some(comment) = &change.comment {
        note("comment", comment.as_str().into());
    }
    if let Some(expires_at) = &change.expires_at {
        note(
            "expires_at",
            expires_at.map_or(serde_json::Value::Null, |at| at.to_rfc3339().into()),
        );
    }
    if let Some(disabled) = change.disabled {
        note("disabled", disabled.into());
    }
    if change.force {
        note("force", true.into());
    }
    serde_json::Value::Object(request)
}
