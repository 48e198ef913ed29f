//! A SQLite file of the operator.
//!
//! It is neither created nor switched to another journal, and its mode stays. A file that was replaced by another one
//! is noticed and opened anew.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rport_runtime::Tasks;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::Semaphore;

use super::{Answer, CONNECTIONS, Database, Dialect, QUERY_LIMIT, Row, Statement, TableError};

pub(crate) struct SqliteFile {
    shared: Arc<Shared>,
    /// As many threads as there may be connections; further callers wait here and not on threads.
    turns: Arc<Semaphore>,
    tasks: Tasks,
}

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<(FileId, Connection)>>,
}

/// Device and inode: which file a connection has open.
type FileId = (u64, u64);

impl SqliteFile {
    /// Does not open the file yet.
    pub(crate) fn new(path: &Path, tasks: &Tasks) -> Self {
        let shared = Shared {
            path: path.to_owned(),
            idle: Mutex::default(),
        };
        let turns = Arc::new(Semaphore::new(CONNECTIONS as usize));
        Self {
            shared: Arc::new(shared),
            turns,
            tasks: tasks.clone(),
        }
    }

    /// Does some work with a connection, on a thread that may block.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, TableError> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move {
            let stopping = || TableError::Unavailable("the server is stopping".into());
            let turn = self.turns.clone().acquire_owned().await.map_err(|_| stopping())?;
            let shared = self.shared.clone();
            let done = self.tasks.spawn_blocking("operator_db", move || {
                let _turn = turn;
                shared.with_connection(work)
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
}

impl Database for SqliteFile {
    fn rows(&self, sql: String, parameters: Vec<String>) -> Answer<'_, Vec<Row>> {
        self.run(move |connection| {
            let rows = connection.prepare_cached(&sql).and_then(|mut query| {
                let columns = query.column_count();
                query
                    .query_map(rusqlite::params_from_iter(parameters), |row| texts(row, columns))?
                    .collect()
            });
            rows.map_err(|error| failed(&error))
        })
    }

    fn change(&self, statements: Vec<Statement>) -> Answer<'_, ()> {
        self.run(move |connection| {
            let step = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| failed(&error))?;
            for statement in statements {
                let mut next = Some(statement);
                while let Some(statement) = next.take() {
                    let parameters = rusqlite::params_from_iter(&statement.parameters);
                    let rows = step
                        .prepare_cached(&statement.sql)
                        .and_then(|mut sql| sql.execute(parameters));
                    next = match rows {
                        Ok(rows) => statement.done(rows as u64)?,
                        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                            return Err(statement.refused(|| failed(&error)));
                        }
                        Err(error) => return Err(failed(&error)),
                    };
                }
            }
            step.commit().map_err(|error| failed(&error))
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }
}

/// What a blob holds that is no text can be nobody's name.
fn texts(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Row> {
    (0..columns)
        .map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
            })
        })
        .collect()
}

pub(crate) fn failed(error: &rusqlite::Error) -> TableError {
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
        _ if text.contains("no such table") => TableError::NoTable(text),
        _ if text.contains("no such column") => TableError::NoColumn(text),
        _ => TableError::Failed(text),
    }
}
