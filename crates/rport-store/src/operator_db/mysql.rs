//! A MariaDB or MySQL server of the operator.

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::error::without_number;
use super::host::Host;
use super::{
    Answer, CONNECT_LIMIT, CONNECTIONS, Database, DatabaseServer, Dialect, Row, Statement, TableError,
};

const DEFAULT_PORT: u16 = 3306;

// Error numbers of the server.
const NO_SUCH_TABLE: u16 = 1146;
const UNKNOWN_COLUMN: u16 = 1054;
pub(crate) const DUPLICATE: u16 = 1062;
const TOO_LONG: u16 = 1406;
const NOT_REPRESENTABLE: u16 = 1366;
pub(crate) const MIXED_COLLATIONS: u16 = 1267;
pub(crate) const CANNOT_CONVERT: u16 = 3854;
/// Too many connections, access denied, unknown database, shutdown, blocked or forbidden host, lock wait, deadlock,
/// used-up resources, read-only, killed: they pass or are mended on the server.
const UNAVAILABLE: &[u16] = &[
    1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 4031,
];

/// Prepares access to a server; nothing is connected yet.
pub(crate) fn pool(server: &DatabaseServer) -> Result<MySqlPool, TableError> {
    // TLS where the server offers it, without checking its certificate, which servers make for themselves.
    let options = MySqlConnectOptions::new()
        .username(&server.user)
        .database(&server.name)
        .ssl_mode(MySqlSslMode::Preferred)
        .pipes_as_concat(false);
    let options = if server.password.is_empty() {
        options
    } else {
        options.password(server.password.expose())
    };
    let options = match Host::parse(&server.host, DEFAULT_PORT)? {
        Host::Tcp(host, port) => options.host(&host).port(port),
        Host::Socket(path) => options.socket(path),
    };
    Ok(MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_LIMIT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // A lax server would cut what does not fit and report success.
                connection
                    .execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
                    .await?;
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

pub(crate) struct MySqlServer {
    pool: MySqlPool,
}

impl MySqlServer {
    pub(crate) fn new(server: &DatabaseServer) -> Result<Self, TableError> {
        Ok(Self { pool: pool(server)? })
    }

    async fn change(&self, statements: Vec<Statement>) -> Result<(), TableError> {
        let mut step = self.pool.begin().await.map_err(|error| failed(&error))?;
        for statement in statements {
            let mut next = Some(statement);
            while let Some(statement) = next.take() {
                let query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
                let query = statement
                    .parameters
                    .iter()
                    .fold(query, |query, text| query.bind(text.clone()));
                next = match query.execute(&mut *step).await {
                    Ok(done) => statement.done(done.rows_affected())?,
                    Err(error) if number(&error) == Some(DUPLICATE) => {
                        return Err(statement.refused(|| failed(&error)));
                    }
                    Err(error) => return Err(failed(&error)),
                };
            }
        }
        step.commit().await.map_err(|error| failed(&error))
    }
}

impl Database for MySqlServer {
    fn rows(&self, sql: String, parameters: Vec<String>) -> Answer<'_, Vec<Row>> {
        Box::pin(async move {
            let query = sqlx::query(AssertSqlSafe(sql));
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
        Dialect::MySql
    }
}

pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

pub(crate) fn failed(error: &sqlx::Error) -> TableError {
    match number(error) {
        Some(TOO_LONG) => TableError::Unfit("A value is too long for its column of the table.".into()),
        Some(NOT_REPRESENTABLE | MIXED_COLLATIONS | CANNOT_CONVERT) => {
            TableError::Unfit("The character set of the table cannot hold a value.".into())
        }
        Some(NO_SUCH_TABLE) => TableError::NoTable(error.to_string()),
        Some(UNKNOWN_COLUMN) => TableError::NoColumn(error.to_string()),
        Some(number) if UNAVAILABLE.contains(&number) => TableError::Unavailable(error.to_string()),
        Some(_) => TableError::Failed(error.to_string()),
        None => without_number(error),
    }
}
