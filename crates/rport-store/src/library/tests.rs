//! `library.db` as the Go server writes it, and as it has to find it again.

use std::path::Path;

use chrono::DateTime;

use super::*;

const AT: &str = "2026-11-23T16:29:04.236408864Z";

fn open(directory: &Path) -> Library {
    let options = StoreOptions {
        data_dir: directory.to_owned(),
        wal: true,
    };
    Library::open(&options).expect("opens")
}

/// Rows and schema of a Go server at version 4, letter by letter.
fn write_go_file(directory: &Path) {
    let connection = Connection::open(directory.join("library.db")).expect("opens");
    connection
        .execute_batch(
            r#"
            CREATE TABLE schema_migrations (version uint64,dirty bool);
            CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
            INSERT INTO schema_migrations VALUES (4, 'false');
            CREATE TABLE scripts
            (
                id TEXT PRIMARY KEY NOT NULL,
                name TEXT not null,
                created_at DATE not null,
                created_by TEXT not null,
                interpreter TEXT,
                is_sudo INTEGER(1) default 0 not null,
                cwd TEXT,
                script TEXT not null
            , "updated_by" TEXT NOT NULL DEFAULT '', "updated_at" DATE NOT NULL DEFAULT now, "tags" TEXT NOT NULL DEFAULT '[]', "timeout_sec" INT NOT NULL DEFAULT 60);
            CREATE INDEX "name" ON `scripts` ("name" ASC);
            CREATE UNIQUE INDEX "unique_name" ON `scripts` ("name" ASC);
            CREATE TABLE commands
            (
                id TEXT PRIMARY KEY NOT NULL,
                name TEXT not null,
                created_at DATE not null,
                created_by TEXT not null,
                updated_at DATE not null,
                updated_by TEXT not null,
                cmd TEXT not null
            , "tags" TEXT NOT NULL DEFAULT '[]', "timeout_sec" INT NOT NULL DEFAULT 60);
            CREATE INDEX "commands__name" ON `commands` ("name" ASC);
            CREATE UNIQUE INDEX "commands__unique_name" ON `commands` ("name" ASC);
            INSERT INTO scripts VALUES
                ('a3ef8128-f8c0-453f-85e9-c05d6fe7d3cc', 'hello', '2026-11-23 16:29:04.245631507+00:00', 'admin',
                 '/bin/sh', 0, '/tmp', 'echo hello', 'admin', '2026-11-23 16:29:04.245631507+00:00', '[]', 60),
                ('old', 'bare', '2021-01-01 12:00:00+01:00', 'admin', NULL, 1, NULL, 'x', '', 'now', 'null', 60);
            INSERT INTO commands VALUES
                ('8c882aed-a561-4939-911c-e724e2f145b5', 'uptime', '2026-11-23 16:29:04.236408864+00:00', 'admin',
                 '2026-11-23 16:29:04.236408864+00:00', 'admin', 'uptime', '["a","b"]', 30);
            "#,
        )
        .expect("the fixture is valid");
}

fn new(name: &str, tags: Option<&[&str]>) -> LibraryEntry {
    let at = DateTime::parse_from_rfc3339(AT).expect("a time");
    LibraryEntry {
        id: name.into(),
        created_by: "ann".into(),
        created_at: at,
        updated_by: "ann".into(),
        updated_at: at,
        definition: LibraryDefinition {
            name: name.into(),
            text: format!("echo <{name}>"),
            tags: tags.map(|tags| tags.iter().map(ToString::to_string).collect()),
            timeout_sec: 60,
            ..LibraryDefinition::default()
        },
    }
}

async fn names(library: &Library, kind: LibraryKind, query: &[(&str, &str)]) -> (Vec<String>, usize) {
    let query = ListQuery::parse(query, kind.list_spec()).expect("valid");
    let page = library.list(kind, &query).await.expect("lists");
    let names = page.items.into_iter().map(|entry| entry.definition.name);
    (names.collect(), page.total)
}

#[tokio::test]
async fn a_go_servers_file_is_read_and_stays_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    write_go_file(directory.path());
    let library = open(directory.path());
    let id = LibraryId::from("8c882aed-a561-4939-911c-e724e2f145b5");
    let command = library
        .find(LibraryKind::Command, &id)
        .await
        .expect("reads")
        .expect("known");
    assert_eq!(
        command.created_at,
        DateTime::parse_from_rfc3339(AT).expect("a time")
    );
    assert_eq!(
        command.definition,
        LibraryDefinition {
            name: "uptime".into(),
            text: "uptime".into(),
            tags: Some(vec!["a".into(), "b".into()]),
            timeout_sec: 30,
            ..LibraryDefinition::default()
        }
    );
    let old = library
        .find(LibraryKind::Script, &"old".into())
        .await
        .expect("reads")
        .expect("known");
    assert!(old.definition.is_sudo && old.definition.tags.is_none());
    assert_eq!((old.definition.cwd.as_str(), old.updated_by.as_str()), ("", ""));

    let mut script = new("mine", None);
    script.definition.interpreter = "bash".into();
    let written = library.insert(LibraryKind::Script, script).await.expect("writes");
    assert!(matches!(written, LibraryWrite::Written(_)));
    library.close().await;
    let file = Connection::open(directory.path().join("library.db")).expect("opens");
    let row: (String, String, String, i64) = file
        .query_row(
            "SELECT CAST(created_at AS TEXT), tags, interpreter, is_sudo FROM scripts WHERE name = 'mine'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .expect("one row");
    assert_eq!(
        row,
        (
            "2026-11-23 16:29:04.236408864+00:00".into(),
            "null".into(),
            "bash".into(),
            0
        )
    );
}

/// Name, type, constraints and default of every column, and every index.
fn schema(path: &Path) -> Vec<String> {
    let file = Connection::open(path).expect("opens");
    let mut lines = Vec::new();
    for sql in [
        "SELECT m.name || ' ' || c.cid || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' '
             || COALESCE(c.dflt_value, '') || ' ' || c.pk
         FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1",
        "SELECT i.name || ' ' || i.\"unique\" || ' ' || c.name
         FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c ORDER BY 1",
        "SELECT version || dirty FROM schema_migrations",
    ] {
        let mut query = file.prepare(sql).expect("valid");
        let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("runs");
        lines.extend(rows.map(|row| row.expect("text")));
    }
    lines
}

#[tokio::test]
async fn a_new_file_has_the_go_servers_schema() {
    let (ours, go) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("a directory"),
    );
    write_go_file(go.path());
    open(ours.path()).close().await;
    assert_eq!(
        schema(&ours.path().join("library.db")),
        schema(&go.path().join("library.db"))
    );
}

#[tokio::test]
async fn scripts_of_the_first_version_get_what_came_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = Connection::open(directory.path().join("library.db")).expect("opens");
    file.execute_batch("CREATE TABLE schema_migrations (version uint64,dirty bool); INSERT INTO schema_migrations VALUES (1, 'false');")
        .and_then(|()| file.execute_batch(MIGRATIONS[0].sql))
        .and_then(|()| {
            file.execute_batch(
                "INSERT INTO scripts VALUES ('s', 'n', '2021-01-01 12:00:00+01:00', 'bob', 'sh', 0, '', 'x')",
            )
        })
        .expect("the fixture is valid");
    drop(file);
    let library = open(directory.path());
    let script = library
        .find(LibraryKind::Script, &"s".into())
        .await
        .expect("reads")
        .expect("known");
    assert_eq!(
        (script.updated_by, script.updated_at),
        (script.created_by, script.created_at)
    );
    assert_eq!(
        (script.definition.tags, script.definition.timeout_sec),
        (Some(vec![]), 60)
    );
}

#[tokio::test]
async fn names_are_unique_within_their_kind_and_are_no_patterns() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = open(directory.path());
    let kind = LibraryKind::Command;
    for name in ["ab", "a*"] {
        let written = library.insert(kind, new(name, None)).await.expect("writes");
        assert!(matches!(written, LibraryWrite::Written(_)), "{name}");
    }
    let mut twin = new("ab", None);
    twin.id = "twin".into();
    assert_eq!(
        library.insert(kind, twin.clone()).await.expect("runs"),
        LibraryWrite::NameTaken
    );
    assert_eq!(
        library.replace(kind, twin.clone()).await.expect("runs"),
        LibraryWrite::Missing
    );
    twin.id = "a*".into();
    assert_eq!(
        library.replace(kind, twin.clone()).await.expect("runs"),
        LibraryWrite::NameTaken
    );
    let written = library.insert(LibraryKind::Script, twin).await.expect("writes");
    assert!(matches!(written, LibraryWrite::Written(_)), "the other kind");
}

#[tokio::test]
async fn replacing_keeps_the_creation() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = open(directory.path());
    let kind = LibraryKind::Script;
    library
        .insert(kind, new("one", Some(&["x"])))
        .await
        .expect("writes");
    let mut change = new("one", None);
    change.definition.name = "two".into();
    change.definition.cwd = "/".into();
    change.created_by = "eve".into();
    change.updated_by = "bob".into();
    let LibraryWrite::Written(entry) = library.replace(kind, change.clone()).await.expect("writes") else {
        panic!("there is one")
    };
    assert_eq!(
        (entry.created_by.as_str(), entry.updated_by.as_str()),
        ("ann", "bob")
    );
    assert_eq!(entry.definition, change.definition);
    assert!(library.delete(kind, &entry.id).await.expect("deletes"));
    assert!(!library.delete(kind, &entry.id).await.expect("runs"));
}

#[tokio::test]
async fn tags_are_filtered_one_by_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = open(directory.path());
    let kind = LibraryKind::Command;
    for (name, tags) in [
        ("one", Some(&["web", "prod"][..])),
        ("two", Some(&["Web"][..])),
        ("three", Some(&["webshop", "pro,d"][..])),
        ("none", None),
    ] {
        library.insert(kind, new(name, tags)).await.expect("writes");
    }
    let check = async |query: &[(&str, &str)], expected: &[&str], total: usize| {
        let (found, count) = names(&library, kind, query).await;
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(
            (found.as_slice(), count),
            (expected.as_slice(), total),
            "{query:?}"
        );
    };
    check(&[("filter[tags]", "web")], &["one", "two"], 2).await;
    check(&[("filter[tags]", "web*")], &["one", "two", "three"], 3).await;
    check(&[("filter[tags]", "and(web,prod)")], &["one"], 1).await;
    check(&[("filter[tags]", "prod,webshop")], &["one", "three"], 2).await;
    check(&[("filter[tags]", "web"), ("filter[name]", "two")], &["two"], 1).await;
    check(&[("filter[name|tags]", "two,prod")], &["one", "two"], 2).await;
    check(
        &[
            ("filter[tags]", "web*"),
            ("sort", "-name"),
            ("page[limit]", "1"),
            ("page[offset]", "1"),
        ],
        &["three"],
        3,
    )
    .await;
    check(&[("filter[cmd]", "echo <one>")], &["one"], 1).await;
    check(&[("filter[*]", "*three*")], &["three"], 1).await;
    check(&[], &["one", "two", "three", "none"], 4).await;
}
