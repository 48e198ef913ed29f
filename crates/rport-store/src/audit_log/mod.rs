//! `auditlog.db`: who did what.
//!
//! From time to time the file is put aside under a name with the date of that day, and a new one begins: see
//! `rotation.rs`. Files put aside are read by [`AuditLog::export`] only.
//!
//! Source: storage.md 4.5. Times are written in the server's zone, as the Go server writes them, and absent texts as
//! empty ones.

mod export;
mod rotation;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use parking_lot::Mutex;
use rport_domain::{AUDIT_USERNAME, AuditEntry, ListQuery, Page};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::watch;

use crate::database::Database;
use crate::error::{StoreError, StoreErrorKind};
use crate::go_time::GoTime;
use crate::list::ListSource;
use crate::migrations::Migration;
use crate::store::StoreOptions;

pub use export::{AuditChunk, AuditExport};

/// How long an entry waits while the file is being put aside.
const MOVE_LIMIT: Duration = Duration::from_secs(30);

/// Insertion order, oldest first, is the order of the Go server.
const SOURCE: ListSource = ListSource {
    columns: "timestamp, application, action, username, remote_ip, affected_id, client_id, client_hostname, \
              request, response",
    table: "auditlog",
    tie: "rowid",
};

/// Two of the indexes name columns that do not exist: SQLite takes the quoted names for texts. They are kept, because
/// the Go server expects to find its own schema.
const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: r#"
        CREATE TABLE auditlog (
            timestamp DATE NOT NULL,
            application TEXT NOT NULL,
            action TEXT NOT NULL,
            username TEXT NULL,
            remote_ip TEXT NULL,
            affected_id TEXT NULL,
            client_id TEXT NULL,
            client_hostname TEXT NULL,
            request TEXT NULL,
            response TEXT NULL
        );
        CREATE INDEX auditlog_timestamp_application_action_affedted_id
            ON auditlog (timestamp, application, action, affected_id);
        CREATE INDEX auditlog_username ON auditlog ("client_username");
        CREATE INDEX auditlog_remote_ip ON auditlog ("client_remote_ip");
        CREATE INDEX auditlog_client_id ON auditlog (client_id);
        CREATE INDEX auditlog_client_hostname ON auditlog (client_hostname);
    "#,
}];

/// The audit log on disk. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    wal: bool,
    /// The file in use. The lock is held for moments only; whoever moves the file says so in the state.
    state: watch::Sender<State>,
    /// Taken by whoever moves the file, so that two do not.
    moving: Mutex<bool>,
}

#[derive(Clone)]
enum State {
    Open(Database),
    /// The file is being put aside; entries wait.
    Moving,
    /// No new file could be made; entries are refused until one can.
    Broken(StoreError),
    /// The server stops.
    Closed,
}

impl AuditLog {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let folder = options.data_dir.clone();
        let database = open_file(&folder, options.wal)?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder,
                wal: options.wal,
                state: watch::Sender::new(State::Open(database)),
                moving: Mutex::new(false),
            }),
        })
    }

    /// Adds a line. On disk when it returns.
    pub async fn insert(&self, entry: AuditEntry) -> Result<(), StoreError> {
        loop {
            let database = self.database().await?;
            let entry = entry.clone();
            match database.write(move |connection| write(connection, &entry)).await {
                // The file was put aside between the two lines above; the new one takes the entry.
                Err(error) if self.has_moved(&error) => {}
                other => return other,
            }
        }
    }

    /// Answers a query from the file in use. `query` was read with [`rport_domain::AUDIT_LIST`]; `only` limits the
    /// answer to the entries of one user.
    pub async fn list(&self, query: &ListQuery, only: Option<&str>) -> Result<Page<AuditEntry>, StoreError> {
        loop {
            let database = self.database().await?;
            let (query, only) = (query.clone(), only.map(str::to_owned));
            let read = move |connection: &Connection| {
                let scope: Vec<_> = only.iter().map(|user| (AUDIT_USERNAME, user.as_str())).collect();
                SOURCE.page(connection, &query, &scope, entry)
            };
            match database.read(read).await {
                Err(error) if self.has_moved(&error) => {}
                other => return other,
            }
        }
    }

    /// When the oldest line of the file in use was written.
    pub async fn oldest(&self) -> Result<Option<DateTime<FixedOffset>>, StoreError> {
        let oldest = |connection: &Connection| {
            let mut query =
                connection.prepare_cached("SELECT timestamp FROM auditlog ORDER BY rowid LIMIT 1")?;
            query.query_row([], |row| row.get(0)).optional()
        };
        let time: Option<GoTime> = self.database().await?.read(oldest).await?;
        Ok(time.map(|time| time.0))
    }

    /// The file in use; waits while it is being put aside.
    async fn database(&self) -> Result<Database, StoreError> {
        let mut state = self.inner.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Moving));
        let path = || self.inner.folder.join(FILE);
        match tokio::time::timeout(MOVE_LIMIT, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Open(database) => Ok(database.clone()),
                State::Broken(error) => Err(error.clone()),
                State::Closed => Err(StoreError::new(&path(), StoreErrorKind::Closed)),
                State::Moving => Err(StoreError::new(&path(), StoreErrorKind::Busy)),
            },
            Ok(Err(_)) => Err(StoreError::new(&path(), StoreErrorKind::Closed)),
            Err(_) => Err(StoreError::new(&path(), StoreErrorKind::Busy)),
        }
    }

    /// Whether a failure only means that the file was put aside meanwhile, so that trying again makes sense.
    fn has_moved(&self, error: &StoreError) -> bool {
        *error.kind() == StoreErrorKind::Closed
            && matches!(*self.inner.state.borrow(), State::Open(_) | State::Moving)
    }

    pub(crate) async fn close(&self) {
        if let State::Open(database) = self.inner.state.send_replace(State::Closed) {
            database.close().await;
        }
    }
}

/// The name of the file in use.
const FILE: &str = "auditlog.db";

fn open_file(folder: &std::path::Path, wal: bool) -> Result<Database, StoreError> {
    Database::open(&folder.join(FILE), wal, MIGRATIONS)
}

fn write(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO auditlog (timestamp, application, action, username, remote_ip, affected_id,
                 client_id, client_hostname, request, response)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            GoTime(entry.timestamp),
            entry.application,
            entry.action,
            entry.username,
            entry.remote_ip,
            entry.affected_id,
            entry.client_id,
            entry.client_hostname,
            entry.request,
            entry.response,
        ])?;
    Ok(())
}

/// Reads a line. What is no text, or not there, reads as empty: one odd line must not hide the others.
fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let text = |column: usize| -> rusqlite::Result<String> {
        Ok(match row.get_ref(column)? {
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            _ => String::new(),
        })
    };
    Ok(AuditEntry {
        timestamp: row.get::<_, GoTime>(0).unwrap_or_else(|_| GoTime::zero()).0,
        application: text(1)?,
        action: text(2)?,
        username: text(3)?,
        remote_ip: text(4)?,
        affected_id: text(5)?,
        client_id: text(6)?,
        client_hostname: text(7)?,
        request: text(8)?,
        response: text(9)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rusqlite::Connection;

    use super::*;

    #[tokio::test]
    async fn a_line_is_written_in_the_go_servers_form() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        };
        let log = AuditLog::open(&options).expect("opens");
        let entry = AuditEntry {
            timestamp: DateTime::parse_from_rfc3339("2024-05-01T12:00:00.5+02:00").expect("a time"),
            application: "client.auth".into(),
            action: "create".into(),
            username: "admin".into(),
            remote_ip: "203.0.113.x".into(),
            affected_id: "client1".into(),
            client_id: String::new(),
            client_hostname: String::new(),
            request: "{\"id\":\"client1\"}".into(),
            response: String::new(),
        };
        log.insert(entry.clone()).await.expect("writes");
        log.close().await;
        let log = AuditLog::open(&options).expect("opens again");
        log.insert(entry).await.expect("writes");
        log.close().await;
        let file = Connection::open(directory.path().join("auditlog.db")).expect("opens");
        let row: (i64, String, String, String, String) = file
            .query_row(
                "SELECT COUNT(*), CAST(timestamp AS TEXT), affected_id, client_id, request FROM auditlog",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .expect("a row");
        let texts = (row.1.as_str(), row.2.as_str(), row.3.as_str(), row.4.as_str());
        assert_eq!(
            (row.0, texts),
            (
                2,
                (
                    "2024-05-01 12:00:00.5+02:00",
                    "client1",
                    "",
                    "{\"id\":\"client1\"}"
                )
            )
        );
        let version: (i64, String) = file
            .query_row("SELECT version, dirty FROM schema_migrations", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("the bookkeeping");
        assert_eq!(version, (1, "false".into()));
    }
}
