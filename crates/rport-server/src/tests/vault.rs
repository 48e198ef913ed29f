//! The vault across restarts, against guessing, and in the audit log.

use rport_domain::{Kind, Permission, Permissions, VAULT_LIST, VaultLabel, VaultStatus, VaultValueId};
use rusqlite::Connection;

use super::*;
use crate::{VaultKeyDerivation, VaultOptions};

fn label(key: &str, client: &str, group: &str) -> VaultLabel {
    VaultLabel {
        key: key.into(),
        client_id: client.into(),
        required_group: group.into(),
        kind: "secret".into(),
    }
}

fn with(key_derivation: VaultKeyDerivation) -> Options {
    Options {
        vault: VaultOptions { key_derivation },
        ..options()
    }
}

/// User, action, affected id, client and request of what the vault wrote.
fn audited(directory: &TempDir) -> Vec<[String; 5]> {
    let file = Connection::open(directory.path().join("auditlog.db")).expect("opens");
    let mut query = file
        .prepare(
            "SELECT username, action, affected_id, client_id, request FROM auditlog
             WHERE application = 'vault' ORDER BY rowid",
        )
        .expect("valid");
    let rows = query
        .query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
        })
        .expect("runs");
    rows.collect::<Result<_, _>>().expect("reads")
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, rport_domain::Error>) -> (Kind, String) {
    let error = outcome.expect_err("refused");
    (error.kind, error.title)
}

#[tokio::test]
async fn a_restart_locks_and_loses_nothing() {
    for derivation in [VaultKeyDerivation::Go, VaultKeyDerivation::Argon2id] {
        let server = TestServer::start_with(with(derivation)).await;
        let vault = server.server.vault().clone();
        vault.init(&admin(), "geheim".into()).await.expect("made");
        let id = vault
            .add(&admin(), label("db", "", ""), &"Zwiebelkuchen".into())
            .await
            .expect("stored");
        let directory = server.stop().await;
        assert_eq!(
            refused(vault.get(&admin(), id).await),
            (Kind::Conflict, "vault is locked".to_owned()),
            "stopping wipes the key"
        );
        let bytes = std::fs::read(directory.path().join("vault.sqlite.db")).expect("reads");
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds("geheim") && !holds("Zwiebelkuchen"));

        // What the configuration says now does not matter to a vault that was made before.
        let server = TestServer::start_in(directory, options()).await;
        let vault = server.server.vault();
        assert_eq!(vault.status(&admin()).await.expect("told"), VaultStatus::Locked);
        assert_eq!(refused(vault.get(&admin(), id).await).0, Kind::Conflict);
        vault.unlock(&admin(), "geheim".into()).await.expect("unlocked");
        let value = vault.get(&admin(), id).await.expect("readable");
        assert_eq!(value.value.expose(), "Zwiebelkuchen");
        assert!(!format!("{value:?}").contains("Zwiebelkuchen"));
        server.stop().await;
    }
}

#[tokio::test]
async fn guessing_gets_slower_and_is_noted() {
    let server = TestServer::start().await;
    let vault = server.server.vault().clone();
    vault.init(&admin(), "geheim".into()).await.expect("made");
    vault.lock(&admin()).await.expect("locked");
    let guess = async |password: &str| vault.unlock(&admin(), password.into()).await;
    for _ in 0..4 {
        assert_eq!(
            refused(guess("falsch").await),
            (Kind::Unauthenticated, "wrong password provided".to_owned())
        );
    }
    assert_eq!(
        refused(guess("geheim").await).0,
        Kind::TooManyAttempts,
        "the right one has to wait, too"
    );
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(guess("falsch").await).0, Kind::Unauthenticated);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(guess("geheim").await).0, Kind::TooManyAttempts);
    server.clock.advance(Duration::from_secs(1));
    guess("geheim").await.expect("unlocked");
    vault.lock(&admin()).await.expect("locked");
    for _ in 0..3 {
        assert_eq!(
            refused(guess(&"x".repeat(100_000)).await).0,
            Kind::Unauthenticated
        );
    }

    // Side by side is no way around.
    let guesses = (0..20).map(|_| guess("falsch"));
    let mut kinds: Vec<Kind> = Vec::new();
    for outcome in futures_util::future::join_all(guesses).await {
        kinds.push(refused(outcome).0);
    }
    let tried = kinds.iter().filter(|kind| **kind == Kind::Unauthenticated);
    assert_eq!(tried.count(), 1, "{kinds:?}");

    let directory = server.stop().await;
    let entries = audited(&directory);
    let failed: Vec<_> = entries.iter().filter(|entry| entry[1] == "failed").collect();
    assert_eq!(failed.len(), 9);
    assert!(
        failed
            .iter()
            .all(|entry| entry[0] == "admin" && entry[4] == r#"{"attempt":"unlock"}"#)
    );
    assert!(!format!("{entries:?}").contains("geheim"));
}

#[tokio::test]
async fn everything_is_noted_without_values() {
    let server = TestServer::start().await;
    let vault = server.server.vault().clone();
    vault.init(&admin(), "geheim".into()).await.expect("made");
    let id = vault
        .add(&admin(), label("db", "", ""), &"Wert".into())
        .await
        .expect("stored");
    vault.get(&admin(), id).await.expect("read");
    let change = label("db", "c1", "");
    vault
        .replace(&admin(), id, change, &"Wert".into())
        .await
        .expect("stored");
    vault
        .resolve(&member_of(&[]), "db", &ClientId::from("c1"))
        .await
        .expect("resolved");
    vault.delete(&admin(), id).await.expect("gone");
    vault.lock(&admin()).await.expect("locked");
    vault.unlock(&admin(), "geheim".into()).await.expect("unlocked");
    let directory = server.stop().await;
    let entries = audited(&directory);
    let actions: Vec<&str> = entries.iter().map(|entry| entry[1].as_str()).collect();
    assert_eq!(
        actions,
        [
            "init", "create", "read", "update", "read", "delete", "lock", "unlock"
        ]
    );
    let created: serde_json::Value = serde_json::from_str(&entries[1][4]).expect("JSON");
    let expected = serde_json::json!({
        "client_id": "", "required_group": "", "key": "db", "value": "", "type": "secret",
    });
    assert_eq!((entries[1][2].as_str(), created), ("1", expected));
    assert_eq!(entries[4][0], "member");
    assert!(entries[4][4].contains(r#""used_on":"c1""#), "{}", entries[4][4]);
    assert!(!format!("{entries:?}").contains("Wert"));
}

#[tokio::test]
async fn a_value_of_the_client_comes_before_one_of_none() {
    let server = TestServer::start().await;
    let vault = server.server.vault();
    vault.init(&admin(), "geheim".into()).await.expect("made");
    for (key, client, group, value) in [
        ("db", "", "", "for all"),
        ("db", "c1", "", "for c1"),
        ("root", "c1", "ops", "for ops"),
        ("root", "", "", "never for c1"),
    ] {
        let stored = vault
            .add(&admin(), label(key, client, group), &value.into())
            .await;
        stored.expect("stored");
    }
    let resolve = async |actor: &Actor, key: &str, client: &str| {
        let value = vault.resolve(actor, key, &ClientId::from(client)).await;
        value.map(|value| value.expose().to_owned())
    };
    let (member, ops) = (member_of(&[]), member_of(&["ops"]));
    assert_eq!(resolve(&member, "db", "c1").await.expect("open"), "for c1");
    assert_eq!(resolve(&member, "db", "c2").await.expect("open"), "for all");
    assert_eq!(resolve(&ops, "root", "c1").await.expect("open"), "for ops");
    assert_eq!(refused(resolve(&member, "root", "c1").await).0, Kind::Forbidden);
    assert_eq!(refused(resolve(&admin(), "root", "c1").await).0, Kind::Forbidden);
    assert_eq!(refused(resolve(&member, "nothing", "c1").await).0, Kind::NotFound);
    vault.lock(&admin()).await.expect("locked");
    assert_eq!(refused(resolve(&member, "db", "c1").await).0, Kind::Conflict);
    server.stop().await;
}

#[tokio::test]
async fn the_permission_is_needed_for_all_and_the_rest_is_for_administrators() {
    let server = TestServer::start().await;
    let vault = server.server.vault();
    let mut nobody = admin();
    nobody.permissions = Permissions::all()
        .iter()
        .filter(|permission| *permission != Permission::Vault)
        .collect();
    let query = ListQuery::parse::<&str, &str>(&[], &VAULT_LIST).expect("valid");
    let (id, value) = (VaultValueId(1), "Wert".into());
    let forbidden = [
        refused(vault.status(&nobody).await),
        refused(vault.init(&nobody, "geheim".into()).await),
        refused(vault.unlock(&nobody, "geheim".into()).await),
        refused(vault.lock(&nobody).await),
        refused(vault.list(&nobody, &query).await),
        refused(vault.get(&nobody, id).await),
        refused(vault.add(&nobody, label("k", "", ""), &value).await),
        refused(vault.replace(&nobody, id, label("k", "", ""), &value).await),
        refused(vault.delete(&nobody, id).await),
        refused(vault.resolve(&nobody, "k", &ClientId::from("c")).await),
    ];
    let text = "user does not have \"vault\" permission";
    assert!(
        forbidden
            .iter()
            .all(|refusal| *refusal == (Kind::Forbidden, text.to_owned()))
    );
    let member = member_of(&["ops"]);
    assert_eq!(
        vault.status(&member).await.expect("told"),
        VaultStatus::Uninitialized
    );
    for refusal in [
        refused(vault.init(&member, "geheim".into()).await),
        refused(vault.unlock(&member, "geheim".into()).await),
        refused(vault.lock(&member).await),
    ] {
        assert_eq!(refusal.0, Kind::Forbidden);
    }
    server.stop().await;
}

/// Rows of a Go server that was given the password `vault-pass-1`.
#[tokio::test]
async fn a_go_servers_vault_opens() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let file = Connection::open(directory.path().join("vault.sqlite.db")).expect("opens");
        file.execute_batch(
            r#"
            CREATE TABLE schema_migrations (version uint64,dirty bool);
            INSERT INTO schema_migrations VALUES (1, 'false');
            CREATE TABLE "values" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "client_id" text NOT NULL DEFAULT 0,
                "required_group" TEXT, "created_at" DATE NOT NULL, "created_by" TEXT NOT NULL,
                "updated_at" DATE NOT NULL, "updated_by" TEXT, "key" TEXT NOT NULL, "value" TEXT NOT NULL,
                "type" TEXT NOT NULL);
            CREATE UNIQUE INDEX "unique_client_id_key" ON `values` ("client_id" ASC, "key" ASC);
            CREATE TABLE "status" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "db_status" text NOT NULL,
                "enc_check" TEXT, "dec_check" TEXT);
            INSERT INTO "values" VALUES
                (1, 'go-agent', '', '2026-11-23T16:29:04Z', 'admin', '2026-11-23T16:29:04Z', 'admin', 'db',
                 'w1AU3Xumtz0fEpLi3gUbqoin74wr7SImkdL9Go4GheEpjEmQFh93', 'secret'),
                (2, '', 'Administrators', '2026-11-23T16:29:04Z', 'admin', '2026-11-23T16:29:04Z', 'admin', 'broken',
                 'g/wsKEuYdRjCrCz5anCr4MN6m+ZgLOram88uXtsvDYX=', 'text');
            INSERT INTO status VALUES (1, 'setup-completed',
                'jwnmS3H/NZTnKDPPYaaYfvsfyxl1C38G1gPaJYfM1YGM7K7F5xupGfIHsxpjxUKP4gdgbZfeWIgAjnZhJ8gI6WNVsnoZF7RZi1y3uOX+sQ==',
                CAST(x'31373935e3b0c44298fc1c149afbf4' AS TEXT));
            "#,
        )
        .expect("the fixture is valid");
    }
    let server = TestServer::start_in(directory, with(VaultKeyDerivation::Argon2id)).await;
    let vault = server.server.vault();
    assert_eq!(
        refused(vault.init(&admin(), "geheim".into()).await),
        (Kind::Conflict, "vault is already initialized".to_owned())
    );
    assert_eq!(
        refused(vault.unlock(&admin(), "vault-pass-2".into()).await).0,
        Kind::Unauthenticated
    );
    vault
        .unlock(&admin(), "vault-pass-1".into())
        .await
        .expect("unlocked");
    let value = vault.get(&admin(), VaultValueId(1)).await.expect("readable");
    assert_eq!(value.value.expose(), "gehäim <1>");
    let broken = refused(vault.get(&admin(), VaultValueId(2)).await);
    assert_eq!(broken, (Kind::Internal, "internal server error".to_owned()));
    server.stop().await;
}
