//! The files as a whole: formats of the Go server, safety of what was acknowledged, errors in words.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use rport_domain::{ApiSessionId, ClientAuthId, ClientDetails, ClientId, ClientRecord, UserName};
use rusqlite::Connection;

use crate::{ApiSession, Store, StoreErrorKind, StoreOptions};

fn options(directory: &Path) -> StoreOptions {
    StoreOptions {
        data_dir: directory.to_owned(),
        wal: true,
    }
}

fn open(directory: &Path) -> Store {
    Store::open(&options(directory)).expect("the store opens")
}

fn record(id: &str) -> ClientRecord {
    ClientRecord {
        id: ClientId::new(id),
        client_auth_id: ClientAuthId::new("rport"),
        disconnected_at: None,
        details: ClientDetails {
            name: format!("name of {id}"),
            ..ClientDetails::default()
        },
    }
}

/// `clients.db` at version 3 as the Go server leaves it, with rows of several ages.
fn write_go_clients(path: &Path) {
    let connection = Connection::open(path).expect("opens");
    connection
        .execute_batch(
            r#"
            PRAGMA journal_mode=WAL;
            CREATE TABLE schema_migrations (version uint64,dirty bool);
            CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
            INSERT INTO schema_migrations VALUES (3, 'false');
            CREATE TABLE clients (id TEXT PRIMARY KEY NOT NULL, client_auth_id TEXT NOT NULL,
                disconnected_at DATETIME, details TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE stored_tunnels (id TEXT PRIMARY KEY NOT NULL,
                client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE, created_at DATETIME, name TEXT,
                scheme TEXT, remote_ip TEXT, remote_port NUMBER, acl TEXT, public_port NUMBER, further_options TEXT);
            INSERT INTO clients VALUES
                ('connected', 'rport', NULL, '{"name":"a","tags":null,"tunnels":[]}'),
                ('nanos', 'rport', '2024-05-01 12:00:00.123456789+02:00', '{"name":"b","tunnels":null,"later":[1]}'),
                ('utc', 'rport', '2024-05-01 10:00:00+00:00', '{}'),
                ('bare', 'rport', '2024-05-01 10:00:00', '{}'),
                ('iso', 'rport', '2024-05-01T10:00:00Z', '{}'),
                ('seconds', 'rport', 1714557600, '{}'),
                ('nonsense', 'rport', 'yesterday', '{}'),
                ('broken', 'rport', NULL, '{"name":');
            INSERT INTO stored_tunnels (id, client_id, name) VALUES ('t1', 'connected', 'ssh');
            "#,
        )
        .expect("the fixture is valid");
}

#[tokio::test]
async fn a_go_servers_file_is_read_and_stays_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("clients.db");
    write_go_clients(&path);
    let store = open(directory.path());
    let mut records = store.clients().all().await.expect("reads");
    records.sort_by(|a, b| a.id.cmp(&b.id));
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(
        ids,
        ["bare", "connected", "iso", "nanos", "nonsense", "seconds", "utc"],
        "all but the broken row"
    );
    let noon = Utc
        .with_ymd_and_hms(2024, 5, 1, 10, 0, 0)
        .single()
        .expect("a time");
    let time = |id: &str| {
        let record = records
            .iter()
            .find(|record| record.id.as_str() == id)
            .expect("present");
        record.disconnected_at.map(|time| time.to_utc())
    };
    assert_eq!(time("connected"), None);
    assert_eq!(
        time("nanos").map(|time| time.timestamp_subsec_nanos()),
        Some(123_456_789)
    );
    for id in ["utc", "bare", "iso", "seconds"] {
        assert_eq!(time(id), Some(noon), "{id}");
    }
    assert!(
        time("nonsense").is_some_and(|time| time < noon),
        "unreadable times lie in the past"
    );

    // Write through it, and look at the file with other eyes.
    let mut changed = records
        .into_iter()
        .find(|record| record.id.as_str() == "nanos")
        .expect("present");
    changed.details.name = "<new>".into();
    store.clients().save(&changed).await.expect("saves");
    let mut connected = record("connected");
    connected.client_auth_id = ClientAuthId::new("other");
    store.clients().save(&connected).await.expect("saves");
    store.close().await;
    let connection = Connection::open(&path).expect("opens");
    let (version, dirty): (i64, String) = connection
        .query_row("SELECT version, dirty FROM schema_migrations", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("one row");
    assert_eq!((version, dirty.as_str()), (3, "false"));
    let (at, details): (String, String) = connection
        .query_row(
            "SELECT CAST(disconnected_at AS TEXT), details FROM clients WHERE id = 'nanos'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("one row");
    assert_eq!(at, "2024-05-01 12:00:00.123456789+02:00");
    assert!(
        details.contains(r#""name":"\u003cnew\u003e""#) && details.contains(r#""later":[1]"#),
        "{details}"
    );
    let tunnels: i64 = connection
        .query_row("SELECT COUNT(*) FROM stored_tunnels", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(
        tunnels, 1,
        "replacing a client must not take its stored tunnels along"
    );
    let rows: i64 = connection
        .query_row("SELECT COUNT(*) FROM clients", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(rows, 8, "the broken row is left alone");
}

#[tokio::test]
async fn a_new_file_has_the_go_servers_schema() {
    let directory = tempfile::tempdir().expect("a directory");
    open(directory.path()).close().await;
    let names = |file: &str| -> Vec<String> {
        let connection = Connection::open(directory.path().join(file)).expect("opens");
        let mut query = connection
            .prepare("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
            .expect("valid");
        query
            .query_map([], |row| row.get(0))
            .expect("runs")
            .collect::<Result<_, _>>()
            .expect("text")
    };
    assert_eq!(
        names("clients.db"),
        [
            "clients",
            "idx_disconnected_client",
            "idx_disconnected_time_client",
            "schema_migrations",
            "stored_tunnels",
            "version_unique"
        ]
    );
    assert_eq!(
        names("api_sessions.db"),
        [
            "api_sessions",
            "idx_expires_at_time",
            "idx_username",
            "schema_migrations",
            "version_unique"
        ]
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.path().join("clients.db"))
            .expect("exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_thousand_clients_at_once_are_saved_in_few_transactions() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let saves = (0..1000).map(|number| {
        let clients = store.clients().clone();
        async move { clients.save(&record(&format!("c{number}"))).await }
    });
    let mut set = tokio::task::JoinSet::new();
    for save in saves {
        set.spawn(save);
    }
    while let Some(saved) = set.join_next().await {
        saved.expect("no panic").expect("saved");
    }
    // Not closed: what was acknowledged has to be there for anybody who opens the file now.
    let copy = Connection::open(directory.path().join("clients.db")).expect("opens");
    let rows: i64 = copy
        .query_row("SELECT COUNT(*) FROM clients", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(rows, 1000);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    store.clients().save(&record("c1")).await.expect("saves");
    // A killed process leaves exactly the files as they are now.
    let after = tempfile::tempdir().expect("a directory");
    for file in ["clients.db", "clients.db-wal"] {
        std::fs::copy(directory.path().join(file), after.path().join(file)).expect("copies");
    }
    let records = open(after.path()).clients().all().await.expect("reads");
    assert_eq!(records, [record("c1")]);
}

#[tokio::test]
async fn clients_come_and_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let clients = store.clients();
    clients.save(&record("c1")).await.expect("saves");
    clients.save(&record("c2")).await.expect("saves");
    let at = DateTime::UNIX_EPOCH.fixed_offset();
    let gone = ClientRecord {
        disconnected_at: Some(at),
        ..record("c1")
    };
    clients
        .sync(&gone.id.clone(), move || Some(Arc::new(gone)))
        .await
        .expect("saves");
    assert_eq!(
        clients
            .disconnect_all(at + chrono::Duration::seconds(5))
            .await
            .expect("saves"),
        1
    );
    let mut times: Vec<_> = clients
        .all()
        .await
        .expect("reads")
        .iter()
        .map(|record| record.disconnected_at)
        .collect();
    times.sort();
    assert_eq!(times, [Some(at), Some(at + chrono::Duration::seconds(5))]);
    assert!(clients.delete(&ClientId::new("c1")).await.expect("deletes"));
    assert!(!clients.delete(&ClientId::new("c1")).await.expect("deletes"));
    clients
        .sync(&ClientId::new("c2"), || None)
        .await
        .expect("deletes");
    assert!(clients.all().await.expect("reads").is_empty());
    store.close().await;
    let error = clients.save(&record("c3")).await.expect_err("closed");
    assert_eq!(*error.kind(), StoreErrorKind::Closed);
}

fn session(user: &str, now: DateTime<Utc>) -> ApiSession {
    ApiSession {
        id: ApiSessionId(0),
        expires_at: now + chrono::Duration::seconds(600),
        user: UserName::new(user),
        last_access_at: now,
        user_agent: "curl".into(),
        address: "203.0.113.7".into(),
    }
}

#[tokio::test]
async fn session_ids_are_never_given_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let now = Utc
        .with_ymd_and_hms(2024, 5, 1, 10, 0, 0)
        .single()
        .expect("a time");
    let first = store
        .api_sessions()
        .create(session("admin", now), now)
        .await
        .expect("creates");
    let second = store
        .api_sessions()
        .create(session("admin", now), now)
        .await
        .expect("creates");
    assert!(second.id > first.id);
    assert!(store.api_sessions().delete(second.id).await.expect("deletes"));
    // The clock stands still or goes back: still a new number.
    let earlier = now - chrono::Duration::days(1);
    let third = store
        .api_sessions()
        .create(session("eve", now), earlier)
        .await
        .expect("creates");
    assert!(third.id > second.id);
    store.close().await;

    let store = open(directory.path());
    let later = now + chrono::Duration::seconds(1);
    let fourth = store
        .api_sessions()
        .create(session("eve", later), later)
        .await
        .expect("creates");
    assert!(fourth.id > third.id && fourth.id.0 < 1 << 53);
    assert_eq!(
        store.api_sessions().find(fourth.id).await.expect("reads"),
        Some(fourth)
    );
}

#[tokio::test]
async fn sessions_are_found_touched_and_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let sessions = store.api_sessions();
    let now = Utc
        .with_ymd_and_hms(2024, 5, 1, 10, 0, 0)
        .single()
        .expect("a time");
    let mut one = sessions
        .create(session("admin", now), now)
        .await
        .expect("creates");
    let two = sessions
        .create(session("admin", now), now)
        .await
        .expect("creates");
    one.last_access_at = now + chrono::Duration::seconds(60);
    one.expires_at = now + chrono::Duration::seconds(6000);
    sessions.touch(one.clone()).await.expect("saves");
    assert_eq!(
        sessions.of_user(&one.user).await.expect("reads"),
        [two, one.clone()]
    );
    let expired = sessions
        .delete_expired(now + chrono::Duration::seconds(600))
        .await
        .expect("deletes");
    assert_eq!(expired, 1);
    assert_eq!(
        sessions.delete_of_user(&one.user).await.expect("deletes"),
        [one.id]
    );
    assert_eq!(sessions.find(one.id).await.expect("reads"), None);
}

fn check_refused(prepare: impl FnOnce(&Path), expected: &StoreErrorKind, words: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("clients.db");
    prepare(&path);
    let error = Store::open(&options(directory.path())).err().expect("refused");
    assert_eq!(error.kind(), expected);
    let text = error.to_string();
    assert!(
        text.contains("clients.db") && text.contains(words) && !text.contains('\n'),
        "{text}"
    );
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let sql = |batch: &'static str| {
        move |path: &Path| {
            Connection::open(path)
                .expect("opens")
                .execute_batch(batch)
                .expect("valid")
        }
    };
    check_refused(
        |path| std::fs::write(path, "this is no database, but long enough to look at").expect("writes"),
        &StoreErrorKind::NotADatabase,
        "not a SQLite database",
    );
    check_refused(
        |path| std::fs::create_dir(path).expect("creates"),
        &StoreErrorKind::Unwritable,
        "writable",
    );
    check_refused(
        sql(
            "CREATE TABLE schema_migrations (version uint64,dirty bool); INSERT INTO schema_migrations VALUES (2,'true');",
        ),
        &StoreErrorKind::Dirty { version: 2 },
        "interrupted in schema migration 2",
    );
    check_refused(
        sql(
            "CREATE TABLE schema_migrations (version uint64,dirty bool); INSERT INTO schema_migrations VALUES (9,'false');",
        ),
        &StoreErrorKind::Newer { found: 9, known: 3 },
        "newer than this program knows (3)",
    );
    let gone = StoreOptions {
        data_dir: "/nonexistent/rport".into(),
        wal: true,
    };
    let error = Store::open(&gone).err().expect("refused");
    assert_eq!(*error.kind(), StoreErrorKind::Unwritable);
}

#[tokio::test]
async fn older_files_are_brought_up_to_date() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api_sessions.db");
    Connection::open(&path)
        .expect("opens")
        .execute_batch(
            "CREATE TABLE schema_migrations (version uint64,dirty bool);
             INSERT INTO schema_migrations VALUES (1, 0);
             CREATE TABLE api_sessions (token TEXT PRIMARY KEY NOT NULL, expires_at DATETIME NOT NULL) WITHOUT ROWID;
             INSERT INTO api_sessions VALUES ('abc', '2024-05-01 10:00:00+00:00');",
        )
        .expect("valid");
    let store = open(directory.path());
    let now = DateTime::UNIX_EPOCH;
    store
        .api_sessions()
        .create(session("admin", now), now)
        .await
        .expect("the new table is there");
}

#[tokio::test]
async fn without_wal_writes_are_seen_by_readers_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&StoreOptions {
        data_dir: directory.path().to_owned(),
        wal: false,
    })
    .expect("opens");
    store.clients().save(&record("c1")).await.expect("saves");
    assert_eq!(store.clients().all().await.expect("reads").len(), 1);
    assert!(!directory.path().join("clients.db-wal").exists());
}
