//! What can go wrong with a database file, in words an operator can act on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// A failure of one database file: which file, what is wrong, what to do.
///
/// Cheap to clone, because one failed commit is reported to every caller whose work was part of it.
#[derive(Debug, Clone)]
pub struct StoreError {
    path: PathBuf,
    kind: StoreErrorKind,
    source: Option<Arc<rusqlite::Error>>,
}

/// The kinds of failure a caller may want to tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The file system has no room left.
    DiskFull,
    /// The file exists but is not a SQLite database.
    NotADatabase,
    /// SQLite found the file's structure damaged.
    Damaged,
    /// The file or its directory cannot be created, opened or written by this user.
    Unwritable,
    /// Another process holds the file's lock.
    Busy,
    /// A Go server died in the middle of a migration and left its mark.
    Dirty {
        /// The migration that was under way.
        version: i64,
    },
    /// The file was written by a newer program.
    Newer {
        /// The schema version in the file.
        found: i64,
        /// The highest schema version this program knows.
        known: i64,
    },
    /// What was asked for is too large to be put together in memory.
    TooLarge,
    /// The writer of this file has been stopped.
    Closed,
    /// Anything else SQLite or the operating system says.
    Other(String),
}

/// Tests compare outcomes; a failure equals another of the same kind in the same file.
#[cfg(test)]
impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.kind == other.kind
    }
}

impl StoreError {
    pub(crate) fn new(path: &Path, kind: StoreErrorKind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            source: None,
        }
    }

    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        Self {
            path: path.to_owned(),
            kind: classify(&error),
            source: Some(Arc::new(error)),
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreErrorKind::DiskFull,
            std::io::ErrorKind::PermissionDenied
            | std::io::ErrorKind::ReadOnlyFilesystem
            | std::io::ErrorKind::NotFound
            | std::io::ErrorKind::NotADirectory
            | std::io::ErrorKind::IsADirectory => StoreErrorKind::Unwritable,
            _ => StoreErrorKind::Other(error.to_string()),
        };
        Self::new(path, kind)
    }

    /// The file this is about.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What went wrong.
    pub fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            StoreErrorKind::DiskFull => {
                write!(
                    f,
                    "database {path}: the disk is full; free some space on its file system"
                )
            }
            StoreErrorKind::NotADatabase => write!(
                f,
                "database {path}: the file is not a SQLite database; restore it from a backup or move it away to start with an empty one"
            ),
            StoreErrorKind::Damaged => write!(
                f,
                "database {path}: the file is damaged; restore it from a backup, or try `sqlite3 {path} .recover`"
            ),
            StoreErrorKind::Unwritable => write!(
                f,
                "database {path}: the file cannot be opened for writing; make its directory exist and both writable for the user of this process"
            ),
            StoreErrorKind::Busy => {
                write!(
                    f,
                    "database {path}: another process keeps the file locked; is a second server running?"
                )
            }
            StoreErrorKind::Dirty { version } => write!(
                f,
                "database {path}: an earlier server was interrupted in schema migration {version}; restore the file from a backup, or finish that migration by hand and set schema_migrations.dirty to 'false'"
            ),
            StoreErrorKind::Newer { found, known } => write!(
                f,
                "database {path}: its schema version {found} is newer than this program knows ({known}); use the program that wrote it"
            ),
            StoreErrorKind::TooLarge => write!(f, "database {path}: the answer would be too large"),
            StoreErrorKind::Closed => write!(f, "database {path}: already closed, the server is stopping"),
            StoreErrorKind::Other(text) => write!(f, "database {path}: {text}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text of `Other` already is the source's text.
        match self.kind {
            StoreErrorKind::Other(_) => None,
            _ => self.source.as_deref().map(|source| source as _),
        }
    }
}

/// Storage trouble is never the caller's fault: full disks and locks pass, the rest needs an operator.
impl From<StoreError> for rport_domain::Error {
    fn from(error: StoreError) -> Self {
        match error.kind {
            StoreErrorKind::DiskFull | StoreErrorKind::Busy | StoreErrorKind::Closed => {
                Self::unavailable("the data could not be saved or read, try again later").source(error)
            }
            StoreErrorKind::TooLarge => Self::invalid("The answer would be too large.")
                .detail("ask for fewer items with page[limit], or for fewer members with fields[…]"),
            _ => Self::internal(error),
        }
    }
}

fn classify(error: &rusqlite::Error) -> StoreErrorKind {
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return StoreErrorKind::Other(error.to_string());
    };
    match code.code {
        ErrorCode::DiskFull => StoreErrorKind::DiskFull,
        ErrorCode::NotADatabase => StoreErrorKind::NotADatabase,
        ErrorCode::DatabaseCorrupt => StoreErrorKind::Damaged,
        ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            StoreErrorKind::Unwritable
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Busy,
        // A full disk shows up here when it is the shared-memory file that cannot grow.
        ErrorCode::SystemIoFailure if code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
            StoreErrorKind::DiskFull
        }
        _ => StoreErrorKind::Other(error.to_string()),
    }
}
