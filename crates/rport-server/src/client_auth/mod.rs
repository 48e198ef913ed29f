//! Who may connect as an agent: ids and passwords, from exactly one source.
//!
//! A new kind of source is one file here that implements [`Provider`], an arm in [`open`] and a variant of
//! [`ClientAuthSource`].

mod file;
mod gate;
mod single;

use std::sync::Arc;

pub(crate) use gate::Gate;

use crate::error::StartError;
use crate::options::ClientAuthSource;

/// A source of agents' credentials.
pub(crate) trait Provider: Send + Sync {
    /// Whether this id exists and has this password. Takes the same time for every wrong password.
    fn verify(&self, id: &str, password: &[u8]) -> bool;
    /// The words for this source in `GET /status`.
    fn source_name(&self) -> &'static str;
    /// Whether credentials could be changed through the API, if the configuration allows it.
    fn writable(&self) -> bool;
}

/// Makes the provider the configuration asks for, reading what it needs.
pub(crate) fn open(source: &ClientAuthSource) -> Result<Arc<dyn Provider>, StartError> {
    match source {
        ClientAuthSource::Single { id, password } => Ok(Arc::new(single::Single::new(id, password.clone()))),
        ClientAuthSource::File(path) => Ok(Arc::new(file::File::read(path)?)),
        ClientAuthSource::Table(_) => Err(StartError::Unsupported(
            "'auth_table' in [server] is not supported yet: use 'auth' or 'auth_file' instead",
        )),
    }
}
