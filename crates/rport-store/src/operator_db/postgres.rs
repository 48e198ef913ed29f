//! A PostgreSQL server of the operator. Beyond the original, which knows MySQL and SQLite only.

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Row as _};

use super::error::without_number;
use super::host::Host;
use super::{
    Answer, CONNECT_LIMIT, CONNECTIONS, Database, DatabaseServer, Dialect, Row, Statement, TableError,
};

const DEFAULT_PORT: u16 = 5432;

// SQLSTATE codes.
const UNDEFINED_TABLE: &str = "42P01";
const INVALID_SCHEMA: &str = "3F000";
const UNDEFINED_COLUMN: &str = "42703";
pub(crate) const UNIQUE_VIOLATION: &str = "23505";
const TOO_LONG: &str = "22001";
pub(crate) const UNTRANSLATABLE: &str = "22P05";
pub(crate) const NOT_IN_ENCODING: &str = "22021";
const READ_ONLY: &str = "25006";
/// Classes that pass or are mended on the server: connection, authorisation, unknown database, transaction rollback,
/// resources, lock, operator intervention, system error.
const UNAVAILABLE: &[&str] = &["08", "28", "3D", "40", "53", "55", "57", "58"];

/// Prepares access to a server; nothing is connected yet.
pub(crate) fn pool(server: &DatabaseServer) -> Result<PgPool, TableError> {
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
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_LIMIT)
        .connect_lazy_with(options))
}

pub(crate) struct PostgresServer {
    pool: PgPool,
}

impl PostgresServer {
    pub(crate) fn new(server: &DatabaseServer) -> Result<Self, TableError> {
        Ok(Self { pool: pool(server)? })
    }

    async fn change(&self, statements: Vec<Statement>) -> Result<(), TableError> {
        let mut step = self.pool.begin().await.map_err(|error| failed(&error))?;
        for statement in statements {
            let mut next = Some(statement);
            while let Some(statement) = next.take() {
                let query = sqlx::query(AssertSqlSafe(numbered(&statement.sql)));
                let query = statement
                    .parameters
                    .iter()
                    .fold(query, |query, text| query.bind(text.clone()));
                next = match query.execute(&mut *step).await {
                    Ok(done) => statement.done(done.rows_affected())?,
                    Err(error) if code(&error).as_deref() == Some(UNIQUE_VIOLATION) => {
                        return Err(statement.refused(|| failed(&error)));
                    }
                    Err(error) => return Err(failed(&error)),
                };
            }
        }
        step.commit().await.map_err(|error| failed(&error))
    }
}

impl Database for PostgresServer {
    fn rows(&self, sql: String, parameters: Vec<String>) -> Answer<'_, Vec<Row>> {
        Box::pin(async move {
            let query = sqlx::query(AssertSqlSafe(numbered(&sql)));
            let query = parameters.into_iter().fold(query, |query, text| query.bind(text));
            let rows = query
                .fetch_all(&self.pool)
                .await
                .map_err(|error| failed(&error))?;
            let texts = rows.iter().map(|row| {
                let columns = (0..row.columns().len()).map(|column| row.try_get(column));
                columns.collect::<Result<Row, _>>()
            });
            texts.collect::<Result<_, _>>().map_err(|error| failed(&error))
        })
    }

    fn change(&self, statements: Vec<Statement>) -> Answer<'_, ()> {
        Box::pin(self.change(statements))
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
}

/// PostgreSQL numbers its parameters. The question mark stands for nothing else in our statements.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        text.push_str(&format!("${}{part}", index + 1));
    }
    text
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

pub(crate) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

pub(crate) fn failed(error: &sqlx::Error) -> TableError {
    match code(error).as_deref() {
        Some(TOO_LONG) => TableError::Unfit("A value is too long for its column of the table.".into()),
        Some(UNTRANSLATABLE | NOT_IN_ENCODING) => {
            TableError::Unfit("The encoding of the database cannot hold a value.".into())
        }
        Some(UNDEFINED_TABLE | INVALID_SCHEMA) => TableError::NoTable(error.to_string()),
        Some(UNDEFINED_COLUMN) => TableError::NoColumn(error.to_string()),
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
    fn parameters_are_numbered() {
        assert_eq!(numbered("a = ? AND b = ?::text"), "a = $1 AND b = $2::text");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }

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
