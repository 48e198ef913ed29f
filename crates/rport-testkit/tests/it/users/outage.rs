//! A database that goes away: requests are told so, and everything heals by itself.

use rport_testkit::{
    databases::{DatabaseKind, DatabaseServer},
    eventually,
    process::{ServerConfig, ServerProcess},
};
use serde_json::json;

use super::rig::SOON;

#[tokio::test]
async fn a_stopped_mariadb_heals() -> anyhow::Result<()> {
    a_stopped_database_heals(DatabaseKind::MariaDb).await
}

#[tokio::test]
async fn a_stopped_postgres_heals() -> anyhow::Result<()> {
    a_stopped_database_heals(DatabaseKind::Postgres).await
}

async fn a_stopped_database_heals(kind: DatabaseKind) -> anyhow::Result<()> {
    let mut database_server = DatabaseServer::start(kind)?;
    let mut config = ServerConfig::new();
    {
        let database = database_server.database()?;
        let (groups, group) = match kind {
            DatabaseKind::MariaDb => ("`groups`", "`group`"),
            DatabaseKind::Postgres => ("groups", "\"group\""),
        };
        for sql in [
            "CREATE TABLE users (username varchar(150) NOT NULL UNIQUE, password varchar(255) NOT NULL, \
             password_expired boolean NOT NULL DEFAULT false)",
            &format!("CREATE TABLE {groups} (username varchar(150), {group} varchar(150))"),
            "INSERT INTO users (username, password) VALUES ('admin', 'correct-horse')",
            &format!("INSERT INTO {groups} VALUES ('admin', 'Administrators')"),
        ] {
            database.rows(sql)?;
        }
        config.database_lines = database.tcp_lines();
    }
    config.api_lines = [
        "auth_user_table = \"users\"",
        "auth_group_table = \"groups\"",
        "user_login_wait = 0",
    ]
    .map(str::to_owned)
    .to_vec();
    let server = ServerProcess::start_with(config).await?;
    let api = server.api();

    database_server.halt();
    assert_eq!(api.get("/users").await?.status, 503);
    let new = json!({ "username": "ann", "password": "a very good password" });
    assert_eq!(api.post_json("/users", &new).await?.status, 503);
    // What was read a moment ago counts for seconds, and no longer.
    eventually("logins to be refused", SOON, || async {
        (api.get("/me").await.ok()?.status == 503).then_some(())
    })
    .await;

    database_server.resume()?;
    eventually("logins to work again", SOON, || async {
        (api.get("/me").await.ok()?.status == 200).then_some(())
    })
    .await;
    assert_eq!(api.post_json("/users", &new).await?.status, 201);
    Ok(())
}
