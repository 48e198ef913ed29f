//! Credentials in a table of a database the operator owns. Source: storage.md 6, config.md 3.4.
//!
//! One [`Backend`] per kind of database runs the few statements; this file is what they have in common. The database
//! may come and go: then logins are refused, connected agents stay, and the log says once that it went and once that
//! it is back.

mod host;
mod mysql;
mod names;
mod outage;
mod postgres;
mod sqlite;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rport_domain::StoredPassword;
use rport_runtime::Tasks;

use self::names::Table;
use self::outage::Outage;
use super::options::{DatabaseOptions, DatabaseServer};
use super::provider::{Answer, Change, Pair, Provider, ProviderError};
use crate::error::StartError;

/// How long connecting may take, and how long one statement.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const QUERY_LIMIT: Duration = Duration::from_secs(5);
/// How long reading or changing many rows may take.
const BULK_LIMIT: Duration = Duration::from_secs(60);
/// Connections to the database at most.
const CONNECTIONS: u32 = 8;

/// Credentials in a table.
pub(crate) struct TableSource {
    backend: Arc<dyn Backend>,
    outage: Outage,
    example: Option<StoredPassword>,
    tasks: Tasks,
}

/// One kind of database. Ids are compared by the caller: what the database takes for equal may differ in case.
trait Backend: Send + Sync {
    /// Rows the database takes for this id; a few at most.
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>>;
    /// All rows, without those that have no id or password.
    fn all(&self) -> Answer<'_, Vec<Pair>>;
    /// Makes all changes in one transaction.
    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()>;
    /// Looks at server, table and columns, and for rows that make no sense. Errors say what to do.
    fn check(&self) -> Answer<'_, Findings>;
    /// Creates the table if it is missing.
    fn create(&self) -> Answer<'_, ()>;
}

/// What a check found out about a sound table.
#[derive(Debug, Default)]
struct Findings {
    /// A row without id or password: its id, which may be empty.
    incomplete: Option<String>,
    /// A hash out of the table.
    example: Option<String>,
}

impl TableSource {
    /// Connects and checks the table.
    ///
    /// # Errors
    /// What is wrong, as one line that names the database and the table and what to do.
    pub(crate) async fn open(database: &DatabaseOptions, table: &str, tasks: &Tasks) -> Result<Self, StartError> {
        let table = Table::parse(table, database)?;
        let place = place(database, &table);
        let backend = backend(database, &table, tasks)?;
        let findings = backend.check().await.map_err(|error| StartError::Database(format!("{place}: {error}")))?;
        if let Some(id) = findings.incomplete {
            return Err(StartError::Database(format!(
                "{place}: the row with id {id:?} has an empty id or password; complete it or delete it"
            )));
        }
        let example = findings.example.map(StoredPassword::new).filter(StoredPassword::is_hashed);
        Ok(Self { backend, outage: Outage::new(place), example, tasks: tasks.clone() })
    }

    /// Creates the table if it is missing, and checks it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn create(database: &DatabaseOptions, name: &str, tasks: &Tasks) -> Result<(), StartError> {
        let table = Table::parse(name, database)?;
        let place = place(database, &table);
        let backend = backend(database, &table, tasks)?;
        backend.create().await.map_err(|error| StartError::Database(format!("{place}: {error}")))?;
        Self::open(database, name, tasks).await.map(drop)
    }

    async fn watched<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let answer = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(ProviderError::Unavailable(format!("no answer within {} s", limit.as_secs())))
        });
        self.outage.note(&answer);
        answer
    }
}

impl Provider for TableSource {
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>> {
        Box::pin(async move {
            let rows = self.watched(QUERY_LIMIT, self.backend.find(id)).await?;
            let mut exact = rows.into_iter().filter(|(found, _)| found.as_str() == id);
            let found = exact.next();
            if exact.next().is_some() {
                // Without a primary key nobody can say which of the two was meant.
                tracing::error!(client_auth.id = id, table = self.outage.place(), "this id stands twice in the table");
                return Ok(None);
            }
            Ok(found.map(|(_, stored)| stored))
        })
    }

    fn list(&self) -> Answer<'_, Vec<Pair>> {
        Box::pin(self.watched(BULK_LIMIT, self.backend.all()))
    }

    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(async move {
            let limit = if changes.len() > 1 { BULK_LIMIT } else { QUERY_LIMIT };
            // A task of its own: a caller that hangs up must not leave the transaction half told.
            let backend = self.backend.clone();
            let work = self.tasks.spawn("client_auth_table", async move { backend.change(changes).await });
            let ended = async {
                work.await.unwrap_or_else(|_| Err(ProviderError::Unavailable("the server is stopping".into())))
            };
            self.watched(limit, ended).await
        })
    }

    fn example_hash(&self) -> Option<StoredPassword> {
        self.example.clone()
    }

    fn source_name(&self) -> &'static str {
        "DB"
    }
}

fn backend(database: &DatabaseOptions, table: &Table, tasks: &Tasks) -> Result<Arc<dyn Backend>, StartError> {
    Ok(match database {
        DatabaseOptions::Sqlite(path) => Arc::new(sqlite::Sqlite::new(path, table, tasks)),
        DatabaseOptions::MySql(server) => Arc::new(mysql::MySql::new(server, table)?),
        DatabaseOptions::Postgres(server) => Arc::new(postgres::Postgres::new(server, table)?),
    })
}

/// How messages call the table. Never contains the password.
fn place(database: &DatabaseOptions, table: &Table) -> String {
    let server = |kind: &str, server: &DatabaseServer| {
        let host = if server.host.is_empty() { "127.0.0.1" } else { &server.host };
        format!("{kind} database {:?} at {host}, table {table}", server.name)
    };
    match database {
        DatabaseOptions::Sqlite(path) => format!("SQLite database {}, table {table}", path.display()),
        DatabaseOptions::MySql(it) => server("MySQL/MariaDB", it),
        DatabaseOptions::Postgres(it) => server("PostgreSQL", it),
    }
}

/// Rows that have an id and a password.
fn sound(rows: Vec<(Option<String>, Option<String>)>) -> Vec<Pair> {
    let pairs = rows.into_iter().filter_map(|(id, password)| id.zip(password));
    pairs
        .filter(|(id, password)| !id.is_empty() && !password.is_empty())
        .map(|(id, password)| (id.into(), StoredPassword::new(password)))
        .collect()
}

/// Errors of the driver, not of the server: nearly always a connection that broke or was never made.
fn without_number(error: &sqlx::Error) -> ProviderError {
    use sqlx::Error;
    match error {
        Error::PoolTimedOut => {
            ProviderError::Unavailable(format!("no connection within {} s", CONNECT_LIMIT.as_secs()))
        }
        Error::ColumnDecode { .. } | Error::Decode(_) => {
            ProviderError::Failed("a row of the table is not made of texts".into())
        }
        error => ProviderError::Unavailable(error.to_string()),
    }
}

/// The advice of every check that finds no table.
fn missing_table(sql: &str) -> ProviderError {
    ProviderError::Failed(format!(
        "the table does not exist; create it with `rportd db create`, or with this SQL: {sql}"
    ))
}

/// The advice of every check that does not find the columns.
fn missing_column(problem: &str, sql: &str) -> ProviderError {
    ProviderError::Failed(format!(
        "the columns `id` and `password` are needed: {problem}; a table made with this SQL has them: {sql}"
    ))
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
        let table = Table::parse("clients_auth", &database).expect("valid");
        let expected = "MySQL/MariaDB database \"fleet\" at socket:/run/db.sock, table clients_auth";
        assert_eq!(place(&database, &table), expected);
    }
}
