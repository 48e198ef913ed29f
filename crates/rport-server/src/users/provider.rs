//! What every source of users can do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rport_domain::{Error, Permissions, User, UserChange, UserGroup, UserName};

use crate::error::StartError;
use crate::kept_file::WriteError;

/// What a source answers with, sooner or later.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A source of users.
///
/// Errors are the words of the API. Those of writing methods: `Invalid` for a name that exists and for values the
/// source cannot keep, `NotFound` for one that does not, `Conflict` when somebody else changed the file, `Unavailable`
/// when the source does not answer at present, `Invalid` where the source is never written to.
pub(crate) trait UserProvider: Send + Sync {
    /// The user of this name, if there is one. Byte for byte: a database that takes `a` for `A` does not make them one
    /// user.
    fn find<'a>(&'a self, name: &'a UserName) -> Answer<'a, Option<Arc<User>>>;

    /// All users, by name where the source has no order of its own.
    fn list(&self) -> Answer<'_, Vec<Arc<User>>>;

    /// Adds a user whose name does not exist. On disk when this returns.
    fn add(&self, user: User) -> Answer<'_, ()>;

    /// Changes a user. On disk when this returns, all of it or nothing.
    fn change<'a>(&'a self, name: &'a UserName, change: UserChange) -> Answer<'a, ()>;

    /// Removes a user and the user's memberships. On disk when this returns.
    fn delete<'a>(&'a self, name: &'a UserName) -> Answer<'a, ()>;

    /// What these groups grant together. Cheap: asked with every request.
    fn group_permissions<'a>(&'a self, _groups: &'a [String]) -> Answer<'a, Permissions> {
        Box::pin(async { Ok(Permissions::all()) })
    }

    /// What is kept about those of these groups that something is kept about. Cheap.
    fn details_of<'a>(&'a self, _groups: &'a [String]) -> Answer<'a, Vec<UserGroup>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// All groups: those with details by name, then those known from memberships only.
    fn groups(&self) -> Answer<'_, Vec<UserGroup>> {
        self.no_groups()
    }

    /// One group; an unknown one grants nothing.
    fn group<'a>(&'a self, _name: &'a str) -> Answer<'a, UserGroup> {
        self.no_groups()
    }

    /// Adds a group or replaces its details.
    fn put_group(&self, _group: UserGroup) -> Answer<'_, ()> {
        self.no_groups()
    }

    /// Removes the details of a group and all memberships; also when there are none.
    fn delete_group<'a>(&'a self, _name: &'a str) -> Answer<'a, ()> {
        self.no_groups()
    }

    /// Whether permissions are granted group by group.
    fn supports_groups(&self) -> bool {
        false
    }

    /// Whether groups can be listed and deleted.
    fn has_groups(&self) -> bool {
        false
    }

    /// What a password is compared with when there is no such user, so that the answer takes as long as for a known
    /// one.
    fn stand_in(&self) -> String;

    /// Reads the users again where that means something; a bad source leaves the known users in place.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn reload(&self) -> Result<(), StartError> {
        Ok(())
    }

    /// The words for this source in `GET /status`.
    fn source_name(&self) -> &'static str;

    /// Whether users can be changed at all.
    fn is_writable(&self) -> bool {
        true
    }

    /// The answer to questions about groups where there are none. Source: rest-api.md 18.
    fn no_groups_text(&self) -> &'static str;
}

/// The default answer about groups; a trait of its own, so that default methods can be written for it.
trait NoGroups {
    fn no_groups<'a, T: 'a>(&self) -> Answer<'a, T>;
}

impl<P: UserProvider + ?Sized> NoGroups for P {
    fn no_groups<'a, T: 'a>(&self) -> Answer<'a, T> {
        let error = Error::invalid(self.no_groups_text());
        Box::pin(async move { Err(error) })
    }
}

/// The code of a file that was changed by somebody else.
pub(crate) const CHANGED: &str = "ERR_CODE_USERS_CHANGED";

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ChangedOnDisk(_) => Self::conflict(error.to_string()).code(CHANGED),
            WriteError::TooLarge(text) => Self::invalid(text),
            WriteError::Unavailable(cause) => unavailable(cause),
            WriteError::Failed(text) => Self::internal(text),
        }
    }
}

// The words of the answers. Source: rest-api.md 18.

pub(crate) fn unavailable(cause: String) -> Error {
    Error::unavailable("The source of users is unavailable, please try again later.").source(cause)
}

pub(crate) fn already_exists() -> Error {
    Error::invalid("Another user with this username already exists")
}

pub(crate) fn not_found(name: &UserName) -> Error {
    Error::not_found(format!("cannot find user by username '{name}'"))
}

pub(crate) fn single_only() -> Error {
    Error::invalid(
        "server runs on a static user-password pair, please use JSON file or database for user data",
    )
}
