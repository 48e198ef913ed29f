//! `auditlog.db`: who did what.
//!
//! Source: storage.md 4.5. Times are written in the server's zone, as the Go server writes them, and absent texts as
//! empty ones.

use rport_domain::AuditEntry;
use rusqlite::params;

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::migrations::Migration;
use crate::store::StoreOptions;

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

/// The audit log on disk.
#[derive(Clone)]
pub struct AuditLog {
    database: Database,
}

impl AuditLog {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(&options.data_dir.join("auditlog.db"), options.wal, MIGRATIONS)?,
        })
    }

    /// Adds a line. On disk when it returns.
    pub async fn insert(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
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
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
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
