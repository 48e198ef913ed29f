//! A table on a MariaDB or MySQL server.

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Executor};

use super::error::{missing_column, missing_table, without_number};
use super::host::Host;
use super::names::Table;
use super::{
    Answer, Backend, CONNECT_LIMIT, CONNECTIONS, DatabaseServer, Pair, TableChange, TableError, TableFindings,
};

const DEFAULT_PORT: u16 = 3306;

// Error numbers of the server.
const NO_SUCH_TABLE: u16 = 1146;
const UNKNOWN_COLUMN: u16 = 1054;
const DUPLICATE: u16 = 1062;
const TOO_LONG: u16 = 1406;
const NOT_REPRESENTABLE: u16 = 1366;
const MIXED_COLLATIONS: u16 = 1267;
const CANNOT_CONVERT: u16 = 3854;
/// Too many connections, access denied, unknown database, shutdown, blocked or forbidden host, lock wait, deadlock,
/// used-up resources, read-only, killed: they pass or are mended on the server.
const UNAVAILABLE: &[u16] = &[
    1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 4031,
];

pub(super) struct MySql {
    pool: MySqlPool,
    table: String,
}

impl MySql {
    /// Does not connect yet.
    pub(super) fn new(server: &DatabaseServer, table: &Table) -> Result<Self, TableError> {
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
        let pool = MySqlPoolOptions::new()
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
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            table: table.quoted(),
        })
    }

    fn create_sql(&self) -> String {
        format!(
            "CREATE TABLE {} (`id` varchar(100) PRIMARY KEY, `password` varchar(100) NOT NULL);",
            self.table
        )
    }

    /// Texts, whatever type and character set the columns have.
    fn select(&self, rest: &str) -> String {
        format!(
            "SELECT CONVERT(`id` USING utf8mb4), CONVERT(`password` USING utf8mb4) FROM {} {rest}",
            self.table
        )
    }

    async fn rows(&self, sql: String, id: Option<&str>) -> Result<Vec<Pair>, sqlx::Error> {
        let query = sqlx::query_as(AssertSqlSafe(sql));
        let query = if let Some(id) = id { query.bind(id) } else { query };
        Ok(super::sound(query.fetch_all(&self.pool).await?))
    }

    async fn change(&self, changes: Vec<TableChange>) -> Result<(), TableError> {
        let table = &self.table;
        // Byte for byte: most collations take `a` for `A`, and all ignore blanks at the end.
        let exactly = "`id` = ? AND CAST(CONVERT(`id` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)";
        let mut step = self.pool.begin().await.map_err(|error| failed(&error))?;
        for change in &changes {
            let (sql, id, parameters) = match change {
                TableChange::Insert(id, stored) => {
                    let sql = format!("INSERT INTO {table} (`id`, `password`) VALUES (?, ?)");
                    (sql, id, vec![id.as_str(), stored.expose()])
                }
                TableChange::Replace(id, stored) => {
                    let sql = format!("UPDATE {table} SET `password` = ? WHERE {exactly}");
                    (sql, id, vec![stored.expose(), id.as_str(), id.as_str()])
                }
                TableChange::Delete(id) => {
                    let sql = format!("DELETE FROM {table} WHERE {exactly}");
                    (sql, id, vec![id.as_str(), id.as_str()])
                }
            };
            let query = parameters
                .into_iter()
                .fold(sqlx::query(AssertSqlSafe(sql)), |query, text| query.bind(text));
            // The driver asks the server to count rows that were found, not only those that became different.
            let done = query
                .execute(&mut *step)
                .await
                .map_err(|error| match number(&error) {
                    Some(DUPLICATE) => TableError::Exists(id.clone()),
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
            "SELECT COALESCE(CONVERT(`id` USING utf8mb4), '') FROM {table}
             WHERE `id` IS NULL OR `password` IS NULL OR `id` = '' OR `password` = '' LIMIT 1"
        );
        let example = format!(
            "SELECT CONVERT(`password` USING utf8mb4) FROM {table} WHERE `password` LIKE '$%' LIMIT 1"
        );
        Ok(TableFindings {
            incomplete: self.first(incomplete).await?,
            example: self.first(example).await?,
        })
    }

    async fn first(&self, sql: String) -> Result<Option<String>, TableError> {
        let first = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_optional(&self.pool)
            .await;
        first.map_err(|error| match number(&error) {
            Some(NO_SUCH_TABLE) => missing_table(&self.create_sql()),
            Some(UNKNOWN_COLUMN) => missing_column(&error.to_string(), &self.create_sql()),
            _ => failed(&error),
        })
    }
}

impl Backend for MySql {
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>> {
        Box::pin(async move {
            match self.rows(self.select("WHERE `id` = ? LIMIT 8"), Some(id)).await {
                // The column's character set has no way to write this id, so it is not there.
                Err(error) if matches!(number(&error), Some(MIXED_COLLATIONS | CANNOT_CONVERT)) => {
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

fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

fn failed(error: &sqlx::Error) -> TableError {
    match number(error) {
        Some(TOO_LONG) => {
            TableError::Unfit("The id or the password is too long for its column of the table.".into())
        }
        Some(NOT_REPRESENTABLE | MIXED_COLLATIONS | CANNOT_CONVERT) => {
            TableError::Unfit("The character set of the table cannot hold the id or the password.".into())
        }
        Some(number) if UNAVAILABLE.contains(&number) => TableError::Unavailable(error.to_string()),
        Some(_) => TableError::Failed(error.to_string()),
        None => without_number(error),
    }
}
