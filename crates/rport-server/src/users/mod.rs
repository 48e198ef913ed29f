//! The users of the API: exactly one source of them.
//!
//! A new kind of source is one file here that implements [`UserProvider`], an arm in [`open`] and a variant of
//! [`UserSource`].

mod file;
mod password;
mod single;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rport_domain::{Error, User, UserName};

pub(crate) use password::Passwords;

use crate::error::StartError;
use crate::options::UserSource;

/// What a lookup of a user returns.
pub(crate) type Lookup<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<User>>, Error>> + Send + 'a>>;

/// A source of users.
pub(crate) trait UserProvider: Send + Sync {
    /// The user of this name, if there is one.
    fn find<'a>(&'a self, name: &'a UserName) -> Lookup<'a>;
    /// What a password is compared with when there is no such user, so that the answer takes as long as for a known
    /// one.
    fn stand_in(&self) -> &str;
    /// Reads the users again where that means something; a bad source leaves the known users in place.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn reload(&self) -> Result<(), StartError>;
    /// The words for this source in `GET /status`.
    fn source_name(&self) -> &'static str;
}

/// Makes the provider the configuration asks for, reading what it needs.
pub(crate) fn open(source: &UserSource) -> Result<Arc<dyn UserProvider>, StartError> {
    match source {
        UserSource::Single { name, password } => Ok(Arc::new(single::Single::new(name, password.clone()))),
        UserSource::File(path) => Ok(Arc::new(file::File::read(path)?)),
        UserSource::Table(_) => Err(StartError::Unsupported(
            "'auth_user_table' in [api] is not supported yet: use 'auth' or 'auth_file' instead",
        )),
    }
}
