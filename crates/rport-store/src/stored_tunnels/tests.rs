use chrono::DateTime;
use rport_domain::STORED_TUNNEL_LIST;
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::{Store, StoreOptions};

fn open(directory: &std::path::Path) -> Store {
    let options = StoreOptions {
        data_dir: directory.to_owned(),
        wal: true,
    };
    Store::open(&options).expect("the store opens")
}

/// What the Go server leaves: three versions of the schema, and rows as it writes them.
fn write_go_file(directory: &std::path::Path) {
    let connection = Connection::open(directory.join("clients.db")).expect("opens");
    connection
        .execute_batch(
            r#"
            PRAGMA foreign_keys = OFF;
            CREATE TABLE schema_migrations (version uint64,dirty bool);
            CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
            INSERT INTO schema_migrations VALUES (3, 'false');
            CREATE TABLE clients (id TEXT PRIMARY KEY NOT NULL, client_auth_id TEXT NOT NULL,
                disconnected_at DATETIME, details TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE stored_tunnels (id TEXT PRIMARY KEY NOT NULL,
                client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE, created_at DATETIME, name TEXT,
                scheme TEXT, remote_ip TEXT, remote_port NUMBER, acl TEXT, public_port NUMBER, further_options TEXT);
            INSERT INTO stored_tunnels VALUES
                ('0d7ac5b5-6e4b-4a55-9f3a-0ed7b1a2c3d4', 'c1', '2023-05-04 10:11:12.131415161+00:00', 'ssh <root>',
                 'ssh', '127.0.0.1', 22, '10.0.0.0/8', 2222, '{"http_proxy":true,"n":1}'),
                ('old', 'c1', '2022-01-02 03:04:05+02:00', 'rdp', NULL, NULL, 3389, NULL, NULL, NULL),
                ('bare', 'c1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'no json'),
                ('foreign', 'c2', '2022-01-02 03:04:05+02:00', 'x', NULL, NULL, 1, NULL, NULL, NULL);
            "#,
        )
        .expect("the fixture is valid");
}

async fn ids(store: &Store, query: &[(&str, &str)]) -> Vec<String> {
    let query = ListQuery::parse(query, &STORED_TUNNEL_LIST).expect("valid");
    let page = store.stored_tunnels().list(&"c1".into(), &query).await;
    page.expect("lists")
        .items
        .iter()
        .map(|tunnel| tunnel.id.to_string())
        .collect()
}

#[tokio::test]
async fn rows_of_the_go_server_are_read() {
    let directory = tempfile::tempdir().expect("a directory");
    write_go_file(directory.path());
    let store = open(directory.path());
    let first = "0d7ac5b5-6e4b-4a55-9f3a-0ed7b1a2c3d4";
    assert_eq!(ids(&store, &[]).await, [first, "old", "bare"]);
    assert_eq!(
        ids(&store, &[("sort", "-remote_port")]).await,
        ["old", first, "bare"]
    );
    assert_eq!(ids(&store, &[("filter[remote_port]", "3389")]).await, ["old"]);
    assert_eq!(ids(&store, &[("filter[scheme]", "")]).await, ["old", "bare"]);
    assert_eq!(ids(&store, &[("filter[*]", "SSH*")]).await, [first]);
    let found = store.stored_tunnels().find(&"c1".into(), &first.into()).await;
    let found = found.expect("reads").expect("present");
    assert_eq!(
        found.created_at,
        DateTime::parse_from_rfc3339("2023-05-04T10:11:12.131415161Z").expect("a time")
    );
    let definition = TunnelDefinition {
        name: "ssh <root>".into(),
        scheme: Some("ssh".into()),
        remote_ip: Some("127.0.0.1".into()),
        remote_port: Some(22),
        public_port: Some(2222),
        acl: Some("10.0.0.0/8".into()),
        further_options: Some(json!({ "http_proxy": true, "n": 1 })),
    };
    assert_eq!(found.definition, definition);
    let bare = store.stored_tunnels().find(&"c1".into(), &"bare".into()).await;
    let bare = bare.expect("reads").expect("present");
    assert_eq!(bare.definition, TunnelDefinition::default());
}

#[tokio::test]
async fn changes_touch_one_client_only_and_last() {
    let directory = tempfile::tempdir().expect("a directory");
    write_go_file(directory.path());
    let store = open(directory.path());
    let tunnels = store.stored_tunnels();
    let (client, other) = (ClientId::from("c1"), ClientId::from("c2"));
    let definition = TunnelDefinition {
        name: "new".into(),
        further_options: Some(json!("<&>")),
        ..TunnelDefinition::default()
    };
    let none = tunnels
        .replace(&client, &"foreign".into(), definition.clone())
        .await;
    assert_eq!(none.expect("runs"), None);
    assert!(!tunnels.delete(&client, &"foreign".into()).await.expect("runs"));
    let changed = tunnels.replace(&client, &"old".into(), definition.clone()).await;
    let changed = changed.expect("runs").expect("present");
    assert_eq!(changed.definition, definition);
    assert_eq!(changed.created_at.to_rfc3339(), "2022-01-02T03:04:05+02:00");
    let added = StoredTunnel {
        id: "new".into(),
        ..changed
    };
    assert!(tunnels.insert(&client, added.clone()).await.expect("adds"));
    assert!(tunnels.delete(&client, &"bare".into()).await.expect("deletes"));
    store.close().await;

    let connection = Connection::open(directory.path().join("clients.db")).expect("opens");
    let row: (String, Option<String>, String) = connection
        .query_row(
            "SELECT CAST(created_at AS TEXT), scheme, further_options FROM stored_tunnels WHERE id = 'new'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("a row");
    let expected = (
        "2022-01-02 03:04:05+02:00".to_owned(),
        None,
        r#""\u003c\u0026\u003e""#.to_owned(),
    );
    assert_eq!(row, expected);
    drop(connection);

    let store = open(directory.path());
    assert_eq!(
        store.stored_tunnels().delete_all(&client).await.expect("deletes"),
        3
    );
    let foreign = store.stored_tunnels().find(&other, &"foreign".into()).await;
    assert!(foreign.expect("reads").is_some());
}

#[tokio::test]
async fn a_client_has_room_for_so_many() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let client = ClientId::from("c1");
    for number in 0..=MAX_STORED_TUNNELS {
        let tunnel = StoredTunnel {
            id: number.to_string().into(),
            created_at: GoTime::zero().0,
            definition: TunnelDefinition::default(),
        };
        let added = store.stored_tunnels().insert(&client, tunnel).await;
        assert_eq!(added.expect("runs"), number < MAX_STORED_TUNNELS);
    }
}
