use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::*;

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    tasks: Tasks,
}

fn fixture(text: &str) -> Fixture {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("client-auth.json");
    std::fs::write(&path, text).expect("writes");
    Fixture {
        _folder: folder,
        path,
        tasks: Tasks::new(),
    }
}

impl Fixture {
    fn open(&self) -> File {
        File::read(&self.path, &self.tasks).expect("a sound file")
    }
}

fn insert(id: &str, password: &str) -> Vec<Change> {
    vec![Change::Insert(id.into(), StoredPassword::new(password))]
}

async fn password(file: &File, id: &str) -> Option<String> {
    file.lookup(id)
        .await
        .expect("answers")
        .map(|stored| stored.expose().to_owned())
}

#[tokio::test]
async fn adds_replaces_and_deletes_are_on_disk_when_they_return() {
    let fixture = fixture("{\"admin\": \"123456\"}");
    let file = fixture.open();
    for odd in ["client1", "a/b", "' OR 1=1 --", "\"}", "\\", "客户端", "\u{2028}"] {
        file.change(insert(odd, "pass\"word")).await.expect("adds");
        assert_eq!(
            password(&fixture.open(), odd).await.as_deref(),
            Some("pass\"word"),
            "{odd}"
        );
    }
    let rotate = Change::Replace("client1".into(), StoredPassword::new("changed"));
    file.change(vec![rotate, Change::Delete("admin".into())])
        .await
        .expect("changes");
    let again = fixture.open();
    assert_eq!(password(&again, "client1").await.as_deref(), Some("changed"));
    assert_eq!(
        (password(&again, "admin").await, password(&file, "admin").await),
        (None, None)
    );
    assert_eq!(again.list().await.expect("lists").len(), 7);
}

#[tokio::test]
async fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let fixture = fixture("{\"admin\": \"123456\"}");
    let file = fixture.open();
    let before = std::fs::read(&fixture.path).expect("reads");
    let mut batch = insert("new", "1234");
    batch.extend(insert("admin", "1234"));
    let error = file.change(batch).await.expect_err("refused");
    assert!(
        matches!(&error, ProviderError::Exists(id) if id.as_str() == "admin"),
        "{error}"
    );
    let missing = file
        .change(vec![Change::Delete("nobody".into())])
        .await
        .expect_err("refused");
    assert!(matches!(missing, ProviderError::Missing(_)));
    assert_eq!(password(&file, "new").await, None);
    assert_eq!(
        std::fs::read(&fixture.path).expect("reads"),
        before,
        "not even rewritten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_adds_lose_none() {
    let fixture = fixture("{}");
    let file = Arc::new(fixture.open());
    let adds: Vec<_> = (0..50)
        .map(|number| {
            let file = file.clone();
            fixture.tasks.spawn("add", async move {
                file.change(insert(&format!("client{number}"), "1234")).await
            })
        })
        .collect();
    for add in adds {
        add.await.expect("no panic").expect("added");
    }
    assert_eq!(file.list().await.expect("lists").len(), 50);
    assert_eq!(fixture.open().list().await.expect("lists").len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hang_up_disturb_nobody() {
    let fixture = fixture("{}");
    let file = fixture.open();
    for number in 0..20 {
        let change = file.change(insert(&format!("client{number}"), "1234"));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(200), change).await;
    }
    file.change(insert("last", "1234")).await.expect("added");
    fixture.tasks.wait().await;
    let (seen, stored) = (
        file.list().await.expect("lists"),
        fixture.open().list().await.expect("lists"),
    );
    let ids = |pairs: Vec<Pair>| pairs.into_iter().map(|(id, _)| id).collect::<HashSet<_>>();
    assert_eq!(ids(seen), ids(stored));
}

#[tokio::test]
async fn edits_by_others_have_no_effect_and_are_never_overwritten() {
    let fixture = fixture("{\"admin\": \"123456\"}");
    let file = fixture.open();
    // Of the same length, so that only the content tells.
    let edited = "{\"admin\": \"654321\"}";
    std::fs::write(&fixture.path, edited).expect("writes");
    assert_eq!(
        password(&file, "admin").await.as_deref(),
        Some("123456"),
        "as read at start"
    );
    let error = file.change(insert("client1", "1234")).await.expect_err("refused");
    assert!(matches!(error, ProviderError::ChangedOnDisk(_)));
    let text = error.to_string();
    assert!(
        text.contains("client-auth.json") && text.contains("SIGHUP"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&fixture.path).expect("reads"), edited);
    assert_eq!(password(&file, "client1").await, None);

    file.reload().expect("sound");
    assert_eq!(password(&file, "admin").await.as_deref(), Some("654321"));
    file.change(insert("client1", "1234")).await.expect("adds");
    assert_eq!(fixture.open().list().await.expect("lists").len(), 2);
}

#[tokio::test]
async fn two_processes_notice_each_other() {
    let fixture = fixture("{}");
    let (server, command) = (fixture.open(), fixture.open());
    command.change(insert("client1", "1234")).await.expect("adds");
    let error = server
        .change(insert("client2", "1234"))
        .await
        .expect_err("refused");
    assert!(matches!(error, ProviderError::ChangedOnDisk(_)));
    server.reload().expect("sound");
    server.change(insert("client2", "1234")).await.expect("adds");
    assert_eq!(server.list().await.expect("lists").len(), 2);
}

#[tokio::test]
async fn a_bad_file_at_reload_keeps_the_known_credentials() {
    let fixture = fixture("{\"admin\": \"123456\"}");
    let file = fixture.open();
    for bad in ["{\"admin\": ", "{\"admin\": \"\"}", "", "[]"] {
        std::fs::write(&fixture.path, bad).expect("writes");
        let error = file.reload().expect_err("refused").to_string();
        assert!(error.contains("client-auth.json"), "{error}");
        assert_eq!(password(&file, "admin").await.as_deref(), Some("123456"));
    }
    std::fs::remove_file(&fixture.path).expect("removes");
    assert!(file.reload().is_err());
    let error = file.change(insert("client1", "1234")).await.expect_err("refused");
    assert!(matches!(error, ProviderError::ChangedOnDisk(_)), "{error}");
    assert!(!fixture.path.exists(), "a file that is gone is not made again");
}

#[tokio::test]
async fn a_missing_file_and_invalid_bytes_stop_the_start() {
    let fixture = fixture("{}");
    std::fs::write(&fixture.path, b"{\"a\": \"\xff\xff\xff\"}").expect("writes");
    let error = File::read(&fixture.path, &fixture.tasks)
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("invalid utf-8"), "{error}");
    std::fs::remove_file(&fixture.path).expect("removes");
    let error = File::read(&fixture.path, &fixture.tasks)
        .err()
        .expect("refused")
        .to_string();
    assert!(
        error.contains("client-auth.json") && error.contains("No such file"),
        "{error}"
    );
}

#[tokio::test]
async fn ten_thousand_credentials_are_no_burden() {
    let fixture = fixture("{}");
    let file = fixture.open();
    let batch = (0..10_000)
        .flat_map(|number| insert(&format!("client{number}"), "a password"))
        .collect();
    file.change(batch).await.expect("adds");
    let started = Instant::now();
    for number in 0..1000 {
        assert!(password(&file, &format!("client{number}")).await.is_some());
    }
    let looked_up = started.elapsed();
    let started = Instant::now();
    file.change(insert("one more", "1234")).await.expect("adds");
    let added = started.elapsed();
    assert_eq!(file.list().await.expect("lists").len(), 10_001);
    assert!(
        looked_up.as_millis() < 500 && added.as_secs() < 5,
        "{looked_up:?} {added:?}"
    );
}
