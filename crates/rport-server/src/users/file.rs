//! A JSON file of users. Source: storage.md 7.1.
//!
//! Differs from RPort, which rewrites the file in place and without a look at what others did to it.

use std::path::Path;
use std::sync::Arc;

use rport_domain::{Error, User, UserChange, UserName};
use rport_runtime::Tasks;

use super::file_format::UserList;
use super::password::{NOBODY, is_bcrypt};
use super::provider::{Answer, UserProvider};
use crate::error::StartError;
use crate::kept_file::KeptFile;

pub(crate) struct File {
    file: KeptFile<UserList>,
}

impl File {
    /// Reads the file; blocks on the disk.
    pub(crate) fn read(path: &Path, tasks: &Tasks) -> Result<Self, StartError> {
        Ok(Self {
            file: KeptFile::read(path, tasks)?,
        })
    }
}

/// What is no bcrypt hash would make the next start refuse the whole file.
fn check_hash(hash: &str) -> Result<(), Error> {
    if is_bcrypt(hash) {
        return Ok(());
    }
    Err(Error::internal("the user file takes bcrypt hashes only"))
}

impl UserProvider for File {
    fn find<'a>(&'a self, name: &'a UserName) -> Answer<'a, Option<Arc<User>>> {
        let found = self.file.content().get(name).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn list(&self) -> Answer<'_, Vec<Arc<User>>> {
        let users = self.file.content().all().to_vec();
        Box::pin(async move { Ok(users) })
    }

    fn add(&self, user: User) -> Answer<'_, ()> {
        Box::pin(async move {
            check_hash(&user.password_hash)?;
            self.file
                .change(move |users: &mut UserList| users.add(user))
                .await
        })
    }

    fn change<'a>(&'a self, name: &'a UserName, change: UserChange) -> Answer<'a, ()> {
        let name = name.clone();
        Box::pin(async move {
            change.password_hash.as_deref().map_or(Ok(()), check_hash)?;
            self.file
                .change(move |users: &mut UserList| users.change(&name, change))
                .await
        })
    }

    fn delete<'a>(&'a self, name: &'a UserName) -> Answer<'a, ()> {
        let name = name.clone();
        Box::pin(self.file.change(move |users: &mut UserList| users.delete(&name)))
    }

    fn stand_in(&self) -> String {
        NOBODY.to_owned()
    }

    fn reload(&self) -> Result<(), StartError> {
        let users = self.file.reload()?.all().len();
        tracing::info!(file = %self.file.path().display(), users, "users read again");
        Ok(())
    }

    fn source_name(&self) -> &'static str {
        "File"
    }

    fn no_groups_text(&self) -> &'static str {
        "The json file authentication backend doesn't support this feature."
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
