//! Credentials in a JSON file.
//!
//! Source: the founding notes and storage.md 7.2: the file is read at start only, and changes by others have no
//! effect on a running server. Such changes are never overwritten either: before a write the content on disk is
//! compared with what was read last, and if it differs nothing is written.
//!
//! Differs from RPort, which opens the file only when the first agent comes and then finds it broken, believes an
//! edited file after an hour, and rewrites it in place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use parking_lot::RwLock;
use rport_domain::StoredPassword;
use rport_runtime::Tasks;

use super::file_format::{self, Pairs};
use super::provider::{Answer, Change, Pair, Provider, ProviderError};
use super::safe_write::Target;
use crate::error::StartError;

/// Larger files are refused: a hundred thousand agents with long passwords fit in a tenth of it.
const LIMIT: u64 = 64 << 20;

pub(crate) struct File {
    shared: Arc<Shared>,
    /// Held by whoever writes, until the disk has it.
    writing: Arc<tokio::sync::Mutex<()>>,
    tasks: Tasks,
}

struct Shared {
    path: PathBuf,
    content: RwLock<Arc<Content>>,
}

/// What was read or written last.
struct Content {
    pairs: Pairs,
    /// SHA-256 of the file's bytes.
    fingerprint: Fingerprint,
}

type Fingerprint = [u8; 32];

impl File {
    /// Reads the file; blocks on the disk.
    pub(crate) fn read(path: &Path, tasks: &Tasks) -> Result<Self, StartError> {
        let content = load(path)?;
        let shared = Shared {
            path: path.to_owned(),
            content: RwLock::new(Arc::new(content)),
        };
        Ok(Self {
            shared: Arc::new(shared),
            writing: Arc::default(),
            tasks: tasks.clone(),
        })
    }
}

impl Provider for File {
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>> {
        let found = self.shared.content.read().pairs.get(id).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn list(&self) -> Answer<'_, Vec<Pair>> {
        let content = self.shared.content.read().clone();
        Box::pin(async move {
            Ok(content
                .pairs
                .iter()
                .map(|(id, stored)| (id.clone(), stored.clone()))
                .collect())
        })
    }

    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(async move {
            let turn = self.writing.clone().lock_owned().await;
            let shared = self.shared.clone();
            let written = self.tasks.spawn_blocking("client_auth_file", move || {
                // The turn ends with the write, not with the caller.
                let _turn = turn;
                shared.write(&changes)
            });
            written
                .await
                .unwrap_or_else(|_| Err(ProviderError::Failed("the write did not end".into())))
        })
    }

    fn reload(&self) -> Result<(), StartError> {
        let content = load(&self.shared.path)?;
        tracing::info!(file = %self.shared.path.display(), client_auths = content.pairs.len(), "client auth read again");
        *self.shared.content.write() = Arc::new(content);
        Ok(())
    }

    fn example_hash(&self) -> Option<StoredPassword> {
        self.shared
            .content
            .read()
            .pairs
            .values()
            .find(|stored| stored.is_hashed())
            .cloned()
    }

    fn source_name(&self) -> &'static str {
        "File"
    }
}

impl Shared {
    fn write(&self, changes: &[Change]) -> Result<(), ProviderError> {
        let failed = |error: std::io::Error| self.failed(&error);
        let target = Target::new(&self.path).map_err(failed)?;
        let turn = target.take_turn().map_err(failed)?;
        let content = self.content.read().clone();
        let on_disk = std::fs::read(&self.path).map_err(failed)?;
        if fingerprint(&on_disk) != content.fingerprint {
            return Err(ProviderError::ChangedOnDisk(self.path.clone()));
        }
        let mut pairs = content.pairs.clone();
        for change in changes {
            apply(&mut pairs, change)?;
        }
        let bytes = file_format::render(&pairs);
        if bytes.len() as u64 > LIMIT {
            let text = format!("{} would become larger than {LIMIT} bytes", self.path.display());
            return Err(ProviderError::Unfit(text));
        }
        if let Err(error) = target.replace(&turn, &bytes, &|_| {}) {
            // The documentation asks for a file that is writable, not for its directory.
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            if !denied || target.overwrite(&turn, &bytes).is_err() {
                return Err(failed(error));
            }
            tracing::warn!(file = %self.path.display(), %error,
                "client auth file written in place, where a power cut can damage it; make its directory writable");
        }
        *self.content.write() = Arc::new(Content {
            pairs,
            fingerprint: fingerprint(&bytes),
        });
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> ProviderError {
        use std::io::ErrorKind;
        let text = format!("client auth file {}: {error}", self.path.display());
        match error.kind() {
            // Someone took it away: the same surprise as an edited one.
            ErrorKind::NotFound => ProviderError::ChangedOnDisk(self.path.clone()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ProviderError::Unavailable(text),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ProviderError::Failed(format!(
                "{text}; make the file and its directory writable for the user of this process"
            )),
            _ => ProviderError::Failed(text),
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

fn load(path: &Path) -> Result<Content, StartError> {
    let problem = |text: String| StartError::File {
        path: path.to_owned(),
        problem: format!("{text}; see 'auth_file' in [server]"),
    };
    let length = std::fs::metadata(path)
        .map_err(|error| problem(error.to_string()))?
        .len();
    if length > LIMIT {
        return Err(problem(format!(
            "{length} bytes are more than the limit of {LIMIT}"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| problem(error.to_string()))?;
    let pairs = file_format::parse(text).map_err(|error| {
        problem(format!(
            "{error}; expected a JSON object of client auth ids and passwords: {{\"id\": \"password\", …}}"
        ))
    })?;
    Ok(Content {
        pairs,
        fingerprint: fingerprint(&bytes),
    })
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    fingerprint
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
