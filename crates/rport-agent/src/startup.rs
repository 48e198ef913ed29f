//! What must be in order on the machine before an agent starts.

use std::io;
use std::path::{Path, PathBuf};

use rport_runtime::fsutil;

use crate::config::AgentConfig;

/// Why the agent does not start here.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Started by root without permission to be.
    #[error(
        "root check failed: by default running as root is not allowed; start it as another user, or set \
         'allow_root = true' in the [client] section"
    )]
    Root,
    /// A directory cannot be made.
    #[error("failed preparing directories: failed to create dir \"{}\": {error}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Refuses to run as root unless that is allowed.
///
/// # Errors
/// [`StartupError::Root`].
pub fn check_root(config: &AgentConfig) -> Result<(), StartupError> {
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() && !config.client.allow_root {
        return Err(StartupError::Root);
    }
    Ok(())
}

/// Makes the data directory, and the directory for scripts in it, which only the agent's user may enter.
///
/// # Errors
/// [`StartupError::Directory`].
pub fn prepare_directories(data_dir: &Path) -> Result<(), StartupError> {
    for (path, mode) in [(data_dir.to_owned(), 0o755), (data_dir.join("scripts"), 0o700)] {
        fsutil::create_dir(&path, mode).map_err(|error| StartupError::Directory { path, error })?;
    }
    Ok(())
}
