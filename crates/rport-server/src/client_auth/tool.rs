//! Credentials for the command line: the same sources, without a server around them.

use std::sync::Arc;

use rport_domain::client_auth::{check_id, check_password};
use rport_domain::{ClientAuthId, Error, StoredPassword};
use rport_runtime::{Secret, Tasks};
use rport_store::DatabaseOptions;

use super::options::ClientAuthSource;
use super::provider::{Change, Pair, Provider};
use super::requests::GENERATED_LENGTH;
use super::{file_format, open, table};
use crate::error::StartError;
use crate::hashing;

/// One source of credentials, for list, add, delete, import and export on the command line.
///
/// Works beside a running server. With a table the server sees every change at once. With a file it goes on with what
/// it has read, refuses to overwrite the change, and takes it over at its next reload (SIGHUP). Connected agents are
/// not disconnected; that is what the API is for.
pub struct ClientAuthTool {
    provider: Arc<dyn Provider>,
    tasks: Tasks,
}

impl ClientAuthTool {
    /// Opens the source and checks it as a start of the server would.
    ///
    /// # Errors
    /// What is wrong with the source, as one line.
    pub async fn open(source: &ClientAuthSource, tasks: &Tasks) -> Result<Self, StartError> {
        Ok(Self {
            provider: open(source, tasks).await?,
            tasks: tasks.clone(),
        })
    }

    /// Checks that the table exists and is sound.
    ///
    /// # Errors
    /// What is wrong, as one line that contains the SQL to run.
    pub async fn check_table(
        database: &DatabaseOptions,
        name: &str,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        table::TableSource::open(database, name, tasks).await.map(drop)
    }

    /// Creates the table if it is missing, and checks it.
    ///
    /// # Errors
    /// As [`Self::check_table`].
    pub async fn create_table(
        database: &DatabaseOptions,
        name: &str,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        table::TableSource::create(database, name, tasks).await
    }

    /// Reads pairs in the form of `auth_file`, all or nothing.
    ///
    /// # Errors
    /// `Invalid` with the position or the id, never with a password.
    pub fn parse(text: &str) -> Result<Vec<Pair>, Error> {
        let pairs = file_format::parse(text).map_err(|error| {
            Error::invalid(format!(
                "{error}; expected a JSON object of client auth ids and passwords"
            ))
        })?;
        Ok(pairs.into_iter().collect())
    }

    /// Writes pairs in the form of `auth_file`.
    pub fn render(pairs: Vec<Pair>) -> Vec<u8> {
        file_format::render(&pairs.into_iter().collect())
    }

    /// Makes a strong password.
    pub fn generate_password() -> Secret {
        Secret::new(rport_runtime::rng::alphanumeric(GENERATED_LENGTH))
    }

    /// Hashes a password with Argon2id, as the server does where `auth_hash` says so.
    pub async fn hash_password(&self, password: &Secret) -> Result<StoredPassword, Error> {
        let password = password.clone();
        let hashed = self
            .tasks
            .spawn_blocking("password", move || hashing::hash(&password));
        hashed.await.map_err(Error::internal)
    }

    /// Checks a new pair as the API does.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check_pair(id: &ClientAuthId, password: &Secret) -> Result<(), Error> {
        check_id(id.as_str())?;
        check_password(password.expose())
    }

    /// All pairs as the source keeps them, sorted by id. Hashes stay hashes; passwords in clear are in clear.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn list(&self) -> Result<Vec<Pair>, Error> {
        let mut pairs = self.provider.list().await?;
        pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(pairs)
    }

    /// The pair of an id.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn find(&self, id: &ClientAuthId) -> Result<Option<StoredPassword>, Error> {
        Ok(self.provider.lookup(id.as_str()).await?)
    }

    /// Adds pairs, all or none. Those with `replace` set may exist already and are replaced then.
    ///
    /// # Errors
    /// `Conflict` naming the first id that exists, or when the file changed meanwhile; `ReadOnly` for the static
    /// pair; `Unavailable`.
    pub async fn add(&self, pairs: Vec<Pair>, replace: bool) -> Result<(), Error> {
        let mut changes = Vec::with_capacity(pairs.len());
        let known = if replace { self.list().await? } else { Vec::new() };
        for (id, stored) in pairs {
            let exists = known.binary_search_by(|(known, _)| known.cmp(&id)).is_ok();
            changes.push(if exists {
                Change::Replace(id, stored)
            } else {
                Change::Insert(id, stored)
            });
        }
        Ok(self.provider.change(changes).await?)
    }

    /// Removes pairs, all or none.
    ///
    /// # Errors
    /// `NotFound` naming the first id that does not exist; `Conflict` when the file changed meanwhile; `ReadOnly`
    /// for the static pair; `Unavailable`.
    pub async fn delete(&self, ids: Vec<ClientAuthId>) -> Result<(), Error> {
        Ok(self
            .provider
            .change(ids.into_iter().map(Change::Delete).collect())
            .await?)
    }
}
