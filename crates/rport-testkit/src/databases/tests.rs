use super::*;

#[test]
fn each_database_starts_keeps_its_data_over_a_crash_and_ends_with_the_test() {
    for kind in [DatabaseKind::MariaDb, DatabaseKind::Postgres] {
        let mut server = DatabaseServer::start(kind).expect("starts");
        let dir = server.dir.path().to_owned();
        let first = server.database().expect("a database");
        first
            .rows("CREATE TABLE t (a int, b varchar(9))")
            .expect("creates");
        first
            .rows("INSERT INTO t VALUES (1, 'ä|b'), (2, '')")
            .expect("inserts");
        let name = first.name.clone();
        let second = server.database().expect("a database");
        assert!(
            second.rows("SELECT a FROM t").is_err(),
            "{kind:?}: databases are apart"
        );

        server.halt();
        assert!(
            server.run_client(Some(&name), "SELECT 1").is_err(),
            "{kind:?} runs on"
        );
        server.resume().expect("starts again");
        let rows = server
            .run_client(Some(&name), "SELECT count(*) FROM t")
            .expect("the table");
        assert_eq!(rows.trim(), "2", "{kind:?}");
        assert!(std::net::TcpStream::connect(server.address()).is_ok(), "{kind:?}");

        drop(server);
        assert!(!dir.exists(), "{kind:?} leaves its directory behind");
    }
}

#[test]
fn rows_are_columns_with_bars() {
    for kind in [DatabaseKind::MariaDb, DatabaseKind::Postgres] {
        let database = shared(kind).expect("starts").database().expect("a database");
        assert_eq!(
            database
                .rows("SELECT 1, 'x' UNION SELECT 2, 'y z'")
                .expect("rows"),
            ["1|x", "2|y z"]
        );
        let error = database
            .rows("SELECT nonsense")
            .expect_err("no such column")
            .to_string();
        assert!(error.contains("nonsense"), "{error}");
    }
}
