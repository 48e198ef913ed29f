//! Which groups a client belongs to.
//!
//! Nothing is computed when a client or a group changes. Each client remembers its membership until its record
//! changes; a change of groups makes a new [`GroupSet`] with a new number, and what was computed from an older one
//! does not count any more. So a fleet that reconnects costs nothing, and a list computes what it needs once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rport_domain::{ClientGroup, ClientGroupId, ClientGroupMatcher, ClientRecord};

/// All groups, as everybody sees them at present.
#[derive(Default)]
pub(crate) struct Memberships {
    current: ArcSwap<GroupSet>,
}

impl Memberships {
    pub(crate) fn new(groups: Vec<ClientGroup>) -> Self {
        let groups = groups
            .into_iter()
            .map(|group| (group.id.clone(), Known::new(group)));
        Self {
            current: ArcSwap::from_pointee(GroupSet {
                groups: groups.collect(),
                ..GroupSet::default()
            }),
        }
    }

    /// The groups of this moment. Cheap; a holder keeps them.
    pub(crate) fn current(&self) -> Arc<GroupSet> {
        self.current.load_full()
    }

    /// Adds a group or replaces the one of this id. Only one caller at a time may change groups.
    pub(crate) fn put(&self, group: ClientGroup) {
        self.change(|groups| {
            groups.insert(group.id.clone(), Known::new(group));
        });
    }

    /// Forgets a group. Only one caller at a time may change groups.
    pub(crate) fn remove(&self, id: &ClientGroupId) {
        self.change(|groups| {
            groups.remove(id);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<ClientGroupId, Arc<Known>>)) {
        let current = self.current();
        let mut groups = current.groups.clone();
        change(&mut groups);
        let generation = current.generation + 1;
        self.current.store(Arc::new(GroupSet {
            generation,
            groups,
            nothing: Arc::new(Membership {
                generation,
                ..Membership::default()
            }),
        }));
    }
}

/// All groups of one moment, prepared for matching.
#[derive(Default)]
pub(crate) struct GroupSet {
    generation: u64,
    groups: BTreeMap<ClientGroupId, Arc<Known>>,
    /// What most clients belong to.
    nothing: Arc<Membership>,
}

struct Known {
    group: ClientGroup,
    matcher: ClientGroupMatcher,
}

impl Known {
    fn new(group: ClientGroup) -> Arc<Self> {
        Arc::new(Self {
            matcher: ClientGroupMatcher::new(&group.params),
            group,
        })
    }
}

impl GroupSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(crate) fn get(&self, id: &ClientGroupId) -> Option<&ClientGroup> {
        self.groups.get(id).map(|known| &known.group)
    }

    /// The groups, sorted by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClientGroup> {
        self.groups.values().map(|known| &known.group)
    }

    /// What `known` says if it still counts, else what the record says. Replaces `known` by the answer.
    pub(crate) fn membership(
        &self,
        known: &mut Option<Arc<Membership>>,
        record: &ClientRecord,
    ) -> Arc<Membership> {
        if let Some(known) = known.as_ref().filter(|known| known.generation == self.generation) {
            return known.clone();
        }
        let membership = self.compute(record);
        *known = Some(membership.clone());
        membership
    }

    fn compute(&self, record: &ClientRecord) -> Arc<Membership> {
        let mut groups = Vec::new();
        let mut allowed: Vec<String> = Vec::new();
        for known in self
            .groups
            .values()
            .filter(|known| known.matcher.contains(record))
        {
            groups.push(known.group.id.to_string());
            for group in known.group.allowed_user_groups.iter().flatten() {
                if !allowed.contains(group) {
                    allowed.push(group.clone());
                }
            }
        }
        if groups.is_empty() {
            return self.nothing.clone();
        }
        Arc::new(Membership {
            generation: self.generation,
            groups: groups.into(),
            allowed_user_groups: allowed,
        })
    }
}

/// What a client belongs to.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    generation: u64,
    /// The ids of its groups, sorted.
    pub(crate) groups: Arc<[String]>,
    /// Every user group that any of them allows.
    pub(crate) allowed_user_groups: Vec<String>,
}

#[cfg(test)]
mod tests {
    use rport_domain::{ClientDetails, ClientGroupParams};
    use serde_json::json;

    use super::*;

    fn group(id: &str, pattern: &str, allowed: &[&str]) -> ClientGroup {
        ClientGroup {
            id: id.into(),
            description: String::new(),
            params: ClientGroupParams::from_json(&json!({ "client_id": [pattern] })).expect("valid"),
            allowed_user_groups: Some(allowed.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn what_is_known_counts_until_the_groups_change() {
        let memberships = Memberships::new(vec![
            group("b", "web*", &["ops"]),
            group("a", "*", &["ops", "dev"]),
        ]);
        let record = ClientRecord {
            id: "web1".into(),
            client_auth_id: "rport".into(),
            disconnected_at: None,
            details: ClientDetails::default(),
        };
        let mut known = None;
        let first = memberships.current().membership(&mut known, &record);
        assert_eq!(*first.groups, ["a", "b"]);
        assert_eq!(first.allowed_user_groups, ["ops", "dev"]);
        let again = memberships.current().membership(&mut known, &record);
        assert!(Arc::ptr_eq(&first, &again), "computed once");

        memberships.remove(&"a".into());
        assert_eq!(
            *memberships.current().membership(&mut known, &record).groups,
            ["b"]
        );
        memberships.put(group("b", "db*", &[]));
        let none = memberships.current().membership(&mut known, &record);
        assert!(none.groups.is_empty() && none.allowed_user_groups.is_empty());
        let again = memberships.current().membership(&mut known, &record);
        assert!(Arc::ptr_eq(&none, &again), "nothing is remembered, too");
    }
}
