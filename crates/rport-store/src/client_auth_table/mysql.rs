//! A table on a MariaDB or MySQL server.

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPool;

use super::advice::{missing_column, missing_table};
use super::{Answer, Backend, DatabaseServer, Pair, Table, TableChange, TableError, TableFindings};
use crate::operator_db::mysql::{CANNOT_CONVERT, DUPLICATE, MIXED_COLLATIONS, failed, number, pool};

pub(super) struct MySql {
    pool: MySqlPool,
    table: String,
}

impl MySql {
    /// Does not connect yet.
    pub(super) fn new(server: &DatabaseServer, table: &Table) -> Result<Self, TableError> {
        Ok(Self {
            pool: pool(server)?,
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
                    Some(DUPLICATE) => TableError::Exists(id.to_string()),
                    _ => failed(&error),
                })?;
            if done.rows_affected() == 0 {
                return Err(TableError::Missing(id.to_string()));
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
        first.map_err(|error| match failed(&error) {
            TableError::NoTable(_) => missing_table(&self.create_sql()),
            TableError::NoColumn(text) => missing_column(&text, &self.create_sql()),
            error => error,
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
