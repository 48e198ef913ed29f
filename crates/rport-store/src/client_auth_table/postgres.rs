//! A table on a PostgreSQL server. Beyond the original, which knows MySQL and SQLite only.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use super::error::{missing_column, missing_table, without_number};
use super::host::Host;
use super::names::Table;
use super::{
    Answer, Backend, CONNECT_LIMIT, CONNECTIONS, DatabaseServer, Pair, TableChange, TableError, TableFindings,
};

const DEFAULT_PORT: u16 = 5432;

// SQLSTATE codes.
const UNDEFINED_TABLE: &str = "42P01";
const INVALID_SCHEMA: &str = "3F000";
const UNDEFINED_COLUMN: &str = "42703";
const UNIQUE_VIOLATION: &str = "23505";
const TOO_LONG: &str = "22001";
const UNTRANSLATABLE: &str = "22P05";
const NOT_IN_ENCODING: &str = "22021";
const READ_ONLY: &str = "25006";
/// Classes that pass or are mended on the server: connection, authorisation, unknown database, transaction rollback,
/// resources, lock, operator intervention, system error.
const UNAVAILABLE: &[&str] = &["08", "28", "3D", "40", "53", "55", "57", "58"];

pub(super) struct Postgres {
    pool: PgPool,
    table: String,
}

impl Postgres {
    /// Does not connect yet.
    pub(super) fn new(server: &DatabaseServer, table: &Table) -> Result<Self, TableError> {
        // Everything is set here, so that the environment and password files of some user cannot interfere. TLS where
        // the server offers it, without checking its certificate.
        let options = PgConnectOptions::new_without_pgpass()
            .username(&server.user)
            .password(server.password.expose())
            .database(&server.name)
            .ssl_mode(PgSslMode::Prefer)
            .application_name("rportd");
        let options = match Host::parse(&server.host, DEFAULT_PORT)? {
            Host::Tcp(host, port) => options.host(&host).port(port),
            Host::Socket(path) => {
                let (directory, port) = socket(&path);
                options.socket(directory).port(port)
            }
        };
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_LIMIT)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            table: table.quoted(),
        })
    }

    fn create_sql(&self) -> String {
        format!(
            "CREATE TABLE {} (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL);",
            self.table
        )
    }

    fn select(&self, rest: &str) -> String {
        format!("SELECT id::text, password::text FROM {} {rest}", self.table)
    }

    async fn rows(&self, sql: String, id: Option<&str>) -> Result<Vec<Pair>, sqlx::Error> {
        let query = sqlx::query_as(AssertSqlSafe(sql));
        let query = if let Some(id) = id { query.bind(id) } else { query };
        Ok(super::sound(query.fetch_all(&self.pool).await?))
    }

    async fn change(&self, changes: Vec<TableChange>) -> Result<(), TableError> {
        let table = &self.table;
        // Byte for byte, also where the column has a collation without regard to case.
        let exactly = "id = $1 AND id::text COLLATE \"C\" = $1::text";
        let mut step = self.pool.begin().await.map_err(|error| failed(&error))?;
        for change in &changes {
            let (sql, id, password) = match change {
                TableChange::Insert(id, stored) => (
                    format!("INSERT INTO {table} (id, password) VALUES ($1, $2)"),
                    id,
                    Some(stored.expose()),
                ),
                TableChange::Replace(id, stored) => (
                    format!("UPDATE {table} SET password = $2 WHERE {exactly}"),
                    id,
                    Some(stored.expose()),
                ),
                TableChange::Delete(id) => (format!("DELETE FROM {table} WHERE {exactly}"), id, None),
            };
            let query = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str());
            let query = if let Some(password) = password {
                query.bind(password)
            } else {
                query
            };
            let done = query
                .execute(&mut *step)
                .await
                .map_err(|error| match code(&error).as_deref() {
                    Some(UNIQUE_VIOLATION) => TableError::Exists(id.clone()),
                    _ => failed(&error),
                })?;
            if done.rows_affected() == 0 {
                return Err(TableError::Missing(id.clone()));
            }
        }
        step.commit().await.map_err(|error| failed(&error))
    }

    async fn check(&self) -> Result<TableFindings, TableError> {
        let table = &self.table;
        let incomplete = format!(
            "SELECT COALESCE(id::text, '') FROM {table}
             WHERE id IS NULL OR password IS NULL OR id::text = '' OR password::text = '' LIMIT 1"
        );
        let example = format!("SELECT password::text FROM {table} WHERE password::text LIKE '$%' LIMIT 1");
        Ok(TableFindings {
            incomplete: self.first(incomplete).await?,
            example: self.first(example).await?,
        })
    }

    async fn first(&self, sql: String) -> Result<Option<String>, TableError> {
        let first = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_optional(&self.pool)
            .await;
        first.map_err(|error| match code(&error).as_deref() {
            Some(UNDEFINED_TABLE | INVALID_SCHEMA) => missing_table(&self.create_sql()),
            Some(UNDEFINED_COLUMN) => missing_column(&error.to_string(), &self.create_sql()),
            _ => failed(&error),
        })
    }
}

impl Backend for Postgres {
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>> {
        Box::pin(async move {
            match self.rows(self.select("WHERE id = $1 LIMIT 8"), Some(id)).await {
                // The database's encoding has no way to write this id, so it is not there.
                Err(error) if matches!(code(&error).as_deref(), Some(UNTRANSLATABLE | NOT_IN_ENCODING)) => {
                    Ok(Vec::new())
                }
                rows => rows.map_err(|error| failed(&error)),
            }
        })
    }

    fn all(&self) -> Answer<'_, Vec<Pair>> {
        Box::pin(async move {
            self.rows(self.select(""), None)
                .await
                .map_err(|error| failed(&error))
        })
    }

    fn change(&self, changes: Vec<TableChange>) -> Answer<'_, ()> {
        Box::pin(self.change(changes))
    }

    fn check(&self) -> Answer<'_, TableFindings> {
        Box::pin(self.check())
    }

    fn create(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let sql = self
                .create_sql()
                .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
            sqlx::query(AssertSqlSafe(sql))
                .execute(&self.pool)
                .await
                .map_err(|error| failed(&error))?;
            Ok(())
        })
    }
}

/// The directory of a socket and its port. The path may be that of the socket itself, whose name ends in the port, or
/// the directory: then the port is that of the only socket there, or the usual one.
fn socket(path: &str) -> (String, u16) {
    let port_of = |name: &str| name.strip_prefix(".s.PGSQL.")?.parse().ok();
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(port) = port_of(name) {
        return (directory.to_owned(), port);
    }
    let names = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let mut ports = names.filter_map(|name| port_of(name.to_str()?));
    let port = match (ports.next(), ports.next()) {
        (Some(only), None) => only,
        _ => DEFAULT_PORT,
    };
    (path.to_owned(), port)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn failed(error: &sqlx::Error) -> TableError {
    match code(error).as_deref() {
        Some(TOO_LONG) => {
            TableError::Unfit("The id or the password is too long for its column of the table.".into())
        }
        Some(UNTRANSLATABLE | NOT_IN_ENCODING) => {
            TableError::Unfit("The encoding of the database cannot hold the id or the password.".into())
        }
        Some(code) if code == READ_ONLY || UNAVAILABLE.iter().any(|class| code.starts_with(class)) => {
            TableError::Unavailable(error.to_string())
        }
        Some(_) => TableError::Failed(error.to_string()),
        None => without_number(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_directory_and_its_port() {
        assert_eq!(socket("/no/such"), ("/no/such".into(), 5432));
        assert_eq!(socket("/no/such/.s.PGSQL.5433"), ("/no/such".into(), 5433));
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_str().expect("text");
        std::fs::write(directory.path().join(".s.PGSQL.5434"), "").expect("writes");
        std::fs::write(directory.path().join(".s.PGSQL.5434.lock"), "").expect("writes");
        assert_eq!(socket(path), (path.to_owned(), 5434));
        std::fs::write(directory.path().join(".s.PGSQL.5432"), "").expect("writes");
        assert_eq!(
            socket(path),
            (path.to_owned(), 5432),
            "the usual one where there is a choice"
        );
    }
}
