//! A JSON file of an operator: read at start, kept in memory, replaced as a whole at each change.
//!
//! Others may edit it, too. Before a write the content on disk is compared with what was read last, and if it differs
//! nothing is written, so that nobody's edit is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use parking_lot::RwLock;
use rport_runtime::Tasks;

use crate::error::StartError;
use crate::safe_write::Target;

/// Larger files are refused: a hundred thousand entries with long texts fit in a tenth of it.
const LIMIT: u64 = 64 << 20;

/// What such a file holds.
pub(crate) trait Content: Clone + Send + Sync + 'static {
    /// How messages call the file.
    const WHAT: &'static str;
    /// The setting that names the file, for messages.
    const SETTING: &'static str;
    /// Reads the whole text or nothing; the error says where the mistake is and never repeats a secret.
    fn parse(text: &str) -> Result<Self, String>;
    /// Writes the whole text.
    fn render(&self) -> Vec<u8>;
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Somebody else changed the file since it was read, or took it away.
    #[error(
        "{} was changed by somebody else since it was read; nothing was written. Reload rportd (SIGHUP) to read it, then try again",
        .0.display()
    )]
    ChangedOnDisk(PathBuf),
    /// The content would be larger than what is read.
    #[error("{0}")]
    TooLarge(String),
    /// It may work later: the disk is full.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody has to mend something first.
    #[error("{0}")]
    Failed(String),
}

/// The file. Cheap to read; writers take turns.
pub(crate) struct KeptFile<T> {
    shared: Arc<Shared<T>>,
    /// Held by whoever writes, until the disk has it.
    writing: Arc<tokio::sync::Mutex<()>>,
    tasks: Tasks,
}

struct Shared<T> {
    path: PathBuf,
    read: RwLock<Read<T>>,
}

/// What was read or written last.
struct Read<T> {
    content: Arc<T>,
    /// SHA-256 of the file's bytes.
    fingerprint: Fingerprint,
}

type Fingerprint = [u8; 32];

impl<T: Content> KeptFile<T> {
    /// Reads the file; blocks on the disk.
    pub(crate) fn read(path: &Path, tasks: &Tasks) -> Result<Self, StartError> {
        let shared = Shared {
            path: path.to_owned(),
            read: RwLock::new(load(path)?),
        };
        Ok(Self {
            shared: Arc::new(shared),
            writing: Arc::default(),
            tasks: tasks.clone(),
        })
    }

    /// What the file held when it was read or written last.
    pub(crate) fn content(&self) -> Arc<T> {
        self.shared.read.read().content.clone()
    }

    /// The path as configured.
    pub(crate) fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Reads the file again; a bad one leaves what is known in place. Blocks on the disk.
    pub(crate) fn reload(&self) -> Result<Arc<T>, StartError> {
        let read: Read<T> = load(&self.shared.path)?;
        let content = read.content.clone();
        *self.shared.read.write() = read;
        Ok(content)
    }

    /// Edits the content and replaces the file, or leaves both alone when `edit` fails. On disk when this returns, and
    /// done in any case once it has begun, even if the caller goes away.
    pub(crate) async fn change<E>(
        &self,
        edit: impl FnOnce(&mut T) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<WriteError> + Send + 'static,
    {
        let turn = self.writing.clone().lock_owned().await;
        let shared = self.shared.clone();
        let written = self.tasks.spawn_blocking("kept_file", move || {
            // The turn ends with the write, not with the caller.
            let _turn = turn;
            shared.write(edit)
        });
        written
            .await
            .unwrap_or_else(|_| Err(WriteError::Failed("the write did not end".into()).into()))
    }
}

impl<T: Content> Shared<T> {
    fn write<E: From<WriteError>>(&self, edit: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let failed = |error: std::io::Error| self.failed(&error);
        let target = Target::new(&self.path).map_err(failed)?;
        let turn = target.take_turn().map_err(failed)?;
        let (mut content, known) = {
            let read = self.read.read();
            (T::clone(&read.content), read.fingerprint)
        };
        let on_disk = std::fs::read(&self.path).map_err(failed)?;
        if fingerprint(&on_disk) != known {
            return Err(WriteError::ChangedOnDisk(self.path.clone()).into());
        }
        edit(&mut content)?;
        let bytes = content.render();
        if bytes.len() as u64 > LIMIT {
            let text = format!("{} would become larger than {LIMIT} bytes", self.path.display());
            return Err(WriteError::TooLarge(text).into());
        }
        if let Err(error) = target.replace(&turn, &bytes, &|_| {}) {
            // The documentation asks for a file that is writable, not for its directory.
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            if !denied || target.overwrite(&turn, &bytes).is_err() {
                return Err(failed(error).into());
            }
            tracing::warn!(file = %self.path.display(), %error,
                "{} written in place, where a power cut can damage it; make its directory writable", T::WHAT);
        }
        *self.read.write() = Read {
            content: Arc::new(content),
            fingerprint: fingerprint(&bytes),
        };
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> WriteError {
        use std::io::ErrorKind;
        let text = format!("{} {}: {error}", T::WHAT, self.path.display());
        match error.kind() {
            // Someone took it away: the same surprise as an edited one.
            ErrorKind::NotFound => WriteError::ChangedOnDisk(self.path.clone()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => WriteError::Unavailable(text),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => WriteError::Failed(format!(
                "{text}; make the file and its directory writable for the user of this process"
            )),
            _ => WriteError::Failed(text),
        }
    }
}

fn load<T: Content>(path: &Path) -> Result<Read<T>, StartError> {
    let problem = |text: String| StartError::File {
        path: path.to_owned(),
        problem: format!("{text}; see {}", T::SETTING),
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
    let content = T::parse(text).map_err(problem)?;
    Ok(Read {
        content: Arc::new(content),
        fingerprint: fingerprint(&bytes),
    })
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    fingerprint
}
