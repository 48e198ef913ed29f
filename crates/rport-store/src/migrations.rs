//! Schema versions, kept in the Go server's own bookkeeping.
//!
//! Source: storage.md 3. The table and the text `'false'` are those of golang-migrate 4.7.0, so that a data directory
//! can go back to the Go server. For the same reason this program never adds a version of its own to that table.
//!
//! Differs from RPort: a migration and its bookkeeping are one transaction, so a crash leaves the old version rather
//! than a dirty mark.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, types::Value};

use crate::error::{StoreError, StoreErrorKind};

/// One step of a file's schema. Versions start at 1 and have no gaps.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) sql: &'static str,
}

const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool);
    CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations (version);
";

/// Brings the file to the newest version of `migrations`.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    connection.execute_batch(BOOKKEEPING).map_err(failed)?;
    let known = migrations.last().map_or(0, |migration| migration.version);
    let current = current_version(connection, path)?;
    if current > known {
        return Err(StoreError::new(
            path,
            StoreErrorKind::Newer {
                found: current,
                known,
            },
        ));
    }
    for migration in migrations.iter().filter(|migration| migration.version > current) {
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        step.execute_batch(migration.sql).map_err(failed)?;
        step.execute("DELETE FROM schema_migrations", [])
            .map_err(failed)?;
        step.execute(
            "INSERT INTO schema_migrations (version, dirty) VALUES (?1, 'false')",
            [migration.version],
        )
        .map_err(failed)?;
        step.commit().map_err(failed)?;
        tracing::debug!(file = %path.display(), version = migration.version, "database schema migrated");
    }
    Ok(())
}

/// Brings our own tables to the newest version, in a file the Go server does not know or beside its tables. Each step
/// of `schema` leads to the version of its position, counted from 1 and kept in `user_version`, which the Go server
/// neither reads nor writes.
pub(crate) fn migrate_own(
    connection: &mut Connection,
    path: &Path,
    schema: &[&str],
) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let current: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    let known = schema.len() as i64;
    if current > known {
        return Err(StoreError::new(
            path,
            StoreErrorKind::Newer {
                found: current,
                known,
            },
        ));
    }
    for (version, sql) in (1..).zip(schema).filter(|(version, _)| *version > current) {
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        step.execute_batch(sql).map_err(failed)?;
        step.pragma_update(None, "user_version", version)
            .map_err(failed)?;
        step.commit().map_err(failed)?;
    }
    Ok(())
}

fn current_version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let row: Option<(i64, Value)> = connection
        .query_row(
            "SELECT version, dirty FROM schema_migrations LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(|error| StoreError::sqlite(path, error))?;
    let Some((version, dirty)) = row else { return Ok(0) };
    let dirty = match dirty {
        Value::Integer(number) => number != 0,
        Value::Text(text) => !matches!(text.to_ascii_lowercase().as_str(), "false" | "f" | "0"),
        _ => false,
    };
    if dirty {
        return Err(StoreError::new(path, StoreErrorKind::Dirty { version }));
    }
    Ok(version)
}
