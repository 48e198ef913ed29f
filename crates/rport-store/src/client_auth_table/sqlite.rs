//! A table in a SQLite file.
//!
//! The file is the operator's: it is neither created nor switched to another journal, and its mode stays. A file that
//! was replaced by another one is noticed and opened anew.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rport_domain::StoredPassword;
use rport_runtime::Tasks;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use tokio::sync::Semaphore;

use super::error::{missing_column, missing_table};
use super::names::Table;
use super::{Answer, Backend, CONNECTIONS, Pair, QUERY_LIMIT, TableChange, TableError, TableFindings};

pub(super) struct Sqlite {
    shared: Arc<Shared>,
    /// As many threads as there may be connections; further callers wait here and not on threads.
    turns: Arc<Semaphore>,
    tasks: Tasks,
}

struct Shared {
    path: PathBuf,
    table: String,
    idle: Mutex<Vec<(FileId, Connection)>>,
}

/// Device and inode: which file a connection has open.
type FileId = (u64, u64);

impl Sqlite {
    pub(super) fn new(path: &Path, table: &Table, tasks: &Tasks) -> Self {
        let shared = Shared {
            path: path.to_owned(),
            table: table.quoted(),
            idle: Mutex::default(),
        };
        let turns = Arc::new(Semaphore::new(CONNECTIONS as usize));
        Self {
            shared: Arc::new(shared),
            turns,
            tasks: tasks.clone(),
        }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut Connection) -> Result<T, TableError> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move {
            let stopping = || TableError::Unavailable("the server is stopping".into());
            let turn = self.turns.clone().acquire_owned().await.map_err(|_| stopping())?;
            let shared = self.shared.clone();
            let done = self.tasks.spawn_blocking("client_auth_table", move || {
                let _turn = turn;
                shared.with_connection(|connection| work(&shared, connection))
            });
            done.await.map_err(|_| stopping())?
        })
    }
}

impl Shared {
    fn with_connection<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, TableError>,
    ) -> Result<T, TableError> {
        let file = self.file_id()?;
        let mut connection = loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some((open, connection)) if open == file => break connection,
                // The file at this path is another one by now.
                Some(_) => {}
                None => break self.connect()?,
            }
        };
        let answer = work(&mut connection);
        if !matches!(answer, Err(TableError::Unavailable(_))) {
            self.idle.lock().push((file, connection));
        }
        answer
    }

    fn file_id(&self) -> Result<FileId, TableError> {
        let metadata = std::fs::metadata(&self.path).map_err(|error| {
            TableError::Unavailable(format!("the file named by 'db_name' in [database]: {error}"))
        })?;
        Ok((metadata.dev(), metadata.ino()))
    }

    fn connect(&self) -> Result<Connection, TableError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(|error| failed(&error))?;
        connection
            .busy_timeout(QUERY_LIMIT)
            .map_err(|error| failed(&error))?;
        // What was acknowledged has to survive a power cut, whatever journal the operator chose.
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(|error| failed(&error))?;
        Ok(connection)
    }

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
        let explained = |error: rusqlite::Error| {
            let text = error.to_string();
            if text.contains("no such table") {
                missing_table(&self.create_sql())
            } else if text.contains("no such column") {
                missing_column(&text, &self.create_sql())
            } else {
                failed(&error)
            }
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
                .and_then(|mut sql| sql.execute(rusqlite::params_from_iter(parameters)))
                .map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => TableError::Exists(id.clone()),
                    _ => failed(error),
                })?;
            if rows == 0 {
                return Err(TableError::Missing(id.clone()));
            }
        }
        step.commit().map_err(failed)
    }
}

impl Backend for Sqlite {
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>> {
        let id = id.to_owned();
        self.run(move |shared, connection| {
            shared.rows(connection, &shared.select("WHERE id = ?1 LIMIT 8"), Some(&id))
        })
    }

    fn all(&self) -> Answer<'_, Vec<Pair>> {
        self.run(|shared, connection| shared.rows(connection, &shared.select(""), None))
    }

    fn change(&self, changes: Vec<TableChange>) -> Answer<'_, ()> {
        self.run(move |shared, connection| shared.change(connection, &changes))
    }

    fn check(&self) -> Answer<'_, TableFindings> {
        self.run(|shared, connection| shared.check(connection))
    }

    fn create(&self) -> Answer<'_, ()> {
        self.run(|shared, connection| {
            let sql = shared
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

fn failed(error: &rusqlite::Error) -> TableError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::SystemIoFailure,
        ) => TableError::Unavailable(text),
        _ => TableError::Failed(text),
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
