//! A table on a PostgreSQL server. Beyond the original, which knows MySQL and SQLite only.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use super::advice::{missing_column, missing_table};
use super::{Answer, Backend, DatabaseServer, Pair, Table, TableChange, TableError, TableFindings};
use crate::operator_db::postgres::{NOT_IN_ENCODING, UNIQUE_VIOLATION, UNTRANSLATABLE, code, failed, pool};

pub(super) struct Postgres {
    pool: PgPool,
    table: String,
}

impl Postgres {
    /// Does not connect yet.
    pub(super) fn new(server: &DatabaseServer, table: &Table) -> Result<Self, TableError> {
        Ok(Self {
            pool: pool(server)?,
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
                    Some(UNIQUE_VIOLATION) => TableError::Exists(id.to_string()),
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
        first.map_err(|error| match failed(&error) {
            TableError::NoTable(_) => missing_table(&self.create_sql()),
            TableError::NoColumn(text) => missing_column(&text, &self.create_sql()),
            error => error,
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
