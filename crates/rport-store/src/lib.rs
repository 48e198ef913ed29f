//! What the server keeps: the SQLite files of the data directory, in the format of the Go server.
//!
//! One file of this crate per database file: [`clients`] is `clients.db`, [`api_sessions`] is `api_sessions.db`. Each
//! holds its migrations, its rows and its queries; [`Store`] opens them all. A new database is a new file here and a
//! field in [`Store`].
//!
//! Writing is acknowledged only after it has reached the disk, and many writers share one flush: see `database.rs`.
//! The files can be handed back to the Go server at any time; what that demands is said where it is done, and comes
//! from storage.md 2, 3 and 13.
//!
//! Apart from those stand [`ClientAuthTable`] and [`UserTable`], in a database of the operator: SQLite, MariaDB, MySQL
//! or PostgreSQL.
//!
//! This crate never names a session, a connection or HTTP, and its errors carry no SQL to the user.

mod api_sessions;
mod api_tokens;
mod audit_log;
mod client_auth_extras;
mod client_auth_table;
mod client_groups;
mod clients;
mod database;
mod error;
mod go_time;
mod jobs;
mod library;
mod list;
mod migrations;
mod operator_db;
mod operator_extras;
mod schedules;
mod store;
mod stored_tunnels;
#[cfg(test)]
mod tests;
mod user_table;
mod vault;
mod writer;

pub use api_sessions::{ApiSession, ApiSessions};
pub use api_tokens::{ApiToken, ApiTokens, TokenWrite};
pub use audit_log::{AuditChunk, AuditExport, AuditLog};
pub use client_auth_extras::{ClientAuthExtra, ClientAuthExtras};
pub use client_auth_table::{ClientAuthTable, TableChange, TableFindings};
pub use client_groups::ClientGroups;
pub use clients::Clients;
pub use error::{StoreError, StoreErrorKind};
pub use jobs::{
    Finish, FinishedJob, JobPhase, JobScope, Jobs, MultiJobExtras, MultiJobPhase, NewJobs, OpenJob,
    ScheduleRun, StartRule,
};
pub use library::{Library, LibraryWrite};
pub use operator_db::{DatabaseOptions, DatabaseServer, TableError};
pub use operator_extras::{OperatorExtras, SessionToken};
pub use schedules::{Claim, ScheduleProgress, Schedules};
pub use store::{Store, StoreOptions};
pub use stored_tunnels::StoredTunnels;
pub use user_table::{UserTable, UserTableNames};
pub use vault::{KeyDerivation, StoredVaultValue, Vault, VaultSetup, VaultWrite};
