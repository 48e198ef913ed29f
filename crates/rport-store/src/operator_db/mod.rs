//! Databases the operator owns (`[database]`): reaching them, and the few words of SQL in which the three kinds
//! differ. Source: config.md 3.4.
//!
//! One file per kind. Whoever keeps a table there writes statements once, with the help of [`Dialect`]; all of them
//! are prepared, and values are always parameters.

mod dialect;
mod error;
mod host;
pub(crate) mod mysql;
pub(crate) mod names;
mod options;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod statement;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rport_runtime::Tasks;

pub(crate) use self::dialect::Dialect;
pub use self::error::TableError;
use self::names::Table;
pub use self::options::{DatabaseOptions, DatabaseServer};
pub(crate) use self::statement::Statement;

/// How long connecting may take, and how long one statement.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(5);
pub(crate) const QUERY_LIMIT: Duration = Duration::from_secs(5);
/// How long reading or changing many rows may take.
pub(crate) const BULK_LIMIT: Duration = Duration::from_secs(60);
/// Connections to the database at most.
pub(crate) const CONNECTIONS: u32 = 8;

/// What a database answers with, sooner or later.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TableError>> + Send + 'a>>;

/// One row of texts.
pub(crate) type Row = Vec<Option<String>>;

/// One kind of database.
pub(crate) trait Database: Send + Sync {
    /// Runs a query whose columns are texts; each `?` stands for a parameter.
    fn rows(&self, sql: String, parameters: Vec<String>) -> Answer<'_, Vec<Row>>;
    /// Runs all statements in one transaction.
    fn change(&self, statements: Vec<Statement>) -> Answer<'_, ()>;
    /// How this kind writes what the others write differently.
    fn dialect(&self) -> Dialect;
}

/// Prepares access to a database; nothing is connected yet.
pub(crate) fn database(options: &DatabaseOptions, tasks: &Tasks) -> Result<Arc<dyn Database>, TableError> {
    Ok(match options {
        DatabaseOptions::Sqlite(path) => Arc::new(sqlite::SqliteFile::new(path, tasks)),
        DatabaseOptions::MySql(server) => Arc::new(mysql::MySqlServer::new(server)?),
        DatabaseOptions::Postgres(server) => Arc::new(postgres::PostgresServer::new(server)?),
    })
}

/// Gives up after a while.
pub(crate) async fn within<T>(limit: Duration, work: Answer<'_, T>) -> Result<T, TableError> {
    let seconds = limit.as_secs();
    let late = |_| Err(TableError::Unavailable(format!("no answer within {seconds} s")));
    tokio::time::timeout(limit, work).await.unwrap_or_else(late)
}

/// How messages call a table. Never contains the password.
pub(crate) fn place(database: &DatabaseOptions, table: &Table) -> String {
    let server = |kind: &str, server: &DatabaseServer| {
        let host = if server.host.is_empty() {
            "127.0.0.1"
        } else {
            &server.host
        };
        format!("{kind} database {:?} at {host}, table {table}", server.name)
    };
    match database {
        DatabaseOptions::Sqlite(path) => format!("SQLite database {}, table {table}", path.display()),
        DatabaseOptions::MySql(it) => server("MySQL/MariaDB", it),
        DatabaseOptions::Postgres(it) => server("PostgreSQL", it),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_everything_but_the_password() {
        let server = DatabaseServer {
            host: "socket:/run/db.sock".into(),
            user: "rport".into(),
            password: "geheim".into(),
            name: "fleet".into(),
        };
        let database = DatabaseOptions::MySql(server);
        assert!(!format!("{database:?}").contains("geheim"));
        let table = Table::parse("clients_auth", &database, "test").expect("valid");
        let expected = "MySQL/MariaDB database \"fleet\" at socket:/run/db.sock, table clients_auth";
        assert_eq!(place(&database, &table), expected);
    }
}
