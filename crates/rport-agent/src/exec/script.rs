//! The file a job's text lies in while it runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rport_runtime::fsutil;
use rustix::fs::{Access, access};
use rustix::process::geteuid;
use uuid::Uuid;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o540;

/// A script on disk. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct ScriptFile {
    path: PathBuf,
}

impl ScriptFile {
    /// Writes a script into a directory that only the agent's user may enter. Blocks on the disk.
    ///
    /// A missing directory is made; Go agents make it at start only. It must not be anybody else's, and nobody else
    /// may enter it, because what lies there is run.
    ///
    /// # Errors
    /// The texts of Go agents where they have one.
    pub(super) fn create(dir: &Path, extension: &str, content: &[u8]) -> Result<Self, String> {
        check_dir(dir)?;
        let path = dir.join(format!("{}{extension}", Uuid::new_v4()));
        // Exists from here on, so that a failed write is cleaned up too.
        let script = Self { path };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&script.path)
            .and_then(|mut file| {
                // The umask may have taken away what the interpreter needs.
                file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
                file.write_all(content)
            })
            .map_err(|error| format!("can't write script {}: {error}", script.path.display()))?;
        Ok(script)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        // A system call of microseconds, unless the disk hangs, and then nothing else works either.
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("failed to delete script {}: {error}", self.path.display());
            }
            _ => {}
        }
    }
}

/// Removes what a killed agent left behind: scripts may contain secrets. Ignores what it does not know.
pub(super) fn remove_leftovers(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let stem = name.strip_suffix(".yml").unwrap_or(&name);
        if Uuid::try_parse(stem).is_ok() && fs::remove_file(entry.path()).is_ok() {
            tracing::debug!("removed script {name} of an earlier run");
        }
    }
}

fn check_dir(dir: &Path) -> Result<(), String> {
    let shown = dir.display();
    if !dir.exists() {
        fsutil::create_dir(dir, DIR_MODE).map_err(|error| {
            format!("script directory {shown} does not exist, and making it failed: {error}")
        })?;
    }
    let metadata = fs::metadata(dir).map_err(|error| format!("script directory {shown}: {error}"))?;
    if !metadata.is_dir() {
        return Err(format!("script directory {shown} is not a valid directory"));
    }
    if access(dir, Access::WRITE_OK).is_err() {
        return Err(format!("scripts directory {shown} is not writable"));
    }
    let user = geteuid().as_raw();
    let mode = metadata.mode() & 0o777;
    if mode != DIR_MODE {
        return Err(format!(
            "scripts directory {shown} must be read-writable only by user {user}. Change directory mode from \
             0{mode:o} to 0{DIR_MODE:o}. Your setup is insecure"
        ));
    }
    if metadata.uid() != user {
        return Err(format!(
            "script directory {shown} must be owned by user {user} but it's owned by {}. Your setup is insecure",
            metadata.uid()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_private_and_goes_away() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("scripts");
        let script = ScriptFile::create(&dir, ".yml", b"echo 1\n").unwrap();
        let path = script.path().to_owned();
        assert_eq!(fs::read(&path).unwrap(), b"echo 1\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, FILE_MODE);
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, DIR_MODE);
        assert_eq!(path.extension().unwrap(), "yml");
        drop(script);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_others_may_enter_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("scripts");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let refusal = ScriptFile::create(&dir, "", b"").unwrap_err();
        assert!(
            refusal.contains("Change directory mode from 0755 to 0700"),
            "{refusal}"
        );
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let refusal = ScriptFile::create(&file, "", b"").unwrap_err();
        assert!(refusal.ends_with("is not a valid directory"), "{refusal}");
        assert!(ScriptFile::create(Path::new("/proc/no/such"), "", b"").is_err());
    }

    #[test]
    fn leftovers_are_removed_and_strangers_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            &format!("{}", Uuid::new_v4()),
            &format!("{}.yml", Uuid::new_v4()),
            "notes.txt",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_leftovers(dir.path());
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["notes.txt"]);
        remove_leftovers(Path::new("/no/such/directory"));
    }
}
