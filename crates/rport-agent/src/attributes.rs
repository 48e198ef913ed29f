//! Tags and labels of this client, and the file the server may rewrite.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rport_protocol::json;
use rport_protocol::to_client::UpdateClientMetadata;
use rport_runtime::fsutil;

/// Largest attributes file that is read. What the server sends has to fit into a packet of 256 KiB.
const MAX_FILE: u64 = 1024 * 1024;

/// What users find a client by: tags and labels.
///
/// Source: openrport `share/models/attributes.go`. The file has the shape of the request that replaces it; it is JSON
/// whatever its name says, and missing lists are `null`.
pub type Attributes = UpdateClientMetadata;

/// Why the server's attributes were not taken over. The texts are those of the Go agent, which old servers turn
/// into answers of their API.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// There is no file to keep them in.
    #[error("attributes file path not set")]
    NoFile,
    /// The file could not be written.
    #[error("can't write attributes to file: {0}")]
    Write(io::Error),
}

/// The attributes in force, shared by the link that reports them and the request that replaces them.
#[derive(Debug)]
pub struct AttributesStore {
    file: Option<PathBuf>,
    current: Mutex<Attributes>,
}

impl AttributesStore {
    /// Starts with the configured attributes, or with those of the file if it can be read.
    ///
    /// An unreadable file is worth a warning and nothing more, as it always was: the first update writes a new one.
    #[must_use]
    pub fn open(file: Option<PathBuf>, configured: Attributes) -> Self {
        let mut current = configured;
        if let Some(path) = &file {
            match read(path) {
                Ok(attributes) => current = attributes,
                Err(error) => tracing::warn!(
                    "attributes file {} is ignored, tags and labels of the configuration apply: {error}",
                    path.display()
                ),
            }
        }
        Self {
            file,
            current: Mutex::new(current),
        }
    }

    /// Returns the attributes in force.
    #[must_use]
    pub fn current(&self) -> Attributes {
        self.current.lock().clone()
    }

    /// Writes the file and takes the attributes over. They are reported with the next connection.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// There is no file configured, or it could not be written; the old attributes then stay in force.
    pub fn replace(&self, attributes: Attributes) -> Result<(), AttributesError> {
        let path = self.file.as_ref().ok_or(AttributesError::NoFile)?;
        // Held while writing, so that file and memory agree after two updates at once.
        let mut current = self.current.lock();
        fsutil::atomic_write(path, &json::encode(&attributes), 0o600).map_err(AttributesError::Write)?;
        *current = attributes;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Attributes> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    json::decode(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn attributes(tags: &[&str], labels: &[(&str, &str)]) -> Attributes {
        Attributes {
            tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
            labels: Some(
                labels
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            ),
        }
    }

    #[test]
    fn the_file_replaces_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attributes.json");
        let configured = attributes(&["configured"], &[]);
        let store = AttributesStore::open(Some(path.clone()), configured.clone());
        assert_eq!(store.current(), configured, "a missing file is ignored");

        std::fs::write(&path, r#"{"tags":["a"],"labels":{"city":"Lille"},"other":1}"#).unwrap();
        let store = AttributesStore::open(Some(path.clone()), configured.clone());
        assert_eq!(store.current(), attributes(&["a"], &[("city", "Lille")]));

        std::fs::write(&path, "tags: [a]").unwrap();
        assert_eq!(
            AttributesStore::open(Some(path), configured.clone()).current(),
            configured
        );
    }

    #[test]
    fn an_update_is_kept_privately_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attributes.json");
        let store = AttributesStore::open(Some(path.clone()), Attributes::default());
        store.replace(attributes(&["t1"], &[("city", "Lille")])).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            r#"{"tags":["t1"],"labels":{"city":"Lille"}}"#
        );
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = AttributesStore::open(Some(path.clone()), Attributes::default());
        assert_eq!(again.current(), store.current());

        store.replace(Attributes::default()).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            r#"{"tags":null,"labels":null}"#
        );
    }

    #[test]
    fn failures_keep_what_was_in_force() {
        let configured = attributes(&["kept"], &[]);
        let store = AttributesStore::open(None, configured.clone());
        let error = store.replace(Attributes::default()).unwrap_err();
        assert_eq!(error.to_string(), "attributes file path not set");

        let dir = tempfile::tempdir().unwrap();
        let store = AttributesStore::open(Some(dir.path().join("no/dir")), configured.clone());
        let error = store.replace(Attributes::default()).unwrap_err();
        assert!(
            error.to_string().starts_with("can't write attributes to file: "),
            "{error}"
        );
        assert_eq!(store.current(), configured);
    }

    proptest! {
        #[test]
        fn any_attributes_survive_the_file(
            tags in proptest::option::of(proptest::collection::vec(any::<String>(), 0..5)),
            labels in proptest::option::of(
                proptest::collection::btree_map(any::<String>(), any::<String>(), 0..5)),
        ) {
            let written = Attributes { tags, labels };
            let bytes = json::encode(&written);
            let read: Attributes = json::decode(&bytes).unwrap();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>) {
            let _ = json::decode::<Attributes>(&bytes);
        }
    }
}
