//! Reading everything, also what was put aside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta};
use rport_domain::{AUDIT_USERNAME, AuditEntry, ListQuery};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;

use super::rotation::put_aside;
use super::{AuditLog, FILE, SOURCE, entry};
use crate::error::StoreError;

/// Entries handed over at a time.
const CHUNK: usize = 256;
/// Chunks that wait for a slow reader.
const QUEUE: usize = 4;
/// How long a reader may take for one chunk. As long as it reads, the file cannot be put aside.
const READER_LIMIT: Duration = Duration::from_secs(30);

/// What to export.
#[derive(Debug, Clone)]
pub struct AuditExport {
    /// Filters and order. Its page is ignored.
    pub query: ListQuery,
    /// Only the entries of this user.
    pub only: Option<String>,
    /// Not before this moment.
    pub from: Option<DateTime<FixedOffset>>,
    /// Not after this moment.
    pub to: Option<DateTime<FixedOffset>>,
}

/// Some entries, or what broke the export off.
pub type AuditChunk = Result<Vec<AuditEntry>, StoreError>;

impl AuditLog {
    /// Reads all entries that match, in chunks. With a time limit given, files that were put aside are read too, one
    /// after the other, oldest first; the order asked for holds within each file.
    ///
    /// Dropping the receiver ends the reading. One that takes nothing for half a minute is given up.
    pub fn export(&self, export: AuditExport) -> mpsc::Receiver<AuditChunk> {
        let (chunks, receiver) = mpsc::channel(QUEUE);
        let folder = self.inner.folder.clone();
        // Ends with its receiver, within the limit above.
        tokio::task::spawn_blocking(move || run(&folder, export, &chunks));
        receiver
    }
}

fn run(folder: &Path, mut export: AuditExport, chunks: &mpsc::Sender<AuditChunk>) {
    export.query.limit = usize::MAX;
    export.query.offset = 0;
    for path in files(folder, &export) {
        match read_file(&path, &export, chunks) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                send(chunks, Err(StoreError::sqlite(&path, error)));
                return;
            }
        }
    }
}

/// The files that may hold something that was asked for.
fn files(folder: &Path, export: &AuditExport) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if export.from.is_some() || export.to.is_some() {
        // A file holds nothing younger than the day it was put aside; a day more covers zones.
        let first = export.from.map(|from| from.date_naive() - TimeDelta::days(1));
        let old = put_aside(folder)
            .into_iter()
            .filter(|(day, _)| first.is_none_or(|first| *day >= first));
        files.extend(old.map(|(_, path)| path));
    }
    files.push(folder.join(FILE));
    files
}

/// Returns whether the receiver wants more.
fn read_file(path: &Path, export: &AuditExport, chunks: &mpsc::Sender<AuditChunk>) -> rusqlite::Result<bool> {
    // Writable, because a reader of a write-ahead log has to create its index where there is none.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let scope: Vec<_> = export
        .only
        .iter()
        .map(|user| (AUDIT_USERNAME, user.as_str()))
        .collect();
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut wanted = true;
    let outcome = SOURCE.page(&connection, &export.query, &scope, |row| {
        let entry = entry(row)?;
        let is_early = export.from.is_some_and(|from| entry.timestamp < from);
        let is_late = export.to.is_some_and(|to| entry.timestamp > to);
        if is_early || is_late {
            return Ok(());
        }
        chunk.push(entry);
        if chunk.len() == CHUNK
            && !send(
                chunks,
                Ok(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))),
            )
        {
            wanted = false;
            // Any error ends the reading; nobody sees this one.
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
        Ok(())
    });
    if !wanted {
        return Ok(false);
    }
    outcome?;
    Ok(chunk.is_empty() || send(chunks, Ok(chunk)))
}

/// Hands a chunk over; `false` when nobody takes it.
fn send(chunks: &mpsc::Sender<AuditChunk>, chunk: AuditChunk) -> bool {
    let handle = tokio::runtime::Handle::current();
    let sent = handle.block_on(async { tokio::time::timeout(READER_LIMIT, chunks.send(chunk)).await });
    matches!(sent, Ok(Ok(())))
}
