//! Credentials in a JSON file.
//!
//! Source: the founding notes and storage.md 7.2: the file is read at start only, and changes by others have no
//! effect on a running server. Such changes are never overwritten either, see [`KeptFile`].
//!
//! Differs from RPort, which opens the file only when the first agent comes and then finds it broken, believes an
//! edited file after an hour, and rewrites it in place.

use std::path::Path;

use rport_domain::StoredPassword;
use rport_runtime::Tasks;

use super::file_format::{self, Pairs};
use super::provider::{Answer, Change, Pair, Provider, ProviderError};
use crate::error::StartError;
use crate::kept_file::{Content, KeptFile, WriteError};

pub(crate) struct File {
    file: KeptFile<Pairs>,
}

impl File {
    /// Reads the file; blocks on the disk.
    pub(crate) fn read(path: &Path, tasks: &Tasks) -> Result<Self, StartError> {
        Ok(Self {
            file: KeptFile::read(path, tasks)?,
        })
    }
}

impl Content for Pairs {
    const WHAT: &'static str = "client auth file";
    const SETTING: &'static str = "'auth_file' in [server]";

    fn parse(text: &str) -> Result<Self, String> {
        file_format::parse(text).map_err(|error| {
            format!(
                "{error}; expected a JSON object of client auth ids and passwords: {{\"id\": \"password\", …}}"
            )
        })
    }

    fn render(&self) -> Vec<u8> {
        file_format::render(self)
    }
}

impl Provider for File {
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>> {
        let found = self.file.content().get(id).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn list(&self) -> Answer<'_, Vec<Pair>> {
        let content = self.file.content();
        Box::pin(async move {
            Ok(content
                .iter()
                .map(|(id, stored)| (id.clone(), stored.clone()))
                .collect())
        })
    }

    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(
            self.file
                .change(move |pairs: &mut Pairs| changes.iter().try_for_each(|change| apply(pairs, change))),
        )
    }

    fn reload(&self) -> Result<(), StartError> {
        let pairs = self.file.reload()?;
        tracing::info!(file = %self.file.path().display(), client_auths = pairs.len(), "client auth read again");
        Ok(())
    }

    fn example_hash(&self) -> Option<StoredPassword> {
        self.file
            .content()
            .values()
            .find(|stored| stored.is_hashed())
            .cloned()
    }

    fn source_name(&self) -> &'static str {
        "File"
    }
}

impl From<WriteError> for ProviderError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ChangedOnDisk(path) => Self::ChangedOnDisk(path),
            WriteError::TooLarge(text) => Self::Unfit(text),
            WriteError::Unavailable(text) => Self::Unavailable(text),
            WriteError::Failed(text) => Self::Failed(text),
        }
    }
}

fn apply(pairs: &mut Pairs, change: &Change) -> Result<(), ProviderError> {
    match change {
        Change::Insert(id, stored) => {
            if pairs.contains_key(id) {
                return Err(ProviderError::Exists(id.clone()));
            }
            pairs.insert(id.clone(), stored.clone());
        }
        Change::Replace(id, stored) => {
            let place = pairs
                .get_mut(id)
                .ok_or_else(|| ProviderError::Missing(id.clone()))?;
            *place = stored.clone();
        }
        Change::Delete(id) => {
            pairs
                .remove(id)
                .ok_or_else(|| ProviderError::Missing(id.clone()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
