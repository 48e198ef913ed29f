//! Which database, as the configuration names it.

use std::path::PathBuf;

use rport_runtime::Secret;

/// A database the operator owns (`[database]`).
#[derive(Debug, Clone)]
pub enum DatabaseOptions {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A MariaDB or MySQL server.
    MySql(DatabaseServer),
    /// A PostgreSQL server.
    Postgres(DatabaseServer),
}

/// How to reach a database server.
#[derive(Debug, Clone)]
pub struct DatabaseServer {
    /// `host`, `host:port`, `[address]:port`, or `socket:/path` (`db_host`). Empty means 127.0.0.1. For PostgreSQL
    /// the path may be the directory of the socket.
    pub host: String,
    /// The user (`db_user`).
    pub user: String,
    /// The user's password (`db_password`). May be empty.
    pub password: Secret,
    /// The database (`db_name`).
    pub name: String,
}
