use super::*;
use crate::client_auth_table::ClientAuthTable;
use crate::operator_db::DatabaseOptions;

const CREATE: &str =
    "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL)";

struct Fixture {
    folder: tempfile::TempDir,
    path: PathBuf,
    tasks: Tasks,
}

fn fixture(sql: &str) -> Fixture {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("database.sqlite3");
    Connection::open(&path)
        .expect("opens")
        .execute_batch(sql)
        .expect("valid");
    Fixture {
        folder,
        path,
        tasks: Tasks::new(),
    }
}

impl Fixture {
    fn table(&self) -> ClientAuthTable {
        let database = DatabaseOptions::Sqlite(self.path.clone());
        ClientAuthTable::new(&database, "clients_auth", &self.tasks).expect("a sound name")
    }

    async fn open(&self) -> ClientAuthTable {
        let table = self.table();
        table.check().await.expect("a sound table");
        table
    }

    async fn check_error(&self, expected: &[&str]) {
        let error = self.table().check().await.expect_err("refused").to_string();
        for part in expected {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

fn insert(id: &str, password: &str) -> Vec<TableChange> {
    vec![TableChange::Insert(id.into(), StoredPassword::new(password))]
}

async fn password(source: &ClientAuthTable, id: &str) -> Option<String> {
    source
        .find(id)
        .await
        .expect("answers")
        .map(|stored| stored.expose().to_owned())
}

#[tokio::test]
async fn ids_of_any_text_are_kept_as_they_are() {
    let fixture = fixture(CREATE);
    let source = fixture.open().await;
    let odd = [
        "a/b",
        "' OR '1'='1",
        "x'; DROP TABLE clients_auth; --",
        "%",
        "_",
        "客户端",
        "a ",
        "A ",
        "\\",
        "\"",
        "`",
    ];
    for id in odd {
        source.change(insert(id, "one")).await.expect("adds");
    }
    for id in odd {
        source
            .change(vec![TableChange::Replace(id.into(), StoredPassword::new(id))])
            .await
            .expect("replaces");
        assert_eq!(password(&source, id).await.as_deref(), Some(id));
    }
    assert_eq!(source.all().await.expect("lists").len(), odd.len());
    assert_eq!(password(&source, "a").await, None);
    for id in odd {
        source
            .change(vec![TableChange::Delete(id.into())])
            .await
            .expect("deletes");
    }
    assert_eq!(source.all().await.expect("lists").len(), 0);
}

#[tokio::test]
async fn a_column_without_regard_to_case_makes_no_ids_equal() {
    let fixture = fixture(
        "CREATE TABLE clients_auth (id TEXT COLLATE NOCASE PRIMARY KEY, password TEXT);
         INSERT INTO clients_auth VALUES ('Client', 'secret')",
    );
    let source = fixture.open().await;
    assert_eq!(password(&source, "client").await, None);
    let missing = source
        .change(vec![TableChange::Delete("client".into())])
        .await
        .expect_err("refused");
    assert!(matches!(missing, TableError::Missing(_)));
    assert_eq!(password(&source, "Client").await.as_deref(), Some("secret"));
}

#[tokio::test]
async fn an_id_that_stands_twice_is_nobodys() {
    let fixture = fixture(
        "CREATE TABLE clients_auth (id TEXT, password TEXT);
         INSERT INTO clients_auth VALUES ('client', 'one'), ('client', 'two'), ('other', 'three')",
    );
    let source = fixture.open().await;
    assert_eq!(password(&source, "client").await, None);
    assert_eq!(password(&source, "other").await.as_deref(), Some("three"));
}

#[tokio::test]
async fn changes_are_all_or_nothing() {
    let fixture = fixture(CREATE);
    let source = fixture.open().await;
    source.change(insert("there", "1234")).await.expect("adds");
    let mut batch = insert("new", "1234");
    batch.extend(insert("there", "1234"));
    let error = source.change(batch).await.expect_err("refused");
    assert!(
        matches!(&error, TableError::Exists(id) if id == "there"),
        "{error}"
    );
    assert_eq!(password(&source, "new").await, None);
}

#[tokio::test]
async fn the_file_keeps_its_journal_and_mode() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture(CREATE);
    std::fs::set_permissions(&fixture.path, std::fs::Permissions::from_mode(0o640)).expect("sets");
    fixture
        .open()
        .await
        .change(insert("client", "1234"))
        .await
        .expect("adds");
    let connection = Connection::open(&fixture.path).expect("opens");
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("answers");
    assert_eq!(mode, "delete");
    assert_eq!(
        std::fs::metadata(&fixture.path)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o640
    );
}

#[tokio::test]
async fn a_bad_table_stops_the_start_with_one_clear_line() {
    let sql = "CREATE TABLE \"clients_auth\" (id varchar(100) PRIMARY KEY NOT NULL, password varchar(100) NOT NULL)";
    fixture("")
        .check_error(&["does not exist", "rportd db create", sql])
        .await;
    fixture("CREATE TABLE clients_auth (id TEXT)")
        .check_error(&["no such column: t.password", sql])
        .await;
    let gone = fixture(CREATE);
    std::fs::remove_file(&gone.path).expect("removes");
    gone.check_error(&["'db_name' in [database]", "No such file"])
        .await;
    assert!(!gone.path.exists(), "never created");
    std::fs::write(
        &gone.path,
        "this is no database, but it is long enough to be looked at",
    )
    .expect("writes");
    gone.check_error(&["not a database"]).await;
}

#[tokio::test]
async fn creating_the_table_makes_it_sound_and_does_no_harm_twice() {
    let fixture = fixture("");
    fixture.table().create().await.expect("creates");
    let source = fixture.open().await;
    source.change(insert("client", "1234")).await.expect("adds");
    source.create().await.expect("is there");
    assert_eq!(password(&source, "client").await.as_deref(), Some("1234"));
}

#[tokio::test]
async fn an_outage_is_unavailable_and_heals() {
    let fixture = fixture(CREATE);
    let source = fixture.open().await;
    source.change(insert("client", "1234")).await.expect("adds");
    let away = fixture.folder.path().join("away");
    std::fs::rename(&fixture.path, &away).expect("moves");
    assert!(matches!(
        source.find("client").await,
        Err(TableError::Unavailable(_))
    ));
    assert!(matches!(
        source.change(insert("new", "1234")).await,
        Err(TableError::Unavailable(_))
    ));
    // Another file comes back under the name.
    std::fs::copy(&away, &fixture.path).expect("copies");
    let other = Connection::open(&fixture.path).expect("opens");
    other
        .execute("UPDATE clients_auth SET password = 'changed'", [])
        .expect("updates");
    assert_eq!(password(&source, "client").await.as_deref(), Some("changed"));
}

#[tokio::test]
async fn other_programs_write_at_the_same_time() {
    let fixture = fixture(CREATE);
    let source = fixture.open().await;
    let other = Connection::open(&fixture.path).expect("opens");
    other
        .execute("INSERT INTO clients_auth VALUES ('external', 'tool')", [])
        .expect("inserts");
    assert_eq!(
        password(&source, "external").await.as_deref(),
        Some("tool"),
        "no cache in between"
    );
    other.execute("DELETE FROM clients_auth", []).expect("deletes");
    assert_eq!(password(&source, "external").await, None);
}

#[tokio::test]
async fn foreign_types_in_a_row_are_read_as_text_or_left_out() {
    let fixture = fixture(
        "CREATE TABLE clients_auth (id, password);
         INSERT INTO clients_auth VALUES (4711, 815), ('blob', x'ff00ff'), ('text', 'word')",
    );
    let source = fixture.open().await;
    assert_eq!(password(&source, "text").await.as_deref(), Some("word"));
    let ids: Vec<String> = source
        .all()
        .await
        .expect("lists")
        .into_iter()
        .map(|(id, _)| id.to_string())
        .collect();
    assert!(
        ids.contains(&"4711".to_owned()) && !ids.contains(&"blob".to_owned()),
        "{ids:?}"
    );
}

#[tokio::test]
async fn a_check_finds_incomplete_rows_and_hashes() {
    let fixture = fixture(&format!(
        "{CREATE}; INSERT INTO clients_auth VALUES ('a', '$2y$x'), ('broken', '')"
    ));
    let findings = fixture.table().check().await.expect("sound columns");
    assert_eq!(
        (findings.incomplete.as_deref(), findings.example.as_deref()),
        (Some("broken"), Some("$2y$x"))
    );
}
