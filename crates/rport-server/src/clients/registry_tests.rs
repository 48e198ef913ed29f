//! Seats without connections cannot be made, so the registry's seats are tested through whole connections in
//! `crate::tests::agents`. Here: records and counts.

use rport_domain::{ClientDetails, ClientRecord};
use rport_store::{Store, StoreOptions};

use super::*;

fn record(id: &str, auth: &str) -> ClientRecord {
    ClientRecord {
        id: id.into(),
        client_auth_id: auth.into(),
        disconnected_at: Some(chrono::DateTime::UNIX_EPOCH.fixed_offset()),
        details: ClientDetails::default(),
    }
}

fn registry(records: Vec<ClientRecord>, exclusive: bool) -> (Registry, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&StoreOptions {
        data_dir: directory.path().to_owned(),
        wal: true,
    })
    .expect("opens");
    (
        Registry::new(store.clients().clone(), records, exclusive, Arc::default()),
        directory,
    )
}

#[test]
fn users_of_a_client_auth_id_are_known_where_it_matters() {
    let records = || vec![record("c1", "one"), record("c2", "two")];
    let (registry, _directory) = registry(records(), true);
    let other = |client: &str| registry.has_other_user(&"one".into(), &client.into(), |_| true);
    assert!(!other("c1") && other("c2") && other("c3"));
    assert!(!registry.has_other_user(&"one".into(), &"c2".into(), |_| false));
    let client = registry.find(&"c1".into()).expect("known");
    assert!(registry.remove(&client) && !registry.has_other_user(&"one".into(), &"c2".into(), |_| true));
    assert_eq!(registry.counts(), (0, 1));

    let (shared, _directory) = self::registry(records(), false);
    assert!(!shared.has_other_user(&"one".into(), &"c2".into(), |_| true));
}

#[tokio::test]
async fn saving_writes_what_the_registry_says_now() {
    let (registry, directory) = registry(vec![record("c1", "one")], false);
    let registry = Arc::new(registry);
    let rows = || {
        let file = rusqlite::Connection::open(directory.path().join("clients.db")).expect("opens");
        file.query_row("SELECT COUNT(*) FROM clients", [], |row| row.get::<_, i64>(0))
            .expect("counts")
    };
    registry.save(&"c1".into()).await.expect("saves");
    assert_eq!(rows(), 1);
    registry.remove(&registry.find(&"c1".into()).expect("known"));
    registry.save(&"c1".into()).await.expect("deletes");
    assert_eq!(rows(), 0);
}

#[test]
fn known_clients_come_sorted_and_go_when_removed() {
    let records = ["b", "C", "a"].map(|id| record(id, "one")).to_vec();
    let (registry, _directory) = registry(records, false);
    let ids = || -> Vec<String> {
        registry
            .known()
            .iter()
            .map(|client| client.id.to_string())
            .collect()
    };
    assert_eq!(ids(), ["a", "b", "C"]);
    assert!(Arc::ptr_eq(&registry.known(), &registry.known()), "made once");
    // One that is only knocking has no record and is not listed.
    registry.find_or_insert(&"d".into());
    assert_eq!(ids(), ["a", "b", "C"]);
    assert!(registry.remove(&registry.find(&"b".into()).expect("known")));
    assert_eq!(ids(), ["a", "C"]);
}

#[test]
fn access_follows_the_record_and_the_groups() {
    let (registry, _directory) = registry(vec![record("web", "one")], false);
    let client = registry.find(&"web".into()).expect("known");
    let ops = ["ops".to_owned()];
    assert!(!client.allows(&ops));
    let group = |allowed: &str| rport_domain::ClientGroup {
        id: "g".into(),
        description: String::new(),
        params: rport_domain::ClientGroupParams::from_json(&serde_json::json!({ "tag": ["prod"] }))
            .expect("valid"),
        allowed_user_groups: Some(vec![allowed.to_owned()]),
    };
    registry.memberships.put(group("ops"));
    assert!(!client.allows(&ops), "it has no such tag");
    client.update(|record| record.details.tags = Some(vec!["Prod".into()]));
    assert!(client.allows(&ops));
    registry.memberships.put(group("dev"));
    assert!(!client.allows(&ops));
    client.update(|record| record.details.allowed_user_groups = Some(ops.to_vec()));
    assert!(client.allows(&ops), "by its own list");
}
