//! `library.db`: commands and scripts that are kept for later.
//!
//! Source: storage.md 4.7 and 5.4. Columns, indexes and even the odd default of `scripts.updated_at` are those of the
//! Go server, which reads rows with `SELECT *`.

use rport_domain::{LibraryDefinition, LibraryEntry, LibraryId, LibraryKind, ListQuery, Page};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, named_params};

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::list::ListSource;
use crate::migrations::Migration;
use crate::store::StoreOptions;

/// `DEFAULT now` is no call: SQLite keeps the text `now`, which nothing ever reads, since every row is written whole.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: r#"
            CREATE TABLE scripts (
                id TEXT PRIMARY KEY NOT NULL,
                name TEXT NOT NULL,
                created_at DATE NOT NULL,
                created_by TEXT NOT NULL,
                interpreter TEXT,
                is_sudo INTEGER(1) DEFAULT 0 NOT NULL,
                cwd TEXT,
                script TEXT NOT NULL
            );
            CREATE INDEX "name" ON scripts ("name" ASC);
            CREATE UNIQUE INDEX "unique_name" ON scripts ("name" ASC);
        "#,
    },
    Migration {
        version: 2,
        sql: r#"
            CREATE TABLE commands (
                id TEXT PRIMARY KEY NOT NULL,
                name TEXT NOT NULL,
                created_at DATE NOT NULL,
                created_by TEXT NOT NULL,
                updated_at DATE NOT NULL,
                updated_by TEXT NOT NULL,
                cmd TEXT NOT NULL
            );
            CREATE INDEX "commands__name" ON commands ("name" ASC);
            CREATE UNIQUE INDEX "commands__unique_name" ON commands ("name" ASC);
        "#,
    },
    Migration {
        version: 3,
        sql: r#"
            ALTER TABLE scripts ADD COLUMN "updated_by" TEXT NOT NULL DEFAULT '';
            ALTER TABLE scripts ADD COLUMN "updated_at" DATE NOT NULL DEFAULT now;
            UPDATE scripts SET updated_by = created_by, updated_at = created_at;
            ALTER TABLE scripts ADD COLUMN "tags" TEXT NOT NULL DEFAULT '[]';
            ALTER TABLE commands ADD COLUMN "tags" TEXT NOT NULL DEFAULT '[]';
        "#,
    },
    Migration {
        version: 4,
        sql: r#"
            ALTER TABLE scripts ADD COLUMN "timeout_sec" INT NOT NULL DEFAULT 60;
            ALTER TABLE commands ADD COLUMN "timeout_sec" INT NOT NULL DEFAULT 60;
        "#,
    },
];

/// The filter that is answered here and not by SQLite, for which a list is one text.
const TAGS: &str = "tags";

/// What became of writing an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
pub enum LibraryWrite {
    /// It is on disk, as shown.
    Written(LibraryEntry),
    /// Another entry of its kind has the name.
    NameTaken,
    /// There is no entry of that id.
    Missing,
}

/// The library on disk.
#[derive(Clone)]
pub struct Library {
    database: Database,
}

impl Library {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("library.db");
        Ok(Self {
            database: Database::open(&path, options.wal, MIGRATIONS)?,
        })
    }

    /// A page of the entries of a kind. `query` was read with [`LibraryKind::list_spec`].
    ///
    /// Filters by tags look at each tag by itself, in any letter case, and know `and(…)`.
    pub async fn list(&self, kind: LibraryKind, query: &ListQuery) -> Result<Page<LibraryEntry>, StoreError> {
        let source = kind.source();
        let mut sql = query.clone();
        let of_tags: Vec<_> = sql
            .filters
            .extract_if(.., |filter| filter.columns.contains(&TAGS))
            .collect();
        if of_tags.is_empty() {
            return self
                .database
                .read(move |connection| source.page(connection, &sql, &[], |row| entry(kind, row)))
                .await;
        }
        let (offset, limit) = (sql.offset, sql.limit);
        (sql.offset, sql.limit) = (0, usize::MAX);
        let all = self
            .database
            .read(move |connection| source.page(connection, &sql, &[], |row| entry(kind, row)))
            .await?;
        let mut items = all.items;
        items.retain(|entry| {
            of_tags
                .iter()
                .all(|filter| filter.accepts(entry, LibraryEntry::field))
        });
        let total = items.len();
        let items = items.into_iter().skip(offset).take(limit).collect();
        Ok(Page { items, total })
    }

    /// One entry.
    pub async fn find(&self, kind: LibraryKind, id: &LibraryId) -> Result<Option<LibraryEntry>, StoreError> {
        let id = id.to_string();
        self.database
            .read(move |connection| find(connection, kind, &id))
            .await
    }

    /// Adds an entry. On disk when it returns.
    pub async fn insert(&self, kind: LibraryKind, entry: LibraryEntry) -> Result<LibraryWrite, StoreError> {
        self.database
            .write(move |connection| {
                let text = kind.text_column();
                let written = match kind {
                    LibraryKind::Command => connection
                        .prepare_cached(&format!(
                            "INSERT INTO commands (id, name, created_at, created_by, updated_at, updated_by, {text},
                                 tags, timeout_sec)
                             VALUES (:id, :name, :created_at, :created_by, :updated_at, :updated_by, :text,
                                 :tags, :timeout_sec)"
                        ))?
                        .execute(named_params! {
                            ":id": entry.id.as_str(),
                            ":name": entry.definition.name,
                            ":created_at": GoTime(entry.created_at),
                            ":created_by": entry.created_by.as_str(),
                            ":updated_at": GoTime(entry.updated_at),
                            ":updated_by": entry.updated_by.as_str(),
                            ":text": entry.definition.text,
                            ":tags": tags(&entry.definition),
                            ":timeout_sec": entry.definition.timeout_sec,
                        }),
                    LibraryKind::Script => connection
                        .prepare_cached(&format!(
                            "INSERT INTO scripts (id, name, created_at, created_by, updated_at, updated_by, {text},
                                 tags, timeout_sec, interpreter, is_sudo, cwd)
                             VALUES (:id, :name, :created_at, :created_by, :updated_at, :updated_by, :text,
                                 :tags, :timeout_sec, :interpreter, :is_sudo, :cwd)"
                        ))?
                        .execute(named_params! {
                            ":id": entry.id.as_str(),
                            ":name": entry.definition.name,
                            ":created_at": GoTime(entry.created_at),
                            ":created_by": entry.created_by.as_str(),
                            ":updated_at": GoTime(entry.updated_at),
                            ":updated_by": entry.updated_by.as_str(),
                            ":text": entry.definition.text,
                            ":tags": tags(&entry.definition),
                            ":timeout_sec": entry.definition.timeout_sec,
                            ":interpreter": entry.definition.interpreter,
                            ":is_sudo": entry.definition.is_sudo,
                            ":cwd": entry.definition.cwd,
                        }),
                };
                Ok(if unless_taken(written)? {
                    LibraryWrite::Written(entry)
                } else {
                    LibraryWrite::NameTaken
                })
            })
            .await
    }

    /// Gives the entry of `entry.id` its definition, and who changed it when. Who created it and when stays as it is,
    /// whatever `entry` says. On disk when it returns.
    pub async fn replace(&self, kind: LibraryKind, entry: LibraryEntry) -> Result<LibraryWrite, StoreError> {
        self.database
            .write(move |connection| {
                let id = entry.id.as_str();
                if find(connection, kind, id)?.is_none() {
                    return Ok(LibraryWrite::Missing);
                }
                let definition = &entry.definition;
                let (table, text) = (kind.table(), kind.text_column());
                let written = connection
                    .prepare_cached(&format!(
                        "UPDATE {table} SET name = :name, updated_at = :updated_at, updated_by = :updated_by,
                             {text} = :text, tags = :tags, timeout_sec = :timeout_sec WHERE id = :id"
                    ))?
                    .execute(named_params! {
                        ":id": id,
                        ":name": definition.name,
                        ":updated_at": GoTime(entry.updated_at),
                        ":updated_by": entry.updated_by.as_str(),
                        ":text": definition.text,
                        ":tags": tags(definition),
                        ":timeout_sec": definition.timeout_sec,
                    });
                if !unless_taken(written)? {
                    return Ok(LibraryWrite::NameTaken);
                }
                if kind == LibraryKind::Script {
                    connection
                        .prepare_cached(
                            "UPDATE scripts SET interpreter = :interpreter, is_sudo = :is_sudo, cwd = :cwd
                             WHERE id = :id",
                        )?
                        .execute(named_params! {
                            ":id": id,
                            ":interpreter": definition.interpreter,
                            ":is_sudo": definition.is_sudo,
                            ":cwd": definition.cwd,
                        })?;
                }
                Ok(find(connection, kind, id)?.map_or(LibraryWrite::Missing, LibraryWrite::Written))
            })
            .await
    }

    /// Removes an entry. Returns whether there was one. On disk when it returns.
    pub async fn delete(&self, kind: LibraryKind, id: &LibraryId) -> Result<bool, StoreError> {
        let (id, table) = (id.to_string(), kind.table());
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?
                    .execute([id])?;
                Ok(deleted > 0)
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// Where the entries of a kind are.
trait Table {
    fn table(self) -> &'static str;
    fn text_column(self) -> &'static str;
    fn source(self) -> ListSource;
}

impl Table for LibraryKind {
    fn table(self) -> &'static str {
        match self {
            Self::Command => "commands",
            Self::Script => "scripts",
        }
    }

    fn text_column(self) -> &'static str {
        match self {
            Self::Command => "cmd",
            Self::Script => "script",
        }
    }

    fn source(self) -> ListSource {
        ListSource {
            columns: match self {
                Self::Command => {
                    "id, name, created_at, created_by, updated_at, updated_by, tags, timeout_sec, cmd"
                }
                Self::Script => {
                    "id, name, created_at, created_by, updated_at, updated_by, tags, timeout_sec, script,
                     interpreter, is_sudo, cwd"
                }
            },
            table: self.table(),
            tie: "rowid",
        }
    }
}

fn find(connection: &Connection, kind: LibraryKind, id: &str) -> rusqlite::Result<Option<LibraryEntry>> {
    let ListSource { columns, table, .. } = kind.source();
    connection
        .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE id = ?1"))?
        .query_row([id], |row| entry(kind, row))
        .optional()
}

/// Whether a row was written; the unique index on names says when it is not.
fn unless_taken(written: rusqlite::Result<usize>) -> rusqlite::Result<bool> {
    match written {
        Ok(_) => Ok(true),
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A list, or the text `null`, as the Go server writes it.
fn tags(definition: &LibraryDefinition) -> String {
    rport_protocol::json::encode_string(&definition.tags)
}

fn entry(kind: LibraryKind, row: &Row<'_>) -> rusqlite::Result<LibraryEntry> {
    let text = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(at)?.unwrap_or_default());
    let is_script = kind == LibraryKind::Script;
    let of_script = |at: usize| if is_script { text(at) } else { Ok(String::new()) };
    Ok(LibraryEntry {
        id: text(0)?.into(),
        created_by: text(3)?.into(),
        created_at: row.get::<_, GoTime>(2)?.0,
        updated_by: text(5)?.into(),
        updated_at: row.get::<_, GoTime>(4)?.0,
        definition: LibraryDefinition {
            name: text(1)?,
            text: text(8)?,
            interpreter: of_script(9)?,
            is_sudo: is_script && row.get(10)?,
            cwd: of_script(11)?,
            // Only a hand that knows no better leaves anything but a list or `null`.
            tags: serde_json::from_str(&text(6)?).unwrap_or_default(),
            timeout_sec: row.get(7)?,
        },
    })
}

#[cfg(test)]
mod tests;
