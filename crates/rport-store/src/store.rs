//! All files of one data directory.

use std::path::PathBuf;

use crate::error::StoreError;
use crate::{ApiSessions, Clients};

/// Where and how the files are kept.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data directory. It has to exist.
    pub data_dir: PathBuf,
    /// Whether files are switched to a write-ahead log (`[server] sqlite_wal`). Switching it off later does not
    /// convert a file back.
    pub wal: bool,
}

/// The open files. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Store {
    clients: Clients,
    api_sessions: ApiSessions,
}

impl Store {
    /// Opens or creates every file and brings its schema up to date. Blocks on the disk: call it at start.
    ///
    /// # Errors
    /// The first file that cannot be used, with its path and what to do about it.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { clients: Clients::open(options)?, api_sessions: ApiSessions::open(options)? })
    }

    /// The client records, `clients.db`.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The users' logins, `api_sessions.db`.
    pub fn api_sessions(&self) -> &ApiSessions {
        &self.api_sessions
    }

    /// Waits until all accepted writes are on disk and closes the files for writing. Call it last at shutdown.
    pub async fn close(&self) {
        self.clients.close().await;
        self.api_sessions.close().await;
    }
}
