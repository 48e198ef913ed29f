//! Sources as a running server meets them, and the gate in front of all.

use rport_domain::Kind;

use super::*;
use crate::{BanOptions, ClientAuthTool, StartError};

const CREATE: &str =
    "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL);
    INSERT INTO clients_auth VALUES ('client1', 'yienei5Ch'), ('client2', 'ieRi1Noo2')";

fn table(directory: &TempDir) -> ClientAuthSource {
    let path = directory.path().join("operator.sqlite3");
    Sqlite::open(&path)
        .expect("opens")
        .execute_batch(CREATE)
        .expect("valid");
    ClientAuthSource::Table {
        database: DatabaseOptions::Sqlite(path),
        table: "clients_auth".into(),
    }
}

#[tokio::test]
async fn an_outage_of_the_database_refuses_logins_keeps_agents_and_heals() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = table(&directory);
    let fixture = start_in(directory, source, |_| {}).await;
    assert_eq!(fixture.server.server.status(&admin()).clients_auth_source, "DB");
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    let (path, away) = (
        fixture.directory().join("operator.sqlite3"),
        fixture.directory().join("away"),
    );
    std::fs::rename(&path, &away).expect("moves");
    assert!(matches!(
        fixture.check("client1", "yienei5Ch").await,
        Verdict::Unknown(_)
    ));
    assert!(!fixture.lets_in("client1", "yienei5Ch").await && !fixture.lets_in("client2", "ieRi1Noo2").await);
    for error in [
        fixture.get("client1").await.expect_err("refused"),
        fixture.add(new("client3", "1234")).await.expect_err("refused"),
        fixture.delete("client1", true).await.expect_err("refused"),
    ] {
        assert_eq!(
            (error.kind, error.code),
            (Kind::Unavailable, "ERR_CODE_CLIENT_AUTH_UNAVAILABLE"),
            "{error}"
        );
        assert!(
            !error.to_string().contains("sqlite"),
            "SQL's words are for the log: {error}"
        );
    }
    assert!(!agent.connection.is_closed() && fixture.server.is_connected("c1"));
    std::fs::rename(&away, &path).expect("moves back");
    assert!(fixture.lets_in("client2", "ieRi1Noo2").await);
    fixture.add(new("client3", "1234")).await.expect("adds");
    drop(agent);
    fixture.server.stop().await;
}

#[tokio::test]
async fn a_documented_table_with_two_columns_does_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = table(&directory);
    let fixture = start_in(directory, source, |options| {
        options.hash = PasswordHashing::Argon2id
    })
    .await;
    let mut wanted = new("client3", "pass word");
    wanted.comment = "kept beside the table".into();
    fixture.add(wanted).await.expect("adds");
    let graceful = ClientAuthChange {
        grace: Some(Duration::from_secs(60)),
        ..rotate_to("second")
    };
    fixture.update("client1", graceful).await.expect("rotates");
    for (id, password) in [
        ("client1", "second"),
        ("client1", "yienei5Ch"),
        ("client2", "ieRi1Noo2"),
        ("client3", "pass word"),
    ] {
        assert!(fixture.is_right(id, password).await, "{id} {password}");
    }
    assert_eq!(
        fixture.get("client3").await.expect("there").comment,
        "kept beside the table"
    );
    assert_eq!(
        fixture.list(&[("sort", "-id")]).await.0,
        ["client3", "client2", "client1"]
    );
    fixture.delete("client2", false).await.expect("deletes");
    assert!(!fixture.is_right("client2", "ieRi1Noo2").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn ids_no_source_can_hold_are_wrong_and_harmless() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = table(&directory);
    let fixture = start_in(directory, source, |_| {}).await;
    let long = "x".repeat(100_000);
    for id in [
        "",
        "\0",
        "client1\0",
        "' OR 1=1 --",
        "client1'; DROP TABLE clients_auth; --",
        "CLIENT1",
        "client1 ",
        long.as_str(),
    ] {
        assert_eq!(fixture.check(id, "yienei5Ch").await, Verdict::Wrong, "{id:.40}");
    }
    assert_eq!(fixture.check("client1", "").await, Verdict::Wrong);
    assert!(fixture.is_right("client1", "yienei5Ch").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn the_command_line_and_the_server_share_a_file() {
    let fixture = start().await;
    let tool = ClientAuthTool::open(&ClientAuthSource::File(fixture.file.clone()), &Tasks::new())
        .await
        .expect("opens");
    let stored = tool
        .hash_password(&ClientAuthTool::generate_password())
        .await
        .expect("hashes");
    tool.add(
        vec![
            ("imported".into(), stored),
            ("admin".into(), rport_domain::StoredPassword::new("replaced")),
        ],
        true,
    )
    .await
    .expect("adds");
    assert!(
        tool.add(
            vec![("imported".into(), rport_domain::StoredPassword::new("1234"))],
            false
        )
        .await
        .is_err()
    );
    assert!(fixture.is_right("admin", "123456").await, "read at start only");
    assert_eq!(
        fixture.add(new("abc", "1234")).await.expect_err("refused").kind,
        Kind::Conflict
    );
    fixture.server.server.reload_client_auth().expect("sound");
    assert!(fixture.is_right("admin", "replaced").await);
    fixture.add(new("abc", "1234")).await.expect("adds");
    assert_eq!(
        tool.delete(vec!["imported".into()])
            .await
            .expect_err("refused")
            .kind,
        Kind::Conflict,
        "and the other way round"
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn a_source_that_is_broken_stops_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = async |source: ClientAuthSource, expected: &str| {
        let error = ClientAuthTool::open(&source, &Tasks::new())
            .await
            .err()
            .expect("refused");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!matches!(error, StartError::Unsupported(_)));
    };
    let file = directory.path().join("client-auth.json");
    check(
        ClientAuthSource::File(file.clone()),
        "client-auth.json: No such file",
    )
    .await;
    std::fs::write(&file, "{\n\"a\": ").expect("writes");
    check(ClientAuthSource::File(file), "line 2").await;
    let missing = DatabaseOptions::Sqlite(directory.path().join("missing.db"));
    check(
        ClientAuthSource::Table {
            database: missing,
            table: "clients_auth".into(),
        },
        "'db_name'",
    )
    .await;
}

#[tokio::test]
async fn wrong_passwords_make_the_id_wait_and_ban_the_address() {
    let mut options = options();
    options.listener.ban = Some(BanOptions {
        max_failed: 2,
        duration: Duration::from_secs(3600),
    });
    let server = TestServer::start_with(options).await;
    let fixture = Fixture {
        file: PathBuf::new(),
        server,
    };
    let wait = Duration::from_secs(3);
    assert!(fixture.lets_in("rport", "s3cret").await);
    assert!(!fixture.lets_in("rport", "wrong").await);
    assert!(!fixture.lets_in("rport", "s3cret").await, "has to wait");
    fixture.server.clock.advance(wait);
    assert!(fixture.lets_in("rport", "s3cret").await, "and is forgiven");
    for _ in 0..2 {
        assert!(!fixture.lets_in("nobody", "s3cret").await);
        fixture.server.clock.advance(wait);
    }
    let url: rport_protocol::ServerUrl = format!("http://{}", fixture.server.address)
        .parse()
        .expect("a URL");
    let banned = soon(
        "dial",
        rport_transport::dial(&url, &rport_transport::DialOptions::default()),
    )
    .await;
    assert!(banned.is_err(), "the address is banned");
    fixture.server.clock.advance(Duration::from_secs(3601));
    assert!(fixture.lets_in("rport", "s3cret").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn neither_disabled_credentials_nor_an_outage_ban_an_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = table(&directory);
    let mut options = options();
    options.listener.login_wait = Duration::ZERO;
    options.listener.ban = Some(BanOptions {
        max_failed: 2,
        duration: Duration::from_secs(3600),
    });
    options.client_auth = source.into();
    let fixture = Fixture {
        file: PathBuf::new(),
        server: TestServer::start_in(directory, options).await,
    };
    let off = ClientAuthChange {
        disabled: Some(true),
        ..ClientAuthChange::default()
    };
    fixture.update("client1", off).await.expect("disables");
    let path = fixture.directory().join("operator.sqlite3");
    for _ in 0..5 {
        assert!(!fixture.lets_in("client1", "yienei5Ch").await);
    }
    std::fs::rename(&path, path.with_extension("away")).expect("moves");
    for _ in 0..5 {
        assert!(!fixture.lets_in("client2", "ieRi1Noo2").await);
    }
    std::fs::rename(path.with_extension("away"), &path).expect("moves back");
    assert!(fixture.lets_in("client2", "ieRi1Noo2").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn ten_thousand_credentials_are_listed_filtered_and_checked_in_no_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = table(&directory);
    let tool = ClientAuthTool::open(&source, &Tasks::new()).await.expect("opens");
    let pairs = (0..10_000).map(|number| {
        (
            format!("fleet{number}").into(),
            rport_domain::StoredPassword::new(format!("password{number}")),
        )
    });
    tool.add(pairs.collect(), false).await.expect("adds");
    let fixture = start_in(directory, source, |_| {}).await;
    let started = std::time::Instant::now();
    let (page, total) = fixture
        .list(&[("filter[id]", "*99*"), ("page[limit]", "500")])
        .await;
    assert_eq!((page.len(), total), (280, 280));
    assert_eq!(fixture.list(&[("page[offset]", "10001")]).await.0.len(), 1);
    let listed = started.elapsed();
    let started = std::time::Instant::now();
    for number in 0..200 {
        assert!(
            fixture
                .is_right(&format!("fleet{number}"), &format!("password{number}"))
                .await
        );
    }
    let checked = started.elapsed();
    assert!(
        listed.as_secs() < 5 && checked.as_secs() < 5,
        "{listed:?} {checked:?}"
    );
    fixture.server.stop().await;
}
