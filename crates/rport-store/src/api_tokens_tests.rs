use rusqlite::Connection;

use super::*;

fn options(directory: &tempfile::TempDir) -> StoreOptions {
    StoreOptions {
        data_dir: directory.path().to_owned(),
        wal: true,
    }
}

fn made(user: &str, prefix: &str, name: &str) -> ApiToken {
    ApiToken {
        user: user.into(),
        prefix: prefix.into(),
        created_at: DateTime::from_timestamp(1_700_000_000, 0).expect("in range"),
        expires_at: DateTime::from_timestamp(1_800_000_000, 0),
        scope: "read".into(),
        hash: "$2y$10$x".into(),
        name: name.into(),
    }
}

#[tokio::test]
async fn a_file_of_the_go_server_opens_unchanged() {
    let directory = tempfile::tempdir().expect("a directory");
    let go = Connection::open(directory.path().join("api_token.db")).expect("opens");
    go.execute_batch(
        "CREATE TABLE schema_migrations (version uint64,dirty bool);
         CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
         INSERT INTO schema_migrations VALUES (3, 'false');
         CREATE TABLE api_tokens (username TEXT NOT NULL CHECK (username != ''), prefix TEXT NOT NULL CHECK (prefix != ''),
             created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, expires_at DATETIME, scope TEXT, token TEXT NOT NULL,
             name TEXT NOT NULL, PRIMARY KEY (username, prefix)) WITHOUT ROWID;
         CREATE UNIQUE INDEX api_tokens_unique_name ON api_tokens (username, name);
         INSERT INTO api_tokens VALUES ('admin', 'theprefi', '2024-05-01 12:00:00.123+02:00',
             '2034-05-01 12:00:00+02:00', 'read+write', '$2y$10$hash', 'ci');
         INSERT INTO api_tokens (username, prefix, token, name) VALUES ('admin', 'halfmade', '', '');",
    )
    .expect("a file as the Go server leaves it");
    drop(go);
    let tokens = ApiTokens::open(&options(&directory)).expect("opens");
    let found = tokens
        .find(&"admin".into(), "theprefi")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((found.scope.as_str(), found.name.as_str()), ("read+write", "ci"));
    assert_eq!(found.created_at.to_rfc3339(), "2024-05-01T10:00:00.123+00:00");
    let half = tokens
        .find(&"admin".into(), "halfmade")
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((half.scope.as_str(), half.expires_at), ("", None));

    assert_eq!(
        tokens.add(made("admin", "12345678", "more")).await,
        Ok(TokenWrite::Done)
    );
    tokens.close().await;
    let back = Connection::open(directory.path().join("api_token.db")).expect("opens");
    let (version, expires): (i64, String) = back
        .query_row(
            "SELECT (SELECT version FROM schema_migrations), expires_at FROM api_tokens WHERE prefix = '12345678'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("reads");
    assert_eq!((version, expires.as_str()), (3, "2027-01-15 08:00:00+00:00"));
}

#[tokio::test]
async fn names_are_unique_per_user_and_unknown_prefixes_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let tokens = ApiTokens::open(&options(&directory)).expect("opens");
    let ann = UserName::new("ann");
    assert_eq!(
        tokens.add(made("ann", "aaaaaaaa", "one")).await,
        Ok(TokenWrite::Done)
    );
    assert_eq!(
        tokens.add(made("ann", "bbbbbbbb", "one")).await,
        Ok(TokenWrite::NameTaken)
    );
    assert_eq!(
        tokens.add(made("bob", "bbbbbbbb", "one")).await,
        Ok(TokenWrite::Done)
    );
    assert_eq!(
        tokens.add(made("ann", "cccccccc", "two")).await,
        Ok(TokenWrite::Done)
    );
    let change =
        async |prefix: &str, name: &str| tokens.change(&ann, prefix, Some(name.to_owned()), None).await;
    assert_eq!(
        change("aaaaaaaa", "one").await,
        Ok(TokenWrite::Done),
        "its own name"
    );
    assert_eq!(change("cccccccc", "one").await, Ok(TokenWrite::NameTaken));
    assert_eq!(change("zzzzzzzz", "new").await, Ok(TokenWrite::NoSuchPrefix));
    assert_eq!(tokens.of_user(&ann).await.map(|all| all.len()), Ok(2));
    assert_eq!(tokens.delete(&ann, "aaaaaaaa").await, Ok(true));
    assert_eq!(tokens.delete(&ann, "aaaaaaaa").await, Ok(false));
    tokens.rename_user(&ann, &"bob".into()).await.expect("renames");
    let of_bob = tokens.of_user(&"bob".into()).await.expect("reads");
    assert_eq!(
        of_bob
            .iter()
            .map(|token| token.prefix.as_str())
            .collect::<Vec<_>>(),
        ["cccccccc"]
    );
    assert_eq!(tokens.delete_of_user(&"bob".into()).await, Ok(1));
}

#[tokio::test]
async fn old_versions_are_brought_up_to_date_even_with_rows() {
    let directory = tempfile::tempdir().expect("a directory");
    let go = Connection::open(directory.path().join("api_token.db")).expect("opens");
    go.execute_batch(
        "CREATE TABLE schema_migrations (version uint64,dirty bool);
         CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
         INSERT INTO schema_migrations VALUES (1, 'false');
         CREATE TABLE api_token (username TEXT NOT NULL, prefix TEXT NOT NULL, created_at DATETIME NOT NULL,
             expires_at DATETIME, scope TEXT, token TEXT NOT NULL, PRIMARY KEY (username, prefix)) WITHOUT ROWID;
         INSERT INTO api_token VALUES ('admin', 'theprefi', '2024-05-01 12:00:00+02:00', NULL, 'read', 'x');",
    )
    .expect("a file of version 1");
    drop(go);
    let tokens = ApiTokens::open(&options(&directory)).expect("opens");
    assert_eq!(tokens.of_user(&"admin".into()).await, Ok(Vec::new()));
}
