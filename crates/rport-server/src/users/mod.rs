//! The users of the API: exactly one source of them, and what may be done with them.
//!
//! Start reading at `provider.rs` (what a source can do) and `service.rs` (an administrator changes something). A new
//! kind of source is one file here that implements [`UserProvider`], an arm in [`open`] and a variant of
//! [`UserSource`].

mod accounts;
mod checks;
mod file;
mod file_format;
mod groups;
mod options;
mod password;
mod provider;
mod requests;
mod service;
mod single;
mod table;
mod tool;

use std::sync::Arc;

use rport_runtime::{Clock, Tasks};

pub use options::{UserHash, UserOptions, UserSource};
pub(crate) use password::Passwords;
pub(crate) use provider::{UserProvider, single_only};
pub use requests::{NewUser, OwnUpdate, UserUpdate, UserView};
pub use service::Users;
pub use tool::UserTool;

pub use rport_store::UserTableNames;

use crate::error::StartError;

/// Makes the provider the configuration asks for, reading what it needs.
pub(crate) async fn open(
    options: &UserOptions,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Arc<dyn UserProvider>, StartError> {
    Ok(match &options.source {
        UserSource::Single { name, password } => Arc::new(single::Single::new(name, password)),
        UserSource::File(path) => Arc::new(file::File::read(path, tasks)?),
        UserSource::Table { database, tables } => {
            Arc::new(table::TableSource::open(database, tables, options.hash, clock, tasks).await?)
        }
    })
}
