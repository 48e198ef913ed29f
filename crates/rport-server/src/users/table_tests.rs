use std::path::PathBuf;

use rport_domain::{Kind, Permission};

use super::*;

fn names() -> UserTableNames {
    UserTableNames {
        users: "users".into(),
        groups: "groups".into(),
        details: Some("group_details".into()),
        two_fa_send_to: true,
        totp_secret: true,
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    path: PathBuf,
    clock: Clock,
    source: TableSource,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("users.sqlite3");
    std::fs::write(&path, "").expect("writes");
    let database = DatabaseOptions::Sqlite(path.clone());
    let tasks = Tasks::new();
    TableSource::create(&database, &names(), &tasks)
        .await
        .expect("creates");
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let source = TableSource::open(&database, &names(), UserHash::Bcrypt, &clock, &tasks)
        .await
        .expect("sound");
    Fixture {
        folder,
        path,
        clock,
        source,
    }
}

impl Fixture {
    fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(&self.path).expect("opens");
        connection.execute_batch(sql).expect("valid");
    }

    async fn expired(&self) -> bool {
        let ann = self.source.find(&"ann".into()).await.expect("answers");
        ann.expect("there").password_expired
    }

    async fn permissions(&self, groups: &[&str]) -> Permissions {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        self.source.group_permissions(&groups).await.expect("answers")
    }
}

fn ann() -> User {
    User {
        name: "ann".into(),
        password_hash: NOBODY.to_owned(),
        groups: vec!["ops".into()],
        password_expired: false,
        two_fa_send_to: String::new(),
        totp_secret: String::new(),
    }
}

#[tokio::test]
async fn changes_by_others_count_after_seconds_and_own_ones_at_once() {
    let fixture = fixture().await;
    fixture.source.add(ann()).await.expect("adds");
    assert!(!fixture.expired().await);
    fixture.sql("UPDATE users SET password_expired = 1");
    assert!(!fixture.expired().await, "from memory");
    fixture.clock.advance(FRESH);
    assert!(fixture.expired().await);
    let change = UserChange {
        password_expired: Some(false),
        ..UserChange::default()
    };
    fixture
        .source
        .change(&"ann".into(), change)
        .await
        .expect("changes");
    assert!(!fixture.expired().await);
    fixture.source.delete(&"ann".into()).await.expect("deletes");
    assert!(
        fixture
            .source
            .find(&"ann".into())
            .await
            .expect("answers")
            .is_none()
    );
}

#[tokio::test]
async fn groups_grant_together_and_administrators_everything_unless_told_otherwise() {
    let fixture = fixture().await;
    let all = Permissions::all();
    assert_eq!(fixture.permissions(&[]).await, Permissions::NONE);
    assert_eq!(fixture.permissions(&["ops"]).await, Permissions::NONE);
    assert_eq!(fixture.permissions(&["Administrators"]).await, all);
    let put = async |name: &str, permissions: &[Permission]| {
        let group = UserGroup {
            name: name.to_owned(),
            permissions: permissions.iter().copied().collect(),
            ..UserGroup::default()
        };
        fixture.source.put_group(group).await.expect("puts");
    };
    put("ops", &[Permission::Tunnels]).await;
    put("dev", &[Permission::Vault]).await;
    let both: Permissions = [Permission::Tunnels, Permission::Vault].into_iter().collect();
    assert_eq!(fixture.permissions(&["ops", "dev", "none"]).await, both);
    put("Administrators", &[]).await;
    assert_eq!(fixture.permissions(&["Administrators"]).await, Permissions::NONE);
    fixture.sql("DELETE FROM group_details WHERE name = 'Administrators'");
    assert_eq!(
        fixture.permissions(&["Administrators"]).await,
        Permissions::NONE,
        "from memory"
    );
    fixture.clock.advance(FRESH);
    assert_eq!(fixture.permissions(&["Administrators"]).await, all);

    fixture
        .source
        .add(User {
            groups: vec!["new".into()],
            ..ann()
        })
        .await
        .expect("adds");
    let names: Vec<String> = fixture
        .source
        .groups()
        .await
        .expect("answers")
        .into_iter()
        .map(|group| group.name)
        .collect();
    assert_eq!(names, ["dev", "ops", "new"]);
}

#[tokio::test]
async fn an_outage_is_told_and_heals() {
    let fixture = fixture().await;
    let away = fixture.folder.path().join("away");
    std::fs::rename(&fixture.path, &away).expect("moves");
    let error = fixture.source.find(&"ann".into()).await.expect_err("away");
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(fixture.source.down.load(Ordering::Relaxed));
    std::fs::rename(&away, &fixture.path).expect("moves back");
    assert!(
        fixture
            .source
            .find(&"ann".into())
            .await
            .expect("answers")
            .is_none()
    );
    assert!(!fixture.source.down.load(Ordering::Relaxed));
}
