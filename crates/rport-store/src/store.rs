//! All files of one data directory.

use std::path::PathBuf;

use crate::error::StoreError;
use crate::{
    ApiSessions, ApiTokens, AuditLog, ClientAuthExtras, ClientGroups, Clients, Jobs, Library, OperatorExtras,
    Schedules, StoredTunnels, Vault,
};

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
    stored_tunnels: StoredTunnels,
    client_groups: ClientGroups,
    api_sessions: ApiSessions,
    api_tokens: ApiTokens,
    operator_extras: OperatorExtras,
    client_auth_extras: ClientAuthExtras,
    audit_log: AuditLog,
    library: Library,
    jobs: Jobs,
    vault: Vault,
    schedules: Schedules,
}

impl Store {
    /// Opens or creates every file and brings its schema up to date. Blocks on the disk: call it at start.
    ///
    /// # Errors
    /// The first file that cannot be used, with its path and what to do about it.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let clients = Clients::open(options)?;
        let operator_extras = OperatorExtras::open(options)?;
        let jobs = Jobs::open(options)?;
        Ok(Self {
            stored_tunnels: clients.stored_tunnels(),
            clients,
            client_groups: ClientGroups::open(options)?,
            api_sessions: ApiSessions::open(options, operator_extras.highest_session()?)?,
            api_tokens: ApiTokens::open(options)?,
            operator_extras,
            client_auth_extras: ClientAuthExtras::open(options)?,
            audit_log: AuditLog::open(options)?,
            library: Library::open(options)?,
            schedules: jobs.schedules(),
            jobs,
            vault: Vault::open(options)?,
        })
    }

    /// The client records, `clients.db`.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The stored tunnels, in `clients.db` too.
    pub fn stored_tunnels(&self) -> &StoredTunnels {
        &self.stored_tunnels
    }

    /// The client groups, `client_groups.db`.
    pub fn client_groups(&self) -> &ClientGroups {
        &self.client_groups
    }

    /// The users' logins, `api_sessions.db`.
    pub fn api_sessions(&self) -> &ApiSessions {
        &self.api_sessions
    }

    /// The users' long-lived tokens, `api_token.db`.
    pub fn api_tokens(&self) -> &ApiTokens {
        &self.api_tokens
    }

    /// What is known about logins beyond the Go server's tables, `operator_extras.db`.
    pub fn operator_extras(&self) -> &OperatorExtras {
        &self.operator_extras
    }

    /// What is known about client auths besides id and password, `client_auth_extras.db`.
    pub fn client_auth_extras(&self) -> &ClientAuthExtras {
        &self.client_auth_extras
    }

    /// Who did what, `auditlog.db`.
    pub fn audit_log(&self) -> &AuditLog {
        &self.audit_log
    }

    /// Commands and scripts that are kept for later, `library.db`.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Commands and scripts on clients, and what became of them, `jobs.db`.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Encrypted values, `vault.sqlite.db`, a file that comes with the first of them.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Orders that are made again and again, in `jobs.db` too.
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// Waits until all accepted writes are on disk and closes the files for writing. Call it last at shutdown.
    pub async fn close(&self) {
        self.clients.close().await;
        self.client_groups.close().await;
        self.api_sessions.close().await;
        self.api_tokens.close().await;
        self.operator_extras.close().await;
        self.client_auth_extras.close().await;
        self.audit_log.close().await;
        self.library.close().await;
        self.jobs.close().await;
        self.vault.close().await;
    }
}
