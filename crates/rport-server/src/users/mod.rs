//! The users of the API: exactly one source of them, and what may be done with them.
//!
//! Start reading at `provider.rs` (what a source can do) and `service.rs` (an administrator changes something). A new
//! kind of source is one file here that implements [`UserProvider`], an arm in [`open`] and a variant of
//! [`UserSource`].

mod file;
mod file_format;
mod options;
mod password;
mod provider;
mod single;

use std::sync::Arc;

use rport_runtime::Tasks;

pub use options::{UserHash, UserOptions, UserSource};
pub(crate) use password::Passwords;
pub(crate) use provider::{UserProvider, single_only};

pub use rport_store::UserTableNames;

use crate::error::StartError;

/// Makes the provider the configuration asks for, reading what it needs.
pub(crate) async fn open(options: &UserOptions, tasks: &Tasks) -> Result<Arc<dyn UserProvider>, StartError> {
    Ok(match &options.source {
        UserSource::Single { name, password } => Arc::new(single::Single::new(name, password)),
        UserSource::File(path) => Arc::new(file::File::read(path, tasks)?),
        UserSource::Table { .. } => {
            return Err(StartError::Unsupported(
                "'auth_user_table' in [api] is not supported yet: use 'auth' or 'auth_file' instead",
            ));
        }
    })
}
