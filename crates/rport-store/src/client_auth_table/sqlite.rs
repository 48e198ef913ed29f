//! A table in a SQLite file.

use std::path::Path;
#[cfg(test)]
use std::path::PathBuf;

use rport_domain::StoredPassword;
use rport_runtime::Tasks;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::advice::{missing_column, missing_table};
use super::{Answer, Backend, Pair, Table, TableChange, TableError, TableFindings};
use crate::operator_db::sqlite::{SqliteFile, failed};

pub(super) struct Sqlite {
    file: SqliteFile,
    sql: Sql,
}

/// The statements of one table.
#[derive(Clone)]
struct Sql {
    table: String,
}

impl Sqlite {
    pub(super) fn new(path: &Path, table: &Table, tasks: &Tasks) -> Self {
        Self {
            file: SqliteFile::new(path, tasks),
            sql: Sql {
                table: table.quoted(),
            },
        }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sql, &mut Connection) -> Result<T, TableError> + Send + 'static,
    ) -> Answer<'_, T> {
        let sql = self.sql.clone();
        self.file.run(move |connection| work(&sql, connection))
    }
}

impl Sql {
    fn create_sql(&self) -> String {
        format!(
            "CREATE TABLE {} (id varchar(100) PRIMARY KEY NOT NULL, password varchar(100) NOT NULL);",
            self.table
        )
    }

    /// Casts, because SQLite lets numbers and blobs stand in any column.
    fn select(&self, rest: &str) -> String {
        format!(
            "SELECT CAST(id AS TEXT), CAST(password AS TEXT) FROM {} {rest}",
            self.table
        )
    }

    fn rows(&self, connection: &Connection, sql: &str, id: Option<&str>) -> Result<Vec<Pair>, TableError> {
        let rows = connection.prepare_cached(sql).and_then(|mut sql| {
            sql.query_map(rusqlite::params_from_iter(id), pair)?
                .collect::<Result<Vec<_>, _>>()
        });
        Ok(rows
            .map_err(|error| failed(&error))?
            .into_iter()
            .flatten()
            .collect())
    }

    fn check(&self, connection: &Connection) -> Result<TableFindings, TableError> {
        let table = &self.table;
        let explained = |error: rusqlite::Error| match failed(&error) {
            TableError::NoTable(_) => missing_table(&self.create_sql()),
            TableError::NoColumn(text) => missing_column(&text, &self.create_sql()),
            error => error,
        };
        let columns = format!("SELECT t.id, t.password FROM {table} AS t LIMIT 0");
        connection.prepare(&columns).map_err(explained)?;
        let incomplete = format!(
            "SELECT COALESCE(CAST(id AS TEXT), '') FROM {table}
             WHERE id IS NULL OR password IS NULL OR id = '' OR password = '' LIMIT 1"
        );
        let example = format!("SELECT CAST(password AS TEXT) FROM {table} WHERE password LIKE '$%' LIMIT 1");
        let first = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get(0))
                .optional()
                .map_err(explained)
        };
        Ok(TableFindings {
            incomplete: first(&incomplete)?,
            example: first(&example)?,
        })
    }

    fn change(&self, connection: &mut Connection, changes: &[TableChange]) -> Result<(), TableError> {
        let table = &self.table;
        let failed = |error: rusqlite::Error| failed(&error);
        // Byte for byte, also where the column is declared without regard to case.
        let exactly = "id = ?1 AND CAST(id AS BLOB) = CAST(?1 AS BLOB)";
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        for change in changes {
            let (sql, id, password) = match change {
                TableChange::Insert(id, stored) => (
                    format!("INSERT INTO {table} (id, password) VALUES (?1, ?2)"),
                    id,
                    Some(stored.expose()),
                ),
                TableChange::Replace(id, stored) => (
                    format!("UPDATE {table} SET password = ?2 WHERE {exactly}"),
                    id,
                    Some(stored.expose()),
                ),
                TableChange::Delete(id) => (format!("DELETE FROM {table} WHERE {exactly}"), id, None),
            };
            let parameters = std::iter::once(id.as_str()).chain(password);
            let rows = step
                .prepare_cached(&sql)
                .and_then(|mut query| query.execute(rusqlite::params_from_iter(parameters)))
                .map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => TableError::Exists(id.to_string()),
                    _ => failed(error),
                })?;
            if rows == 0 {
                return Err(TableError::Missing(id.to_string()));
            }
        }
        step.commit().map_err(failed)
    }
}

impl Backend for Sqlite {
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>> {
        let id = id.to_owned();
        self.run(move |sql, connection| sql.rows(connection, &sql.select("WHERE id = ?1 LIMIT 8"), Some(&id)))
    }

    fn all(&self) -> Answer<'_, Vec<Pair>> {
        self.run(|sql, connection| sql.rows(connection, &sql.select(""), None))
    }

    fn change(&self, changes: Vec<TableChange>) -> Answer<'_, ()> {
        self.run(move |sql, connection| sql.change(connection, &changes))
    }

    fn check(&self) -> Answer<'_, TableFindings> {
        self.run(|sql, connection| sql.check(connection))
    }

    fn create(&self) -> Answer<'_, ()> {
        self.run(|sql, connection| {
            let sql = sql
                .create_sql()
                .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
            connection.execute_batch(&sql).map_err(|error| failed(&error))
        })
    }
}

fn pair(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Pair>> {
    // A blob that is no text can be nobody's id or password.
    let text = |column| match row.get::<_, Option<String>>(column) {
        Ok(text) => Ok(text.filter(|text| !text.is_empty())),
        Err(rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::Utf8Error(..)) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(text(0)?.map(Into::into).zip(text(1)?.map(StoredPassword::new)))
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
