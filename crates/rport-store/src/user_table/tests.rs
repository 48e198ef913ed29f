use std::path::PathBuf;

use rport_domain::{Permission, Permissions};

use super::*;

/// The tables as the documentation of the Go server makes them.
const DOCUMENTED: &str = "
CREATE TABLE users (username TEXT(150) NOT NULL, password TEXT(255) NOT NULL,
    password_expired BOOLEAN NOT NULL CHECK (password_expired IN (0, 1)) DEFAULT 0,
    token TEXT(36) DEFAULT NULL, two_fa_send_to TEXT(150), totp_secret TEXT);
CREATE UNIQUE INDEX username ON users (username);
CREATE TABLE groups (username TEXT(150) NOT NULL, \"group\" TEXT(150) NOT NULL);
CREATE UNIQUE INDEX username_group ON groups (username, \"group\");
CREATE TABLE group_details (name TEXT(150) NOT NULL, permissions TEXT DEFAULT '{}');
CREATE UNIQUE INDEX name ON group_details (name);
INSERT INTO users VALUES ('root', '$2y$10$x', 0, 'relic', NULL, ' ');
INSERT INTO groups VALUES ('root', 'Administrators');
INSERT INTO group_details VALUES ('ops', '{\"tunnels\":true}'), ('none', NULL);";

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn fixture(sql: &str) -> Fixture {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("users.sqlite3");
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.execute_batch(sql).expect("valid");
    Fixture {
        _folder: folder,
        path,
    }
}

fn names() -> UserTableNames {
    UserTableNames {
        users: "users".into(),
        groups: "groups".into(),
        details: Some("group_details".into()),
        two_fa_send_to: false,
        totp_secret: false,
    }
}

impl Fixture {
    async fn open_with(&self, names: &UserTableNames) -> Result<UserTable, TableError> {
        UserTable::open(&DatabaseOptions::Sqlite(self.path.clone()), names, &Tasks::new()).await
    }

    async fn open(&self) -> UserTable {
        self.open_with(&names()).await.expect("sound tables")
    }
}

fn user(name: &str) -> User {
    User {
        name: name.into(),
        password_hash: "$2y$10$hash".into(),
        groups: vec!["dev".into(), "ops".into()],
        password_expired: true,
        two_fa_send_to: "a@example.com".into(),
        totp_secret: "otpauth://x".into(),
    }
}

#[tokio::test]
async fn documented_tables_are_read_and_written() {
    let fixture = fixture(DOCUMENTED);
    let table = fixture.open().await;
    let root = table.find(&"root".into()).await.expect("answers").expect("there");
    assert_eq!(root.groups, ["Administrators"]);
    assert!(root.totp_secret.is_empty() && root.two_fa_send_to.is_empty() && !root.password_expired);

    for odd in ["ann", "' OR 1=1 --", "\"", "`;", "客户端", "a%b_c?", "x\u{2028}y"] {
        table.add(&user(odd)).await.expect("adds");
        assert_eq!(table.find(&odd.into()).await.expect("answers"), Some(user(odd)));
        let error = table.add(&user(odd)).await.expect_err("there already");
        assert!(matches!(error, TableError::Exists(name) if name == odd));
    }
    assert_eq!(table.all().await.expect("answers").len(), 8);
    assert_eq!(table.find(&"Ann".into()).await.expect("answers"), None);

    let change = UserChange {
        name: Some("bob".into()),
        groups: Some(vec!["ops".into(), "ops".into()]),
        password_expired: Some(false),
        totp_secret: Some(String::new()),
        ..UserChange::default()
    };
    table.change(&"ann".into(), &change).await.expect("changes");
    let bob = table.find(&"bob".into()).await.expect("answers").expect("there");
    assert_eq!(
        (bob.groups.as_slice(), bob.password_expired),
        (&["ops".to_owned()][..], false)
    );
    assert!(bob.totp_secret.is_empty() && bob.two_fa_send_to == "a@example.com");
    let taken = UserChange {
        name: Some("root".into()),
        ..UserChange::default()
    };
    let error = table.change(&"bob".into(), &taken).await.expect_err("taken");
    assert!(matches!(error, TableError::Exists(name) if name == "root"));
    let renamed = UserChange {
        name: Some("carl".into()),
        ..UserChange::default()
    };
    table.change(&"bob".into(), &renamed).await.expect("renames");
    let carl = table.find(&"carl".into()).await.expect("answers").expect("there");
    assert_eq!(carl.groups, ["ops"]);
    let error = table.change(&"bob".into(), &renamed).await.expect_err("gone");
    assert!(matches!(error, TableError::Missing(name) if name == "bob"));
    table.delete(&"carl".into()).await.expect("deletes");
    assert!(matches!(
        table.delete(&"carl".into()).await.expect_err("gone"),
        TableError::Missing(_)
    ));
    let members = table.groups_with_members().await.expect("answers");
    assert_eq!(members, ["Administrators", "dev", "ops"]);
}

#[tokio::test]
async fn groups_are_added_replaced_and_deleted_with_their_memberships() {
    let fixture = fixture(DOCUMENTED);
    let table = fixture.open().await;
    table.add(&user("ann")).await.expect("adds");
    let found = table.details().await.expect("answers");
    let shown: Vec<(&str, Permissions)> = found
        .iter()
        .map(|group| (group.name.as_str(), group.permissions))
        .collect();
    let tunnels: Permissions = [Permission::Tunnels].into_iter().collect();
    assert_eq!(shown, [("none", Permissions::NONE), ("ops", tunnels)]);
    for permissions in [Permissions::all(), Permissions::NONE] {
        for name in ["ops", "new ' group"] {
            let group = UserGroup {
                name: name.into(),
                permissions,
                ..UserGroup::default()
            };
            table.put_group(&group).await.expect("puts");
            assert!(table.details().await.expect("answers").contains(&group));
        }
    }
    let restricted = UserGroup {
        name: "ops".into(),
        tunnels_restricted: Some(serde_json::json!({"local": ["20000"]})),
        ..UserGroup::default()
    };
    assert!(matches!(
        table.put_group(&restricted).await.expect_err("no columns"),
        TableError::Unfit(text) if text.contains("tunnels_restricted")
    ));
    for _ in 0..2 {
        table.delete_group("ops").await.expect("deletes");
    }
    let ann = table.find(&"ann".into()).await.expect("answers").expect("there");
    assert_eq!(ann.groups, ["dev"]);

    let connection = rusqlite::Connection::open(&fixture.path).expect("opens");
    connection
        .execute_batch(
            "ALTER TABLE group_details ADD COLUMN tunnels_restricted TEXT;
             ALTER TABLE group_details ADD COLUMN commands_restricted TEXT;",
        )
        .expect("valid");
    let table = fixture.open().await;
    table.put_group(&restricted).await.expect("puts");
    assert!(table.details().await.expect("answers").contains(&restricted));
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_sql_that_makes_it() {
    let check = async |sql: &str, names: &UserTableNames, parts: &[&str]| {
        let error = fixture(sql)
            .open_with(names)
            .await
            .err()
            .expect("refused")
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    };
    check(
        "",
        &names(),
        &["users", "does not exist", "rportd db create", "CREATE TABLE"],
    )
    .await;
    let users = "CREATE TABLE users (username TEXT, password TEXT);";
    check(users, &names(), &["password_expired", "CREATE TABLE"]).await;
    let users = "CREATE TABLE users (username TEXT, password TEXT, password_expired INT);";
    check(users, &names(), &["groups", "does not exist"]).await;
    let groups = "CREATE TABLE groups (username TEXT, \"group\" TEXT);";
    check(&format!("{users}{groups}"), &names(), &["group_details"]).await;
    let plain = UserTableNames {
        details: None,
        ..names()
    };
    let with_totp = UserTableNames {
        totp_secret: true,
        ..plain.clone()
    };
    check(&format!("{users}{groups}"), &with_totp, &["totp_secret"]).await;
    let odd = UserTableNames {
        groups: "a; b".into(),
        ..names()
    };
    check("", &odd, &["'auth_group_table' in [api]"]).await;

    // Columns nobody needs may be missing; what is set for them is not kept.
    let fixture = fixture(&format!("{users}{groups}"));
    let table = fixture.open_with(&plain).await.expect("sound");
    table.add(&user("ann")).await.expect("adds");
    let ann = table.find(&"ann".into()).await.expect("answers").expect("there");
    assert!(ann.two_fa_send_to.is_empty() && ann.totp_secret.is_empty() && ann.password_expired);
    assert!(!table.has_details());
}

#[tokio::test]
async fn tables_are_created_on_demand() {
    let fixture = fixture("");
    let options = DatabaseOptions::Sqlite(fixture.path.clone());
    for _ in 0..2 {
        UserTable::create(&options, &names(), &Tasks::new())
            .await
            .expect("creates");
    }
    let all = UserTableNames {
        two_fa_send_to: true,
        totp_secret: true,
        ..names()
    };
    let table = fixture.open_with(&all).await.expect("sound");
    table.add(&user("ann")).await.expect("adds");
    assert_eq!(table.all().await.expect("answers"), [user("ann")]);
}

#[tokio::test]
async fn a_missing_file_is_an_outage() {
    let fixture = fixture(DOCUMENTED);
    let table = fixture.open().await;
    std::fs::remove_file(&fixture.path).expect("removes");
    let error = table.find(&"root".into()).await.expect_err("gone");
    assert!(matches!(error, TableError::Unavailable(_)), "{error}");
}
