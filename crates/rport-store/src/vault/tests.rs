//! `vault.sqlite.db` as the Go server writes it, and as it has to find it again.

use std::path::Path;

use rport_domain::VAULT_LIST;

use super::*;

fn open(directory: &Path) -> Vault {
    let options = StoreOptions {
        data_dir: directory.to_owned(),
        wal: true,
    };
    Vault::open(&options).expect("opens")
}

/// Rows and schema of a Go server, letter by letter; what is checked against is no valid text.
fn write_go_file(directory: &Path) {
    let connection = Connection::open(directory.join("vault.sqlite.db")).expect("opens");
    connection
        .execute_batch(
            r#"
            CREATE TABLE schema_migrations (version uint64,dirty bool);
            CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
            INSERT INTO schema_migrations VALUES (1, 'false');
            CREATE TABLE "values"
            (
                "id"             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                "client_id"      text    NOT NULL DEFAULT 0,
                "required_group" TEXT,
                "created_at"     DATE    NOT NULL,
                "created_by"     TEXT    NOT NULL,
                "updated_at"     DATE    NOT NULL,
                "updated_by"     TEXT,
                "key"            TEXT    NOT NULL,
                "value"          TEXT    NOT NULL,
                "type"           TEXT    NOT NULL
            );
            CREATE INDEX "client_id" ON `values` ("client_id" ASC);
            CREATE INDEX "key" ON `values` ("key" ASC);
            CREATE UNIQUE INDEX "unique_client_id_key" ON `values` ("client_id" ASC, "key" ASC);
            CREATE TABLE "status"
            (
                "id"        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                "db_status" text NOT NULL,
                "enc_check" TEXT,
                "dec_check" TEXT
            );
            INSERT INTO "values" VALUES
                (1, 'go-agent', '', '2026-11-23T16:29:04Z', 'admin', '2026-11-23T16:29:04Z', 'admin', 'db',
                 'w1AU3Xumtz0fEpLi3gUbqoin74wr7SImkdL9Go4GheEpjEmQFh93', 'secret'),
                (2, '', 'Administrators', '2026-11-23T16:29:04+02:00', 'admin', '2026-11-23T16:29:04Z', NULL, 'admins',
                 'g/wsKEuYdRjCrCz5anCr4MN6m+ZgLOram88uXtsvDYY=', 'text');
            INSERT INTO status VALUES (1, 'setup-completed',
                'jwnmS3H/NZTnKDPPYaaYfvsfyxl1C38G1gPaJYfM1YGM7K7F5xupGfIHsxpjxUKP4gdgbZfeWIgAjnZhJ8gI6WNVsnoZF7RZi1y3uOX+sQ==',
                CAST(x'31373935e3b0c44298fc1c149afbf4' AS TEXT));
            "#,
        )
        .expect("the fixture is valid");
}

fn write(key: &str, client: &str) -> VaultWrite {
    VaultWrite {
        label: VaultLabel {
            key: key.into(),
            client_id: client.into(),
            required_group: String::new(),
            kind: "text".into(),
        },
        encrypted: "AAAA".into(),
        by: "ann".into(),
        at: DateTime::parse_from_rfc3339("2024-05-01T12:00:00.9+02:00").expect("a time"),
    }
}

async fn keys(vault: &Vault, query: &[(&str, &str)]) -> Vec<String> {
    let query = ListQuery::parse(query, &VAULT_LIST).expect("valid");
    let entries = vault.list(&query).await.expect("lists");
    entries.into_iter().map(|entry| entry.label.key).collect()
}

#[tokio::test]
async fn a_go_servers_vault_is_read_and_stays_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    write_go_file(directory.path());
    let vault = open(directory.path());
    let setup = vault.setup().await.expect("reads").expect("made");
    assert!(setup.enc_check.starts_with("jwnmS3H/") && setup.derivation.is_none());
    assert!(
        !vault.init(setup, b"x".to_vec()).await.expect("runs"),
        "there is one"
    );
    assert_eq!(keys(&vault, &[]).await, ["db", "admins"]);
    assert_eq!(
        keys(&vault, &[("sort", "key"), ("page[limit]", "1")]).await,
        ["admins", "db"]
    );
    assert_eq!(keys(&vault, &[("filter[id]", "2")]).await, ["admins"]);
    assert_eq!(keys(&vault, &[("filter[client_id]", "")]).await, ["admins"]);
    let value = vault.find(VaultValueId(2)).await.expect("reads").expect("known");
    assert_eq!(value.entry.created_at.to_rfc3339(), "2026-11-23T16:29:04+02:00");
    assert_eq!(value.entry.label.required_group, "Administrators");
    assert_eq!(value.entry.updated_by.as_str(), "");

    let id = vault
        .insert(write("new", ""))
        .await
        .expect("writes")
        .expect("free");
    assert_eq!(id, VaultValueId(3));
    vault.close().await;
    let file = Connection::open(directory.path().join("vault.sqlite.db")).expect("opens");
    let row: (String, String, String) = file
        .query_row(
            "SELECT created_at, updated_at, required_group FROM \"values\" WHERE id = 3",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("a group that is set, as the Go server needs it");
    let at = "2024-05-01T12:00:00+02:00";
    assert_eq!(row, (at.into(), at.into(), String::new()));
    let mode: String = file
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("a mode");
    assert_eq!(mode, "delete");
    let ours: i64 = file
        .query_row(
            "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'rport%'",
            [],
            |row| row.get(0),
        )
        .expect("counts");
    assert_eq!(ours, 0, "nothing of ours in a Go server's vault");
}

#[tokio::test]
async fn the_file_comes_with_the_vault() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vault.sqlite.db");
    let vault = open(directory.path());
    assert_eq!(vault.setup().await.expect("reads"), None);
    assert!(keys(&vault, &[]).await.is_empty());
    assert!(vault.find(VaultValueId(1)).await.expect("reads").is_none());
    assert!(vault.insert(write("k", "")).await.is_err());
    assert!(!path.exists());
    let setup = VaultSetup {
        enc_check: "check".into(),
        derivation: Some(KeyDerivation {
            algorithm: "argon2id".into(),
            salt: vec![1, 2, 0xff],
            memory_kib: 64,
            passes: 2,
            lanes: 1,
        }),
    };
    let dec_check = b"17\xe3\xb0\xc4".to_vec();
    assert!(
        vault
            .init(setup.clone(), dec_check.clone())
            .await
            .expect("writes")
    );
    assert!(!vault.init(setup.clone(), dec_check.clone()).await.expect("runs"));
    vault.close().await;
    assert_eq!(open(directory.path()).setup().await.expect("reads"), Some(setup));
    let file = Connection::open(&path).expect("opens");
    let (kind, bytes): (String, Vec<u8>) = file
        .query_row(
            "SELECT typeof(dec_check), CAST(dec_check AS BLOB) FROM status",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("one row");
    assert_eq!((kind.as_str(), bytes), ("text", dec_check));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn keys_are_unique_within_a_client() {
    let directory = tempfile::tempdir().expect("a directory");
    write_go_file(directory.path());
    let vault = open(directory.path());
    let id = vault
        .insert(write("db", ""))
        .await
        .expect("writes")
        .expect("free");
    assert_eq!(vault.insert(write("db", "go-agent")).await.expect("runs"), None);
    assert!(!vault.replace(id, write("db", "go-agent")).await.expect("runs"));
    assert!(vault.replace(id, write("db", "")).await.expect("runs"), "its own");
    let mut change = write("moved", "other");
    (change.by, change.encrypted) = ("bob".into(), "BBBB".into());
    assert!(vault.replace(id, change.clone()).await.expect("writes"));
    let value = vault
        .find_key("other", "moved")
        .await
        .expect("reads")
        .expect("known");
    assert_eq!((value.entry.id, value.encrypted.as_str()), (id, "BBBB"));
    assert_eq!(
        (value.entry.created_by.as_str(), value.entry.updated_by.as_str()),
        ("ann", "bob")
    );
    assert_eq!(value.entry.label, change.label);
    assert!(vault.delete(id).await.expect("deletes"));
    assert!(!vault.delete(id).await.expect("runs"));
    let next = vault
        .insert(write("db", ""))
        .await
        .expect("writes")
        .expect("free");
    assert!(next > id, "ids are never used again");
}
