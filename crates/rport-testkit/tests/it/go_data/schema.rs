//! What a Go server needs of a data directory to accept it again. Source: storage.md 2, 3 and 13.

use std::{collections::BTreeMap, path::Path};

use anyhow::ensure;
use rusqlite::Connection;

/// The files of the Go server.
const FILES: [&str; 10] = [
    "api_sessions.db",
    "api_token.db",
    "auditlog.db",
    "client_groups.db",
    "clients.db",
    "jobs.db",
    "library.db",
    "monitoring.db",
    "notifications.db",
    "vault.sqlite.db",
];

/// Schema and version of each file; all of it has to stay as it was.
pub(super) fn of_all(data_dir: &Path) -> anyhow::Result<BTreeMap<&'static str, Vec<String>>> {
    FILES
        .into_iter()
        .map(|file| Ok((file, of(&data_dir.join(file))?)))
        .collect()
}

fn of(file: &Path) -> anyhow::Result<Vec<String>> {
    let connection = Connection::open(file)?;
    let mut lines = Vec::new();
    for sql in [
        "SELECT coalesce(sql, name) FROM sqlite_master ORDER BY 1",
        "SELECT version || ' ' || dirty || ' ' || typeof(dirty) FROM schema_migrations",
    ] {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        for row in rows {
            lines.push(row?);
        }
    }
    Ok(lines)
}

/// Times as the Go driver writes them, hashes it can check, lists it can decode.
pub(super) fn check_rows(data_dir: &Path) -> anyhow::Result<()> {
    let go_time = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*[+-][0-9][0-9]:[0-9][0-9]";
    for (file, table, column) in [
        ("api_sessions.db", "api_sessions", "expires_at"),
        ("api_sessions.db", "api_sessions", "last_access_at"),
        ("api_token.db", "api_tokens", "created_at"),
        ("api_token.db", "api_tokens", "expires_at"),
        ("auditlog.db", "auditlog", "timestamp"),
        ("clients.db", "stored_tunnels", "created_at"),
        ("clients.db", "clients", "disconnected_at"),
    ] {
        let connection = Connection::open(data_dir.join(file))?;
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} NOT GLOB ?1");
        let odd: i64 = connection.query_row(&sql, [go_time], |row| row.get(0))?;
        ensure!(
            odd == 0,
            "{odd} rows of {table} in {file} have a {column} in another form"
        );
    }
    let tokens = Connection::open(data_dir.join("api_token.db"))?;
    let odd: i64 = tokens.query_row(
        "SELECT count(*) FROM api_tokens WHERE token NOT LIKE '$2y$10$%'",
        [],
        |row| row.get(0),
    )?;
    ensure!(odd == 0, "{odd} API tokens are hashed in another form");
    let groups = Connection::open(data_dir.join("client_groups.db"))?;
    let odd: i64 = groups.query_row(
        "SELECT count(*) FROM client_groups WHERE NOT json_valid(params) OR NOT json_valid(allowed_user_groups)",
        [],
        |row| row.get(0),
    )?;
    ensure!(odd == 0, "{odd} client groups cannot be read");
    Ok(())
}
