//! `vault.sqlite.db`: encrypted values. What is in them is the server's business; here they are texts.
//!
//! Source: storage.md 4.10 and 9. The file exists only once a vault has been made, and is never switched to a
//! write-ahead log. Times are RFC 3339, other than in all other files.
//!
//! Ours is the table `rport_key_derivation`, which exists only in vaults whose key is not made the Go server's way. The
//! Go server does not look at it and says of such a vault that the password is wrong. The table stands in the same file
//! because a vault without its salt is lost.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use parking_lot::Mutex;
use rport_domain::{ListQuery, UserName, VaultEntry, VaultLabel, VaultValueId};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, named_params, params};

use crate::database::Database;
use crate::error::{StoreError, StoreErrorKind};
use crate::go_time::GoTime;
use crate::list::ListSource;
use crate::migrations::Migration;
use crate::store::StoreOptions;

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: r#"
        CREATE TABLE "values" (
            "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "client_id" text NOT NULL DEFAULT 0,
            "required_group" TEXT,
            "created_at" DATE NOT NULL,
            "created_by" TEXT NOT NULL,
            "updated_at" DATE NOT NULL,
            "updated_by" TEXT,
            "key" TEXT NOT NULL,
            "value" TEXT NOT NULL,
            "type" TEXT NOT NULL
        );
        CREATE INDEX "client_id" ON "values" ("client_id" ASC);
        CREATE INDEX "key" ON "values" ("key" ASC);
        CREATE UNIQUE INDEX "unique_client_id_key" ON "values" ("client_id" ASC, "key" ASC);
        CREATE TABLE "status" (
            "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "db_status" text NOT NULL,
            "enc_check" TEXT,
            "dec_check" TEXT
        );
    "#,
}];

/// Ours; one row at most.
const DERIVATION: &str = "
    CREATE TABLE IF NOT EXISTS rport_key_derivation (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        algorithm TEXT NOT NULL,
        salt BLOB NOT NULL,
        memory_kib INTEGER NOT NULL,
        passes INTEGER NOT NULL,
        lanes INTEGER NOT NULL
    );
";

/// The word of the Go server for a vault that has its password.
const COMPLETED: &str = "setup-completed";

const COLUMNS: &str =
    "id, client_id, required_group, created_at, created_by, updated_at, updated_by, key, type, value";

const LIST: ListSource = ListSource {
    columns: COLUMNS,
    table: "\"values\"",
    tie: "id",
};

/// How a vault's password is checked, and how its key is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSetup {
    /// Something encrypted with the key; whoever can decrypt it has the password.
    pub enc_check: String,
    /// How the key is made; `None` for the Go server's way.
    pub derivation: Option<KeyDerivation>,
}

/// How a key is made from a password, where it is not the Go server's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDerivation {
    /// The algorithm, such as `argon2id`.
    pub algorithm: String,
    /// Random bytes of this vault.
    pub salt: Vec<u8>,
    /// Memory in KiB.
    pub memory_kib: u32,
    /// How often that memory is filled.
    pub passes: u32,
    /// In how many lanes.
    pub lanes: u32,
}

/// A value with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVaultValue {
    /// What is known.
    pub entry: VaultEntry,
    /// The encrypted value.
    pub encrypted: String,
}

/// A value to write.
#[derive(Debug, Clone)]
pub struct VaultWrite {
    /// What it is for.
    pub label: VaultLabel,
    /// The encrypted value.
    pub encrypted: String,
    /// Who writes it.
    pub by: UserName,
    /// When.
    pub at: DateTime<FixedOffset>,
}

/// The vault on disk.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// `None` until there is a file.
    database: Mutex<Option<Database>>,
}

impl Vault {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("vault.sqlite.db");
        let database = if path.exists() {
            Some(Database::open(&path, false, MIGRATIONS)?)
        } else {
            None
        };
        let inner = Inner {
            path,
            database: Mutex::new(database),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// How the password is checked; `None` while there is no vault.
    pub async fn setup(&self) -> Result<Option<VaultSetup>, StoreError> {
        let Some(database) = self.database() else {
            return Ok(None);
        };
        database.read(setup).await
    }

    /// Makes the vault; `false`, and nothing changes, if there is one. `dec_check` is what was encrypted for
    /// [`VaultSetup::enc_check`]: the Go server wants it in the file, and nobody reads it. On disk when it returns.
    pub async fn init(&self, new: VaultSetup, dec_check: Vec<u8>) -> Result<bool, StoreError> {
        let database = self.create().await?;
        database
            .write(move |connection| {
                if setup(connection)?.is_some() {
                    return Ok(false);
                }
                if let Some(derivation) = &new.derivation {
                    connection.execute_batch(DERIVATION)?;
                    connection.execute(
                        "INSERT OR REPLACE INTO rport_key_derivation
                             (id, algorithm, salt, memory_kib, passes, lanes) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                        params![
                            derivation.algorithm,
                            derivation.salt,
                            derivation.memory_kib,
                            derivation.passes,
                            derivation.lanes
                        ],
                    )?;
                }
                // Text, although it is no valid one: so the Go server's driver writes it.
                connection.execute(
                    "INSERT INTO status (db_status, enc_check, dec_check) VALUES (?1, ?2, CAST(?3 AS TEXT))",
                    params![COMPLETED, new.enc_check, dec_check],
                )?;
                Ok(true)
            })
            .await
    }

    /// All values that match, sorted. `query` was read with [`rport_domain::VAULT_LIST`]; what it says about pages is
    /// not looked at.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<VaultEntry>, StoreError> {
        let Some(database) = self.database() else {
            return Ok(Vec::new());
        };
        let mut query = query.clone();
        (query.offset, query.limit) = (0, usize::MAX);
        let page = database
            .read(move |connection| LIST.page(connection, &query, &[], |row| Ok(value(row)?.entry)))
            .await?;
        Ok(page.items)
    }

    /// One value.
    pub async fn find(&self, id: VaultValueId) -> Result<Option<StoredVaultValue>, StoreError> {
        let Some(database) = self.database() else {
            return Ok(None);
        };
        database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM \"values\" WHERE id = ?1"))?
                    .query_row([id.0], value)
                    .optional()
            })
            .await
    }

    /// The value of a key, among those of a client or, with an empty client, of none.
    pub async fn find_key(&self, client: &str, key: &str) -> Result<Option<StoredVaultValue>, StoreError> {
        let Some(database) = self.database() else {
            return Ok(None);
        };
        let wanted = [client.to_owned(), key.to_owned()];
        database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM \"values\" WHERE client_id = ?1 AND key = ?2"
                    ))?
                    .query_row(wanted, value)
                    .optional()
            })
            .await
    }

    /// What is known about all values of a key: of each client that has one, and of none.
    pub async fn of_key(&self, key: &str) -> Result<Vec<VaultEntry>, StoreError> {
        let Some(database) = self.database() else {
            return Ok(Vec::new());
        };
        let key = key.to_owned();
        database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM \"values\" WHERE key = ?1"))?
                    .query_map([key], |row| Ok(value(row)?.entry))?
                    .collect()
            })
            .await
    }

    /// Adds a value and returns its id; `None`, and nothing is added, if the client has another of that key. On disk
    /// when it returns.
    pub async fn insert(&self, new: VaultWrite) -> Result<Option<VaultValueId>, StoreError> {
        self.existing()?
            .write(move |connection| {
                let (label, at) = (&new.label, time(new.at));
                let written = connection
                    .prepare_cached(
                        "INSERT INTO \"values\" (client_id, required_group, created_at, created_by, updated_at,
                             updated_by, key, value, type)
                         VALUES (:client_id, :required_group, :at, :by, :at, :by, :key, :value, :type)",
                    )?
                    .execute(named_params! {
                        ":client_id": label.client_id,
                        ":required_group": label.required_group,
                        ":at": at,
                        ":by": new.by.as_str(),
                        ":key": label.key,
                        ":value": new.encrypted,
                        ":type": label.kind,
                    });
                Ok(unless_taken(written)?.then(|| VaultValueId(connection.last_insert_rowid())))
            })
            .await
    }

    /// Replaces a value; `false`, and nothing changes, if the client has another of that key. Who created it and when
    /// stays as it is. Nothing happens if there is no such value. On disk when it returns.
    pub async fn replace(&self, id: VaultValueId, new: VaultWrite) -> Result<bool, StoreError> {
        self.existing()?
            .write(move |connection| {
                let label = &new.label;
                let written = connection
                    .prepare_cached(
                        "UPDATE \"values\" SET client_id = :client_id, required_group = :required_group,
                             updated_at = :at, updated_by = :by, key = :key, value = :value, type = :type
                         WHERE id = :id",
                    )?
                    .execute(named_params! {
                        ":id": id.0,
                        ":client_id": label.client_id,
                        ":required_group": label.required_group,
                        ":at": time(new.at),
                        ":by": new.by.as_str(),
                        ":key": label.key,
                        ":value": new.encrypted,
                        ":type": label.kind,
                    });
                unless_taken(written)
            })
            .await
    }

    /// Removes a value. Returns whether there was one. On disk when it returns.
    pub async fn delete(&self, id: VaultValueId) -> Result<bool, StoreError> {
        self.existing()?
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM \"values\" WHERE id = ?1")?
                    .execute([id.0])?;
                Ok(deleted > 0)
            })
            .await
    }

    pub(crate) async fn close(&self) {
        if let Some(database) = self.database() {
            database.close().await;
        }
    }

    fn database(&self) -> Option<Database> {
        self.inner.database.lock().clone()
    }

    /// For what nobody does before there is a vault.
    fn existing(&self) -> Result<Database, StoreError> {
        let missing = || {
            let kind = StoreErrorKind::Other("there is no vault yet".into());
            StoreError::new(&self.inner.path, kind)
        };
        self.database().ok_or_else(missing)
    }

    async fn create(&self) -> Result<Database, StoreError> {
        let inner = self.inner.clone();
        // Awaited at once, so nothing outlives the caller that `Tasks` would have to know about.
        let opened = tokio::task::spawn_blocking(move || {
            let mut database = inner.database.lock();
            if let Some(database) = &*database {
                return Ok(database.clone());
            }
            let opened = Database::open(&inner.path, false, MIGRATIONS)?;
            *database = Some(opened.clone());
            Ok(opened)
        });
        opened
            .await
            .unwrap_or_else(|_| Err(StoreError::new(&self.inner.path, StoreErrorKind::Closed)))
    }
}

fn setup(connection: &Connection) -> rusqlite::Result<Option<VaultSetup>> {
    // Never the column `dec_check`: what the Go server writes there is no valid text.
    let enc_check: Option<Option<String>> = connection
        .query_row(
            "SELECT enc_check FROM status WHERE db_status = ?1 ORDER BY id LIMIT 1",
            [COMPLETED],
            |row| row.get(0),
        )
        .optional()?;
    let Some(enc_check) = enc_check else {
        return Ok(None);
    };
    let ours = connection
        .query_row(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'rport_key_derivation'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    let derivation = match ours {
        None => None,
        Some(()) => connection
            .query_row(
                "SELECT algorithm, salt, memory_kib, passes, lanes FROM rport_key_derivation WHERE id = 1",
                [],
                |row| {
                    Ok(KeyDerivation {
                        algorithm: row.get(0)?,
                        salt: row.get(1)?,
                        memory_kib: row.get(2)?,
                        passes: row.get(3)?,
                        lanes: row.get(4)?,
                    })
                },
            )
            .optional()?,
    };
    Ok(Some(VaultSetup {
        enc_check: enc_check.unwrap_or_default(),
        derivation,
    }))
}

/// Whether a row was written; the unique index says when it is not.
fn unless_taken(written: rusqlite::Result<usize>) -> rusqlite::Result<bool> {
    match written {
        Ok(_) => Ok(true),
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn time(at: DateTime<FixedOffset>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn value(row: &Row<'_>) -> rusqlite::Result<StoredVaultValue> {
    // The client is a number in rows that were written without one, by the odd default of its column.
    let text = |at: usize| match row.get_ref(at)? {
        ValueRef::Text(text) => String::from_utf8(text.to_owned())
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, error.into())),
        ValueRef::Integer(number) => Ok(number.to_string()),
        _ => Ok(String::new()),
    };
    Ok(StoredVaultValue {
        entry: VaultEntry {
            id: VaultValueId(row.get(0)?),
            created_at: row.get::<_, GoTime>(3)?.0,
            created_by: text(4)?.into(),
            updated_at: row.get::<_, GoTime>(5)?.0,
            updated_by: text(6)?.into(),
            label: VaultLabel {
                client_id: text(1)?,
                required_group: text(2)?,
                key: text(7)?,
                kind: text(8)?,
            },
        },
        encrypted: text(9)?,
    })
}

#[cfg(test)]
mod tests;
