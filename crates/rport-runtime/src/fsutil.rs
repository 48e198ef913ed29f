//! File writes that leave either the old or the new content, never half of one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::rng;

/// Replaces a file with `bytes` as one step: a neighbour file is written, synced and renamed over it, then the
/// directory is synced. After a crash at any moment the old or the new content is there in full.
///
/// The file gets exactly `mode`, whatever the umask. A symbolic link keeps pointing to its target, which is replaced.
/// Blocks on the disk: in async code call it through [`crate::Tasks::spawn_blocking`].
///
/// # Errors
/// Whatever the file system says; the old content is then untouched and the neighbour file is removed.
pub fn atomic_write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let neighbour = neighbour_of(&path)?;
    let written = write_new(&neighbour, bytes, mode).and_then(|()| fs::rename(&neighbour, &path));
    if let Err(error) = written {
        // The first error is the one to report; a neighbour that cannot be removed either changes nothing.
        let _ = fs::remove_file(&neighbour);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Creates a directory and its parents where missing, each with `mode` less the umask. An existing one is left alone.
///
/// # Errors
/// Whatever the file system says, also when something that is no directory has the name.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Checks by writing a small file that a directory takes writes: permission, read-only mounts and full disks show.
///
/// # Errors
/// Whatever the file system says.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let probe = neighbour_of(&folder.join("write-check"))?;
    let written = write_new(&probe, &[0; 512], 0o600);
    let removed = fs::remove_file(&probe);
    written.and(removed)
}

fn neighbour_of(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", rng::alphanumeric(8)));
    Ok(path.with_file_name(hidden))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // Created with at most the wanted rights, so that a secret is never readable by others for a moment.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_content_and_mode_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        for (text, mode) in [("one", 0o644), ("two, longer", 0o600), ("", 0o640)] {
            atomic_write(&path, text.as_bytes(), mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(names(folder.path()), ["users.json"]);
    }

    #[test]
    fn a_failure_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        assert!(atomic_write(&path, b"new", 0o600).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
        assert!(atomic_write(&folder.path().join("no/such/folder"), b"new", 0o600).is_err());
    }

    #[test]
    fn follows_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        atomic_write(&link, b"new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn tells_a_folder_that_takes_writes_from_one_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        assert!(check_writable(&deep).is_err());
        create_dir(&deep, 0o700).unwrap();
        create_dir(&deep, 0o700).unwrap();
        check_writable(&deep).unwrap();
        assert!(names(&deep).is_empty());
    }
}
