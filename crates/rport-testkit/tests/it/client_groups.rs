//! Access by client groups, and the files in which the Go server keeps them.

use std::{path::Path, time::Duration};

use reqwest::Method;
use rport_testkit::{
    pair::CONNECT_LIMIT,
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
    service::Service,
};
use rusqlite::Connection;
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

/// An administrator and a user of the group `ops`, who both have the password `foobaz`.
fn with_users(dir: &Path) -> anyhow::Result<ServerConfig> {
    let users = dir.join("api-auth.json");
    let hash = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";
    let list = json!([
        { "username": "root", "password": hash, "groups": ["Administrators"] },
        { "username": "olga", "password": hash, "groups": ["ops"] },
    ]);
    std::fs::write(&users, list.to_string())?;
    Ok(ServerConfig {
        login: ("root", "foobaz"),
        api_lines: vec![format!("auth_file = \"{}\"", users.display())],
        ..ServerConfig::new()
    })
}

#[tokio::test]
async fn a_client_group_opens_its_connected_clients_to_a_user_group() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut server = ServerProcess::start_with(with_users(dir.path())?).await?;
    let root = server.api();
    let olga = server.anonymous().with_basic("olga", "foobaz");
    let service = Service::tcp_echo().await?;
    let mut agents = Vec::new();
    for id in ["web-1", "db-1"] {
        let config = AgentConfig::new(id, server.config.agents);
        agents.push(AgentProcess::start(
            config.client(&format!("tags = [\"{}\"]", &id[..2])),
        )?);
        root.wait_connected(id, CONNECT_LIMIT).await;
    }
    let group = json!({ "id": "web", "description": "", "params": { "tag": ["we"],
        "connection_state": ["connected"] }, "allowed_user_groups": ["ops"] });
    assert_eq!(root.post_json("/client-groups", &group).await?.status, 201);

    let seen = olga.get("/clients?fields[clients]=id,groups").await?.data()?;
    assert_eq!(seen, json!([{ "id": "web-1", "groups": ["web"] }]));
    let remote = service.address();
    let tunnel = olga.open_tunnel("web-1", &format!("remote={remote}")).await?;
    assert_eq!(
        olga.get("/tunnels").await?.data()?.as_array().map(Vec::len),
        Some(1)
    );
    olga.close_tunnel("web-1", &tunnel.id).await?;
    let refused = olga
        .put(&format!("/clients/db-1/tunnels?remote={remote}"))
        .await?;
    assert_eq!(refused.status, 403, "{refused:?}");

    // Membership follows the client: gone with the connection, back with it.
    agents[0].child.terminate(SOON).await?;
    root.wait_disconnected("web-1", SOON).await;
    assert_eq!(olga.get("/clients/web-1").await?.status, 403);
    agents[0].restart()?;
    root.wait_connected("web-1", CONNECT_LIMIT).await;
    assert_eq!(olga.get("/clients/web-1").await?.status, 200);

    // The group outlives the server.
    server.child.terminate(SOON).await?;
    server.restart().await?;
    root.wait_connected("web-1", CONNECT_LIMIT).await;
    assert_eq!(olga.get("/clients/web-1").await?.status, 200);
    let gone = root
        .send(root.request(Method::DELETE, "/client-groups/web"))
        .await?;
    assert_eq!(gone.status, 204);
    assert_eq!(olga.get("/clients/web-1").await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn files_of_the_go_server_are_opened_and_left_as_they_are() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    std::fs::create_dir(&data)?;
    let bookkeeping = |version| {
        format!(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE schema_migrations (version uint64,dirty bool);
             CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
             INSERT INTO schema_migrations VALUES ({version}, 'false');"
        )
    };
    let groups = Connection::open(data.join("client_groups.db"))?;
    groups.execute_batch(&bookkeeping(2))?;
    groups.execute_batch(
        r#"CREATE TABLE client_groups (id TEXT PRIMARY KEY NOT NULL, description TEXT NOT NULL,
               params TEXT NOT NULL, allowed_user_groups TEXT NOT NULL DEFAULT '[]') WITHOUT ROWID;
           INSERT INTO client_groups VALUES ('all', 'Everything', '{"client_id":["*"],"name":null,"os":null,"os_arch":null,"os_family":null,"os_kernel":null,"hostname":null,"ipv4":null,"ipv6":null,"tag":null,"version":null,"address":null,"client_auth_id":null,"connection_state":null}', '["ops"]');"#,
    )?;
    drop(groups);
    let clients = Connection::open(data.join("clients.db"))?;
    clients.execute_batch(&bookkeeping(3))?;
    clients.execute_batch(
        r#"CREATE TABLE clients (id TEXT PRIMARY KEY NOT NULL, client_auth_id TEXT NOT NULL,
               disconnected_at DATETIME, details TEXT NOT NULL) WITHOUT ROWID;
           CREATE TABLE stored_tunnels (id TEXT PRIMARY KEY NOT NULL,
               client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE, created_at DATETIME, name TEXT,
               scheme TEXT, remote_ip TEXT, remote_port NUMBER, acl TEXT, public_port NUMBER, further_options TEXT);
           INSERT INTO clients VALUES ('go-1', 'rport', NULL, '{"name":"from Go","tags":["a"],"tunnels":[]}');
           INSERT INTO stored_tunnels VALUES ('0d7ac5b5-6e4b-4a55-9f3a-0ed7b1a2c3d4', 'go-1',
               '2023-05-04 10:11:12.131415161+00:00', 'ssh', 'ssh', '127.0.0.1', 22, NULL, NULL, '{"x":1}');"#,
    )?;
    drop(clients);

    let mut config = with_users(dir.path())?;
    config.data_dir = Some(data.clone());
    let mut server = ServerProcess::start_with(config).await?;
    let olga = server.anonymous().with_basic("olga", "foobaz");
    let group = olga.get("/client-groups/all").await?.data()?;
    assert_eq!(
        (&group["client_ids"], &group["num_clients"]),
        (&json!(["go-1"]), &json!(1))
    );
    let stored = olga.get("/clients/go-1/stored-tunnels").await?.data()?;
    assert_eq!(stored[0]["created_at"], "2023-05-04T10:11:12.131415161Z");
    assert_eq!(stored[0]["further_options"], json!({ "x": 1 }));
    server.child.terminate(SOON).await?;

    for (file, version) in [("client_groups.db", 2), ("clients.db", 3)] {
        let found: (i64, String) = Connection::open(data.join(file))?.query_row(
            "SELECT version, dirty FROM schema_migrations",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        assert_eq!(found, (version, "false".to_owned()), "{file}");
    }
    let columns: i64 = Connection::open(data.join("clients.db"))?.query_row(
        "SELECT COUNT(*) FROM pragma_table_info('stored_tunnels')",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(columns, 10, "no column was added");
    Ok(())
}
