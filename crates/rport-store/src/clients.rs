//! `clients.db`: one row per known client, with everything about it in a JSON column.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use rport_domain::{ClientDetails, ClientId, ClientRecord};
use rusqlite::{Connection, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::migrations::Migration;
use crate::store::StoreOptions;
use crate::stored_tunnels::StoredTunnels;

/// Source: storage.md 4.4. Names, types and order are those of the Go server: it reads rows with `SELECT *`.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "
            CREATE TABLE clients (
                id TEXT PRIMARY KEY NOT NULL,
                client_auth_id TEXT NOT NULL,
                disconnected_at DATETIME,
                details TEXT NOT NULL
            ) WITHOUT ROWID;
            CREATE INDEX idx_disconnected_client ON clients (disconnected_at DESC, client_auth_id);
            CREATE INDEX idx_disconnected_time_client ON clients (DATETIME(disconnected_at) DESC, client_auth_id);
        ",
    },
    Migration {
        version: 2,
        sql: "
            CREATE TABLE stored_tunnels (
                id TEXT PRIMARY KEY NOT NULL,
                client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
                created_at DATETIME,
                name TEXT,
                scheme TEXT,
                remote_ip TEXT,
                remote_port NUMBER,
                acl TEXT
            );
        ",
    },
    Migration {
        version: 3,
        sql: "
            ALTER TABLE stored_tunnels ADD COLUMN public_port NUMBER;
            ALTER TABLE stored_tunnels ADD COLUMN further_options TEXT;
        ",
    },
];

/// The client records on disk.
#[derive(Clone)]
pub struct Clients {
    database: Database,
}

impl Clients {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let database = Database::open(&options.data_dir.join("clients.db"), options.wal, MIGRATIONS)?;
        Ok(Self { database })
    }

    /// The stored tunnels, which are part of the same file.
    pub(crate) fn stored_tunnels(&self) -> StoredTunnels {
        StoredTunnels::new(self.database.clone())
    }

    /// All records. A row that cannot be understood is left alone in the file and reported in the log, so that one
    /// broken row does not keep every other client away.
    pub async fn all(&self) -> Result<Vec<ClientRecord>, StoreError> {
        self.database
            .read(|connection| {
                let mut query = connection
                    .prepare_cached("SELECT id, client_auth_id, disconnected_at, details FROM clients")?;
                let mut rows = query.query([])?;
                let mut records = Vec::new();
                while let Some(row) = rows.next()? {
                    match record(row) {
                        Ok(record) => records.push(record),
                        Err(problem) => {
                            let id: String = row.get(0).unwrap_or_default();
                            tracing::error!(
                                client.id = id,
                                problem,
                                "clients.db: a row cannot be read and is left out"
                            );
                        }
                    }
                }
                Ok(records)
            })
            .await
    }

    /// Inserts the record or replaces the one with the same id. On disk when it returns.
    pub async fn save(&self, record: &ClientRecord) -> Result<(), StoreError> {
        let row = ClientRow::of(record);
        self.database.write(move |connection| row.write(connection)).await
    }

    /// Makes the row of `id` say what `latest` returns, which is asked at the moment of writing: a record to keep, or
    /// `None` to delete. Writers of one client that use this never overtake each other with old contents.
    ///
    /// `latest` runs on the writer thread: it must be quick and must not wait for anything.
    pub async fn sync<F>(&self, id: &ClientId, latest: F) -> Result<(), StoreError>
    where
        F: FnOnce() -> Option<Arc<ClientRecord>> + Send + 'static,
    {
        let id = id.to_string();
        self.database
            .write(move |connection| match latest() {
                Some(record) => ClientRow::of(&record).write(connection),
                None => delete_row(connection, &id).map(drop),
            })
            .await
    }

    /// Marks every client that is stored as connected as disconnected since `at`: nobody is connected to a server
    /// that has just started. Returns how many there were.
    pub async fn disconnect_all(&self, at: DateTime<FixedOffset>) -> Result<usize, StoreError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "UPDATE clients SET disconnected_at = ?1 WHERE disconnected_at IS NULL",
                    [GoTime(at)],
                )
            })
            .await
    }

    /// Forgets a client. Its stored tunnels stay, as with the Go server. Returns whether there was such a client.
    pub async fn delete(&self, id: &ClientId) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| delete_row(connection, &id))
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// A record as column values.
struct ClientRow {
    id: String,
    client_auth_id: String,
    disconnected_at: Option<GoTime>,
    details: String,
}

impl ClientRow {
    fn of(record: &ClientRecord) -> Self {
        Self {
            id: record.id.to_string(),
            client_auth_id: record.client_auth_id.to_string(),
            disconnected_at: record.disconnected_at.map(GoTime),
            details: record.details.to_json(),
        }
    }

    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO clients (id, client_auth_id, disconnected_at, details) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET client_auth_id = excluded.client_auth_id,
                     disconnected_at = excluded.disconnected_at, details = excluded.details",
            )?
            .execute(params![
                self.id,
                self.client_auth_id,
                self.disconnected_at,
                self.details
            ])?;
        Ok(())
    }
}

fn delete_row(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    Ok(connection
        .prepare_cached("DELETE FROM clients WHERE id = ?1")?
        .execute([id])?
        > 0)
}

fn record(row: &Row<'_>) -> Result<ClientRecord, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let id: String = row.get(0).map_err(text)?;
    let client_auth_id: String = row.get(1).map_err(text)?;
    let disconnected_at: Option<GoTime> = row.get(2).map_err(text)?;
    let details: String = row.get(3).map_err(text)?;
    let details = ClientDetails::from_json(&details).map_err(|error| format!("details: {error}"))?;
    Ok(ClientRecord {
        id: ClientId::new(id),
        client_auth_id: client_auth_id.into(),
        disconnected_at: disconnected_at.map(|time| time.0),
        details,
    })
}
