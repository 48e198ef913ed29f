use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rport_domain::Kind;

use super::*;
use crate::users::provider::CHANGED;

const HASH: &str = "$2y$10$ezwCZekHE/qxMb4g9n6rU.XIIdCnHnOo.q2wqqA8LyYf3ihonenmu";

fn fixture() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("api-auth.json");
    std::fs::write(&path, "[]").expect("writes");
    (folder, path)
}

fn open(path: &Path) -> File {
    File::read(path, &Tasks::new()).expect("sound")
}

fn user(name: &str) -> User {
    User {
        name: name.into(),
        password_hash: HASH.to_owned(),
        groups: vec!["ops".to_owned()],
        password_expired: true,
        two_fa_send_to: "a@example.com".to_owned(),
        totp_secret: "otpauth://totp/a".to_owned(),
    }
}

#[tokio::test]
async fn changes_are_on_disk_when_they_return() {
    let (_folder, path) = fixture();
    let file = open(&path);
    for odd in ["ann", "a/b", "' OR 1=1 --", "\"}", "\\", "客户端", "x\u{2028}x"] {
        file.add(user(odd)).await.expect("adds");
        let found = open(&path).find(&odd.into()).await.expect("answers");
        assert_eq!(found.as_deref(), Some(&user(odd)), "{odd}");
    }
    let change = UserChange {
        name: Some("bob".into()),
        password_expired: Some(false),
        groups: Some(Vec::new()),
        two_fa_send_to: Some("b@example.com".into()),
        totp_secret: Some(String::new()),
        ..UserChange::default()
    };
    file.change(&"ann".into(), change.clone()).await.expect("changes");
    let again = open(&path);
    let bob = again.find(&"bob".into()).await.expect("answers").expect("there");
    assert_eq!(*bob, change.applied_to(&user("ann")));
    assert!(again.find(&"ann".into()).await.expect("answers").is_none());
    file.delete(&"bob".into()).await.expect("deletes");
    assert_eq!(open(&path).list().await.expect("lists").len(), 6);
    let error = file.delete(&"bob".into()).await.expect_err("gone");
    assert_eq!(
        (error.kind, error.title.as_str()),
        (Kind::NotFound, "cannot find user by username 'bob'")
    );
    let error = file.add(user("a/b")).await.expect_err("there already");
    assert_eq!(error.title, "Another user with this username already exists");
}

#[tokio::test]
async fn what_others_wrote_is_never_overwritten() {
    let (_folder, path) = fixture();
    let file = open(&path);
    let edited = format!("[{{\"username\":\"eve\",\"password\":\"{HASH}\"}}]");
    std::fs::write(&path, &edited).expect("writes");
    let error = file.add(user("ann")).await.expect_err("refused");
    assert_eq!((error.kind, error.code), (Kind::Conflict, CHANGED));
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), edited);
    file.reload().expect("sound");
    file.add(user("ann")).await.expect("adds");
    assert_eq!(open(&path).list().await.expect("lists").len(), 2);
    std::fs::remove_file(&path).expect("removes");
    assert_eq!(
        file.delete(&"ann".into()).await.expect_err("refused").kind,
        Kind::Conflict
    );
}

#[tokio::test]
async fn parallel_changes_lose_none_and_the_mode_stays() {
    let (_folder, path) = fixture();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("sets");
    let file = Arc::new(open(&path));
    let writers = (0..50).map(|number| {
        let file = file.clone();
        async move { file.add(user(&format!("user{number}"))).await }
    });
    for outcome in futures_util::future::join_all(writers).await {
        outcome.expect("adds");
    }
    assert_eq!(open(&path).list().await.expect("lists").len(), 50);
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn hashes_the_go_server_refuses_are_not_written() {
    let (_folder, path) = fixture();
    let file = open(&path);
    for bad in ["plain", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAA$AAAA", ""] {
        let bad = User {
            password_hash: bad.to_owned(),
            ..user("ann")
        };
        assert!(file.add(bad).await.is_err());
    }
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), "[]");
}
