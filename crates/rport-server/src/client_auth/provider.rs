//! What every source of credentials can do.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use rport_domain::{ClientAuthId, Error, StoredPassword};

use crate::error::StartError;

/// What a source answers with, sooner or later.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// A pair as its source keeps it.
pub type Pair = (ClientAuthId, StoredPassword);

/// A source of agents' credentials.
pub(crate) trait Provider: Send + Sync {
    /// The password kept for exactly this id. Byte for byte: a database that takes `a` for `A` does not make them one
    /// client auth.
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>>;

    /// All pairs, in no order.
    fn list(&self) -> Answer<'_, Vec<Pair>>;

    /// Makes all changes or none. What is done is on disk and cannot be lost when this returns, and is done in any
    /// case once it has begun, even if the caller goes away.
    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()>;

    /// Reads again what was read at start. A source that cannot be read leaves everything as it was.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn reload(&self) -> Result<(), StartError> {
        Ok(())
    }

    /// A hash out of the source, if it has any: unknown ids are to cost as much as known ones.
    fn example_hash(&self) -> Option<StoredPassword> {
        None
    }

    /// The words for this source in the API's status.
    fn source_name(&self) -> &'static str;

    /// Whether credentials can be changed at all.
    fn is_writable(&self) -> bool {
        true
    }
}

/// One change of a source.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Adds a pair whose id does not exist.
    Insert(ClientAuthId, StoredPassword),
    /// Replaces the password of an id that exists.
    Replace(ClientAuthId, StoredPassword),
    /// Removes an id that exists.
    Delete(ClientAuthId),
}

/// Why a source did not do as it was asked. No variant carries a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// The id exists already.
    #[error("client auth id {0:?} exists already")]
    Exists(ClientAuthId),
    /// The id does not exist.
    #[error("client auth id {0:?} does not exist")]
    Missing(ClientAuthId),
    /// Somebody else changed the file since it was read.
    #[error(
        "{} was changed by somebody else since it was read; nothing was written. Reload rportd (SIGHUP) to read it, then try again",
        .0.display()
    )]
    ChangedOnDisk(PathBuf),
    /// The source cannot keep the value, for instance because a column is too narrow.
    #[error("{0}")]
    Unfit(String),
    /// The source does not answer at present.
    #[error("{0}")]
    Unavailable(String),
    /// The source answers, and with an error.
    #[error("{0}")]
    Failed(String),
    /// The source is never written to.
    #[error("the credentials stand in the configuration and can only be changed there")]
    ReadOnly,
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Exists(id) => already_exists(&id),
            ProviderError::Missing(id) => not_found_coded(&id),
            ProviderError::ChangedOnDisk(_) => {
                Self::conflict(error.to_string()).code("ERR_CODE_CLIENT_AUTH_CHANGED")
            }
            ProviderError::Unfit(text) => Self::invalid(text).code("ERR_CODE_INVALID_REQUEST"),
            ProviderError::Unavailable(cause) => Self::unavailable(
                "The source of client auth credentials is unavailable, please try again later.",
            )
            .code("ERR_CODE_CLIENT_AUTH_UNAVAILABLE")
            .source(cause),
            ProviderError::Failed(text) => Self::internal(text),
            ProviderError::ReadOnly => single_only(),
        }
    }
}

// The words and codes of the answers. Source: rest-api.md 9.1.

pub(crate) fn already_exists(id: &ClientAuthId) -> Error {
    Error::conflict(format!("Client Auth with ID \"{id}\" already exist.")).code("ERR_CODE_ALREADY_EXIST")
}

pub(crate) fn not_found(id: &ClientAuthId) -> Error {
    Error::not_found(format!("Client Auth with ID \"{id}\" not found"))
}

pub(crate) fn not_found_coded(id: &ClientAuthId) -> Error {
    Error::not_found(format!("Client Auth with ID=\"{id}\" not found."))
        .code("ERR_CODE_CLIENT_AUTH_NOT_FOUND")
}

pub(crate) fn single_only() -> Error {
    Error::read_only("Client authentication is enabled only for a single user.")
        .code("ERR_CODE_CLIENT_AUTH_SINGLE")
}

/// Differs from RPort, which answers 405 although its documentation promises 403.
pub(crate) fn read_only_mode() -> Error {
    Error::forbidden("Client authentication has been attached in read-only mode.")
        .code("ERR_CODE_CLIENT_AUTH_RO")
}
