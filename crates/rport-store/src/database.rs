//! One SQLite file: a thread that writes, a connection that reads.
//!
//! Writes are closures handed to the writer thread, which runs everything that has queued up as one transaction and
//! answers each caller only after the commit (group commit). Every acknowledged write has therefore reached the disk
//! (`synchronous=FULL`), and a thousand agents connecting at once share a handful of disk flushes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::error::{StoreError, StoreErrorKind};
use crate::migrations::{Migration, migrate, migrate_own};
use crate::writer::{self, Job, Write};

/// How long SQLite waits for a lock another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_millis(5000);
/// Writes that may wait for the writer before callers have to wait to hand theirs in.
const QUEUE: usize = 4096;
/// Prepared statements kept per connection; each file has about a dozen queries.
const STATEMENTS: usize = 32;

/// A handle to one open file. Clones share the file.
#[derive(Clone)]
pub(crate) struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<Path>,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// `None` once the file was retired.
    reader: Arc<Mutex<Option<Connection>>>,
}

impl Database {
    /// Opens or creates the file, brings its schema up to date and starts its writer. Blocks on the disk.
    pub(crate) fn open(path: &Path, wal: bool, migrations: &[Migration]) -> Result<Self, StoreError> {
        Self::start(path, wal, |connection| migrate(connection, path, migrations))
    }

    /// The same, with tables of our own in the file, see [`migrate_own`].
    pub(crate) fn open_extended(
        path: &Path,
        wal: bool,
        migrations: &[Migration],
        own: &[&str],
    ) -> Result<Self, StoreError> {
        Self::start(path, wal, |connection| {
            migrate(connection, path, migrations)?;
            migrate_own(connection, path, own)
        })
    }

    /// The same for a file the Go server does not know, see [`migrate_own`].
    pub(crate) fn open_own(path: &Path, wal: bool, schema: &[&str]) -> Result<Self, StoreError> {
        Self::start(path, wal, |connection| migrate_own(connection, path, schema))
    }

    fn start(
        path: &Path,
        wal: bool,
        migrate: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        make_private(path)?;
        let mut connection = connect(path, wal)?;
        migrate(&mut connection)?;
        let reader = connect(path, wal)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let thread = std::thread::Builder::new()
            .name(format!("store {name}"))
            .spawn({
                let path: Arc<Path> = path.into();
                move || writer::run(connection, &path, queue)
            })
            .map_err(|error| StoreError::io(path, &error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.into(),
                jobs: Mutex::new(Some(jobs)),
                thread: Mutex::new(Some(thread)),
                reader: Arc::new(Mutex::new(Some(reader))),
            }),
        })
    }

    /// Runs `work` in the next transaction and returns its result once that is on disk.
    ///
    /// A failing closure is rolled back alone; the rest of its batch is kept. Not cancelled with the caller: work
    /// that was handed in is done.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let closed = || StoreError::new(&self.inner.path, StoreErrorKind::Closed);
        let jobs = self.inner.jobs.lock().clone().ok_or_else(closed)?;
        let (answer, outcome) = oneshot::channel();
        jobs.send(Box::new(Write { work, answer }))
            .await
            .map_err(|_| closed())?;
        drop(jobs);
        outcome.await.map_err(|_| closed())?
    }

    /// Runs `work` on the reading connection, which sees everything committed so far.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let reader = self.inner.reader.clone();
        let path = self.inner.path.clone();
        // Awaited at once, so nothing outlives the caller that `Tasks` would have to know about.
        let outcome = tokio::task::spawn_blocking(move || reader.lock().as_ref().map(work)).await;
        match outcome {
            Ok(Some(result)) => result.map_err(|error| StoreError::sqlite(&path, error)),
            Ok(None) | Err(_) => Err(StoreError::new(&path, StoreErrorKind::Closed)),
        }
    }

    /// Closes the file altogether, so that it can be given another name: everything handed in is on disk and in the
    /// file itself, no companion is left, and later writes and reads fail with `Closed`.
    ///
    /// # Errors
    /// Somebody else has the file open; it is closed here all the same.
    pub(crate) async fn retire(&self) -> Result<(), StoreError> {
        self.close().await;
        let (reader, path) = (self.inner.reader.clone(), self.inner.path.clone());
        let retired = tokio::task::spawn_blocking(move || {
            let Some(connection) = reader.lock().take() else {
                return Err(StoreError::new(&path, StoreErrorKind::Closed));
            };
            // Leaving the write-ahead mode takes the log into the file, and needs the file for itself.
            let mode: String = connection
                .query_row("PRAGMA journal_mode=DELETE", [], |row| row.get(0))
                .map_err(|error| StoreError::sqlite(&path, error))?;
            if mode.eq_ignore_ascii_case("delete") {
                Ok(())
            } else {
                Err(StoreError::new(&path, StoreErrorKind::Busy))
            }
        });
        match retired.await {
            Ok(result) => result,
            Err(_) => Err(StoreError::new(&self.inner.path, StoreErrorKind::Closed)),
        }
    }

    /// The same where blocking does no harm: while the files are opened.
    pub(crate) fn read_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let reader = self.inner.reader.lock();
        let connection = reader
            .as_ref()
            .ok_or_else(|| StoreError::new(&self.inner.path, StoreErrorKind::Closed))?;
        work(connection).map_err(|error| StoreError::sqlite(&self.inner.path, error))
    }

    /// Something that is wrong with what was asked of this file.
    pub(crate) fn error(&self, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.inner.path, kind)
    }

    /// Waits until everything handed in is on disk and closes the writer. Later writes fail with `Closed`.
    pub(crate) async fn close(&self) {
        self.inner.jobs.lock().take();
        let thread = self.inner.thread.lock().take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn connect(path: &Path, wal: bool) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The bundled SQLite switches foreign keys on, the Go server never does: with them on, replacing a client would
    // delete its stored tunnels (storage.md 13).
    connection
        .pragma_update(None, "foreign_keys", "OFF")
        .map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    if wal {
        // Answers with the mode, which `pragma_update` would take for an error.
        connection
            .query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))
            .map_err(failed)?;
    } else {
        // The first statement that touches the file: finds out now whether it is a database at all.
        connection
            .query_row("PRAGMA schema_version", [], |_| Ok(()))
            .map_err(failed)?;
    }
    Ok(connection)
}

/// Creates the file readable by its owner only, or takes others' rights away; SQLite gives its companions the same.
#[cfg(unix)]
fn make_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |error: std::io::Error| StoreError::io(path, &error);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mut permissions = file.metadata().map_err(failed)?.permissions();
    if permissions.mode() & 0o777 != 0o600 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions).map_err(failed)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> Result<(), StoreError> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| StoreError::io(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Migration] = &[Migration {
        version: 1,
        sql: "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)",
    }];

    fn open() -> (Database, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let database = Database::open(&directory.path().join("t.db"), true, TABLE).expect("opens");
        (database, directory)
    }

    async fn insert(database: &Database, number: i64) -> Result<usize, StoreError> {
        database
            .write(move |connection| connection.execute("INSERT INTO t VALUES (?1, 'x')", [number]))
            .await
    }

    async fn count(database: &Database) -> i64 {
        let count =
            |connection: &Connection| connection.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0));
        database.read(count).await.expect("counts")
    }

    #[tokio::test]
    async fn a_failing_write_does_not_take_its_neighbours_along() {
        let (database, _directory) = open();
        // The first write keeps the writer busy until the others have queued up behind it as one batch.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = database.write(move |connection| {
            wait.recv().expect("the test is still there");
            connection.execute("INSERT INTO t VALUES (0, 'x')", [])
        });
        let half = database.write(|connection| {
            connection.execute("INSERT INTO t VALUES (7, 'undone')", [])?;
            connection.execute("INSERT INTO no_such_table VALUES (1)", [])
        });
        let panics = database.write(|_| -> rusqlite::Result<usize> { panic!("a bug in a query") });
        let release = async { go.send(()).expect("the writer is still there") };
        let all = tokio::join!(
            busy,
            insert(&database, 1),
            half,
            panics,
            insert(&database, 2),
            release
        );
        assert!(all.0.is_ok() && all.1.is_ok() && all.4.is_ok());
        assert!(all.2.is_err() && all.3.is_err());
        assert_eq!(count(&database).await, 3);
        insert(&database, 7)
            .await
            .expect("the half of the failed write is gone");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_survived() {
        let (database, _directory) = open();
        let limit = |pages: i64| {
            move |connection: &Connection| {
                connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                    row.get::<_, i64>(0)
                })
            }
        };
        database
            .write(limit(1))
            .await
            .expect("no page more than there are");
        let big = database
            .write(|connection| connection.execute("INSERT INTO t VALUES (1, ?1)", ["x".repeat(100_000)]))
            .await;
        let error = big.expect_err("no room");
        assert_eq!(*error.kind(), StoreErrorKind::DiskFull);
        assert!(error.to_string().contains("the disk is full"), "{error}");
        database.write(limit(1_000_000)).await.expect("room again");
        insert(&database, 2).await.expect("works again");
        assert_eq!(count(&database).await, 1);
    }
}
