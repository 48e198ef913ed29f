//! The SQL of the credentials table, against real servers, without a server of ours around it.

use std::time::{Duration, Instant};

use rport_domain::StoredPassword;
use rport_runtime::Tasks;
use rport_store::{ClientAuthTable, DatabaseOptions, DatabaseServer as Login, TableChange, TableError};
use rport_testkit::databases::{self, Database, DatabaseKind, DatabaseServer};

const KINDS: [DatabaseKind; 2] = [DatabaseKind::MariaDb, DatabaseKind::Postgres];
const DOCUMENTED: &str =
    "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL)";

fn options(database: &Database<'_>, host: String) -> DatabaseOptions {
    let login = Login {
        host,
        user: database.name.clone(),
        password: database.password.as_str().into(),
        name: database.name.clone(),
    };
    match database.kind() {
        DatabaseKind::MariaDb => DatabaseOptions::MySql(login),
        DatabaseKind::Postgres => DatabaseOptions::Postgres(login),
    }
}

fn table(database: &Database<'_>) -> ClientAuthTable {
    let options = options(database, database.address().to_string());
    ClientAuthTable::new(&options, "clients_auth", &Tasks::new()).expect("sound names")
}

/// Creates a table as the administrator, who then gives it away; the user of the database must not have made it.
fn execute(database: &Database<'_>, sql: &str) {
    if sql.is_empty() {
        return;
    }
    database.rows(sql).expect("valid");
    if database.kind() == DatabaseKind::Postgres {
        let sql = format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON clients_auth TO {}",
            database.name
        );
        database.rows(&sql).expect("valid");
    }
}

/// A table of this shape in a database of its own, on each kind of server.
fn on_each(sql: &str) -> Vec<(DatabaseKind, Database<'static>, ClientAuthTable)> {
    let made = KINDS.map(|kind| {
        let database = databases::shared(kind)
            .expect("starts")
            .database()
            .expect("a database");
        execute(&database, sql);
        let table = table(&database);
        (kind, database, table)
    });
    made.into()
}

fn insert(id: &str, password: &str) -> Vec<TableChange> {
    vec![TableChange::Insert(id.into(), StoredPassword::new(password))]
}

async fn password(table: &ClientAuthTable, id: &str) -> Option<String> {
    table
        .find(id)
        .await
        .expect("answers")
        .map(|stored| stored.expose().to_owned())
}

#[tokio::test]
async fn ids_of_any_text_are_kept_as_they_are() {
    let odd = [
        "a/b",
        "' OR '1'='1",
        "x'; DROP TABLE clients_auth; --",
        "%",
        "_",
        "客户端",
        "\\",
        "\"",
        "`",
        "$1",
        "?",
        "äö",
    ];
    for (kind, _database, table) in on_each(DOCUMENTED) {
        table.check().await.expect("sound");
        for id in odd {
            table
                .change(insert(id, "one"))
                .await
                .unwrap_or_else(|error| panic!("{kind:?} {id}: {error}"));
        }
        for id in odd {
            table
                .change(vec![TableChange::Replace(id.into(), StoredPassword::new(id))])
                .await
                .expect("replaces");
            // The same once more changes nothing and is no error.
            table
                .change(vec![TableChange::Replace(id.into(), StoredPassword::new(id))])
                .await
                .expect("replaces");
            assert_eq!(password(&table, id).await.as_deref(), Some(id), "{kind:?}");
        }
        assert_eq!(table.all().await.expect("lists").len(), odd.len(), "{kind:?}");
        for id in odd {
            table
                .change(vec![TableChange::Delete(id.into())])
                .await
                .expect("deletes");
        }
        assert_eq!(table.all().await.expect("lists").len(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn what_the_database_takes_for_equal_is_not() {
    for (kind, _database, table) in on_each(DOCUMENTED) {
        table.change(insert("Client", "secret")).await.expect("adds");
        for other in ["client", "CLIENT", "Client ", "Clíent"] {
            assert_eq!(password(&table, other).await, None, "{kind:?} {other:?}");
            for change in [
                TableChange::Delete(other.into()),
                TableChange::Replace(other.into(), StoredPassword::new("stolen")),
            ] {
                let error = table.change(vec![change]).await.expect_err("refused");
                assert!(
                    matches!(error, TableError::Missing(_)),
                    "{kind:?} {other:?}: {error}"
                );
            }
        }
        assert_eq!(
            password(&table, "Client").await.as_deref(),
            Some("secret"),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_is_said_and_nothing_is_cut() {
    for (kind, _database, table) in on_each(DOCUMENTED) {
        let long = "x".repeat(101);
        for change in [insert(&long, "1234"), insert("client", &long)] {
            let error = table.change(change).await.expect_err("refused");
            assert!(matches!(error, TableError::Unfit(_)), "{kind:?}: {error}");
        }
        assert_eq!(password(&table, &"x".repeat(10_000)).await, None, "{kind:?}");
        assert_eq!(table.all().await.expect("lists").len(), 0, "{kind:?}");
        let hash = format!(
            "$argon2id$v=19$m=19456,t=2,p=1${}${}",
            "A".repeat(22),
            "A".repeat(43)
        );
        table.change(insert(&"x".repeat(100), &hash)).await.expect("fits");
        assert_eq!(
            table.check().await.expect("sound").example,
            Some(hash),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_batch_is_done_as_a_whole_or_not_at_all() {
    for (kind, _database, table) in on_each(DOCUMENTED) {
        table.change(insert("there", "1234")).await.expect("adds");
        let mut batch = insert("new", "1234");
        batch.extend(insert("there", "1234"));
        let error = table.change(batch).await.expect_err("refused");
        assert!(
            matches!(&error, TableError::Exists(id) if id.as_str() == "there"),
            "{kind:?}: {error}"
        );
        assert_eq!(password(&table, "new").await, None, "{kind:?}");
        let mut adds = Vec::new();
        let tasks = Tasks::new();
        for number in 0..50 {
            let table = table.clone();
            let add = async move { table.change(insert(&format!("parallel{number}"), "1234")).await };
            adds.push(tasks.spawn("add", add));
        }
        for add in adds {
            add.await.expect("no panic").expect("added");
        }
        assert_eq!(table.all().await.expect("lists").len(), 51, "{kind:?}");
    }
}

#[tokio::test]
async fn a_check_says_what_is_wrong_and_how_to_mend_it() {
    for (kind, database, table) in on_each("") {
        let error = table.check().await.expect_err("no table").to_string();
        for part in [
            "does not exist",
            "rportd db create",
            "CREATE TABLE",
            "varchar(100) PRIMARY KEY",
        ] {
            assert!(error.contains(part), "{kind:?}: {error}");
        }
        // The advice is good.
        let sql = error.split_once("this SQL: ").expect("SQL").1;
        execute(&database, sql);
        table.check().await.expect("sound");
        table.create().await.expect("is there");
        database
            .rows("INSERT INTO clients_auth VALUES ('broken', '')")
            .expect("inserts");
        assert_eq!(
            table.check().await.expect("sound").incomplete.as_deref(),
            Some("broken"),
            "{kind:?}"
        );
    }
    for (kind, _database, table) in on_each("CREATE TABLE clients_auth (id varchar(9), secret varchar(9))") {
        let error = table.check().await.expect_err("no column").to_string();
        assert!(
            error.contains("password") && error.contains("CREATE TABLE"),
            "{kind:?}: {error}"
        );
        assert!(!error.contains('\n'), "{kind:?}: {error}");
    }
    for (kind, _database, table) in on_each("") {
        table.create().await.expect("creates");
        table.change(insert("client", "1234")).await.expect("adds");
        assert_eq!(
            password(&table, "client").await.as_deref(),
            Some("1234"),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn unix_sockets_work_and_wrong_passwords_are_told_without_the_password() {
    for (kind, database, _table) in on_each(DOCUMENTED) {
        let socket = database.socket_lines().into_iter().find_map(|line| {
            let value = line.strip_prefix("db_host = \"")?;
            value.strip_suffix('"').map(str::to_owned)
        });
        let socket = socket.expect("a socket");
        let by_socket = ClientAuthTable::new(&options(&database, socket), "clients_auth", &Tasks::new());
        by_socket
            .expect("sound")
            .change(insert("client", "1234"))
            .await
            .expect("adds");
        let mut wrong = options(&database, database.address().to_string());
        match &mut wrong {
            DatabaseOptions::MySql(login) | DatabaseOptions::Postgres(login) => {
                login.password = "geheim".into()
            }
            DatabaseOptions::Sqlite(_) => {}
        }
        let table = ClientAuthTable::new(&wrong, "clients_auth", &Tasks::new()).expect("sound");
        let error = table.check().await.expect_err("refused");
        assert!(matches!(error, TableError::Unavailable(_)), "{kind:?}: {error:?}");
        assert!(
            !format!("{error} {error:?}").contains("geheim"),
            "{kind:?}: {error}"
        );
    }
}

#[tokio::test]
async fn an_outage_is_told_in_time_and_heals_by_itself() {
    for kind in KINDS {
        let mut server = DatabaseServer::start(kind).expect("starts");
        let (table, name) = {
            let database = server.database().expect("a database");
            execute(&database, DOCUMENTED);
            (table(&database), database.name.clone())
        };
        table.change(insert("client", "1234")).await.expect("adds");
        server.halt();
        for _ in 0..3 {
            let started = Instant::now();
            let error = table.find("client").await.expect_err("refused");
            assert!(matches!(error, TableError::Unavailable(_)), "{kind:?}: {error:?}");
            assert!(
                started.elapsed() < Duration::from_secs(8),
                "{kind:?}: {:?}",
                started.elapsed()
            );
        }
        server.resume().expect("starts again");
        assert_eq!(
            password(&table, "client").await.as_deref(),
            Some("1234"),
            "{kind:?} {name}"
        );
        table.change(insert("another", "1234")).await.expect("adds");
    }
}

#[tokio::test]
async fn narrow_character_sets_are_no_outage() {
    let database = databases::shared(DatabaseKind::MariaDb)
        .expect("starts")
        .database()
        .expect("a database");
    let sql = "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL) CHARACTER SET ";
    for charset in ["latin1", "utf8mb3", "ascii"] {
        database.rows("DROP TABLE IF EXISTS clients_auth").expect("drops");
        database.rows(&format!("{sql}{charset}")).expect("creates");
        let table = table(&database);
        table.change(insert("plain", "1234")).await.expect("adds");
        for id in ["客户端", "emoji 🐙"] {
            assert_eq!(password(&table, id).await, None, "{charset} {id}");
        }
        let error = table
            .change(insert("emoji 🐙", "1234"))
            .await
            .expect_err("refused");
        assert!(matches!(error, TableError::Unfit(_)), "{charset}: {error:?}");
        let error = table
            .change(vec![TableChange::Delete("emoji 🐙".into())])
            .await
            .expect_err("refused");
        assert!(
            matches!(error, TableError::Missing(_) | TableError::Unfit(_)),
            "{charset}: {error:?}"
        );
        assert_eq!(
            password(&table, "plain").await.as_deref(),
            Some("1234"),
            "{charset}"
        );
        if charset == "latin1" {
            table.change(insert("äöü", "1234")).await.expect("fits");
            table
                .change(vec![TableChange::Delete("äöü".into())])
                .await
                .expect("deletes");
        }
    }
}

#[tokio::test]
async fn ten_thousand_credentials_are_no_burden() {
    for (kind, _database, table) in on_each(DOCUMENTED) {
        let batch = (0..10_000)
            .flat_map(|number| insert(&format!("fleet{number}"), "a password"))
            .collect();
        table.change(batch).await.expect("adds");
        let started = Instant::now();
        assert_eq!(table.all().await.expect("lists").len(), 10_000);
        let listed = started.elapsed();
        let started = Instant::now();
        for number in 0..200 {
            assert!(password(&table, &format!("fleet{number}")).await.is_some());
        }
        let found = started.elapsed();
        assert!(
            listed.as_secs() < 10 && found.as_secs() < 10,
            "{kind:?}: {listed:?} {found:?}"
        );
    }
}
