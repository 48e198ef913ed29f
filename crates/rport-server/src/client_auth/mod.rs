//! Who may connect as an agent: ids and passwords, from exactly one source.
//!
//! Start reading at `login.rs` (an agent knocks) and `changes.rs` (an administrator changes something). A new kind of
//! source is one file that implements [`provider::Provider`], an arm in [`open`] and a variant of
//! [`ClientAuthSource`].

mod binding;
mod changes;
mod file;
mod file_format;
mod gate;
mod login;
mod logins;
mod options;
mod provider;
mod requests;
mod service;
mod single;
mod table;
mod tool;
mod verify;
mod view;

use std::sync::Arc;

pub(crate) use binding::Bound;
pub(crate) use gate::Gate;
pub(crate) use login::Verdict;
pub(crate) use logins::Entered;
pub use options::{ClientAuthOptions, ClientAuthSource, ClientIdBinding, PasswordHashing, UnknownWord};
pub use provider::Pair;
pub use requests::{ClientAuthChange, ClientAuthOutcome, MAX_GRACE, NewClientAuth, NewPassword};
pub use service::ClientAuths;
pub(crate) use service::Needs;
pub use tool::ClientAuthTool;

use rport_runtime::Tasks;
pub use rport_store::{DatabaseOptions, DatabaseServer};

use self::provider::Provider;
use crate::error::StartError;

/// Makes the provider the configuration asks for, reading what it needs.
pub(crate) async fn open(source: &ClientAuthSource, tasks: &Tasks) -> Result<Arc<dyn Provider>, StartError> {
    Ok(match source {
        ClientAuthSource::Single { id, password } => Arc::new(single::Single::new(id, password)),
        ClientAuthSource::File(path) => Arc::new(file::File::read(path, tasks)?),
        ClientAuthSource::Table { database, table } => {
            Arc::new(table::TableSource::open(database, table, tasks).await?)
        }
    })
}
