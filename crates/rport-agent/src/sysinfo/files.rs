//! Reading the small text files of a Unix system, with a bound on their size.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest part of a system file that is read. `/proc/cpuinfo` of a machine with hundreds of processors is the
/// largest file of interest, and only its first processor and the count of its entries matter.
const LIMIT: u64 = 4 * 1024 * 1024;

/// A view of the file system below a root, `/` in production and a directory of fixtures in tests.
#[derive(Debug, Clone)]
pub struct SystemFiles {
    root: PathBuf,
}

impl Default for SystemFiles {
    fn default() -> Self {
        Self::below("/")
    }
}

impl SystemFiles {
    /// Looks at the files below `root`.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns where `path`, written without a leading slash, lies.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Returns whether `path` exists.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Reads a file as text, bytes that are not UTF-8 replaced; `None` if it cannot be read.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        self.read_bytes(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a file's bytes; `None` if it cannot be read.
    #[must_use]
    pub fn read_bytes(&self, path: &str) -> Option<Vec<u8>> {
        read_limited(&self.path(path))
    }
}

fn read_limited(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
