//! Credentials that stand in a file of their own, so that they are neither on a command line nor in `rport.conf`.
//!
//! There are two such files: the one named by `auth_file_path`, and `rport-auth` in the directory in which systemd puts
//! the credentials of a unit (`LoadCredential=rport-auth:/etc/rport/auth`). Both hold `id:password` on one line.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use rport_runtime::Secret;

use super::Invalid;

/// Name of the systemd credential.
pub(super) const SYSTEMD_CREDENTIAL: &str = "rport-auth";

/// A file beyond this size is some other file.
const MAX_BYTES: u64 = 64 * 1024;

const KEY: &str = "client.auth_file_path";

/// Reads the file named by `auth_file_path`, which nobody but the agent may be able to read.
pub(super) fn read(path: &Path) -> Result<Secret, Invalid> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    check_access(path, &metadata)?;
    contents(file).map_err(|error| unreadable(path, &error))
}

/// Reads the credential that systemd passed to the unit, if there is one. systemd itself sees to who may read it.
pub(super) fn systemd(directory: &Path) -> Result<Option<Secret>, Invalid> {
    let path = directory.join(SYSTEMD_CREDENTIAL);
    match File::open(&path) {
        Ok(file) => contents(file)
            .map(Some)
            .map_err(|error| unreadable(&path, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn contents(file: File) -> io::Result<Secret> {
    let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(wrong("it is too long to hold only credentials"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = Secret::new(line.strip_suffix('\r').unwrap_or(line));
    // The text itself stays out of the message.
    match line.expose().split_once(':') {
        _ if line.expose().contains('\n') => Err(wrong("expected one line id:password, found several lines")),
        Some((id, password)) if !id.is_empty() && !password.is_empty() => Ok(line),
        _ => Err(wrong("expected one line id:password")),
    }
}

#[cfg(unix)]
fn check_access(path: &Path, metadata: &Metadata) -> Result<(), Invalid> {
    use std::os::unix::fs::MetadataExt;
    if !metadata.is_file() {
        return Err(Invalid::new(KEY, format!("{} is no file", path.display())));
    }
    let mode = metadata.mode() & 0o777;
    // A file of root's that only the agent's group may read is as good as one of the agent's own.
    let group_is_ours = mode & 0o070 == 0o040 && metadata.gid() == rustix::process::getegid().as_raw();
    let open = mode & if group_is_ours { 0o037 } else { 0o077 };
    if open != 0 {
        return Err(Invalid::new(
            KEY,
            format!(
                "{path} can be read or changed by other users (mode {mode:04o}); allow only the agent to read it: \
                 chmod 600 {path}",
                path = path.display()
            ),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_access(path: &Path, metadata: &Metadata) -> Result<(), Invalid> {
    // Rights on Windows are lists that a mode cannot describe; the directory of the service is protected as a whole.
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Invalid::new(KEY, format!("{} is no file", path.display())))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Invalid {
    Invalid::new(
        KEY,
        format!("cannot read credentials from {}: {error}", path.display()),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("rport-auth");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
        (dir, path)
    }

    #[test]
    fn one_line_of_a_private_file_is_taken() {
        for (text, expected) in [
            ("id:pass:word", "id:pass:word"),
            ("id:password\n", "id:password"),
            ("id:password\r\n", "id:password"),
            ("id: blanks stay ", "id: blanks stay "),
        ] {
            let (_dir, path) = file(text, 0o600);
            assert_eq!(read(&path).expect("sound").expose(), expected, "{text:?}");
        }
        // The agent's own group may read, not write.
        let (_dir, path) = file("id:password", 0o440);
        assert!(read(&path).is_ok());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for mode in [0o644, 0o604, 0o602, 0o660, 0o620] {
            let (_dir, path) = file("id:hidden-word", mode);
            let Invalid { key, text } = read(&path).expect_err("open to others");
            assert_eq!(key, "client.auth_file_path");
            assert!(
                text.contains("chmod 600") && text.contains(&format!("{mode:04o}")),
                "{text}"
            );
            assert!(!text.contains("hidden-word"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_content() {
        for text in [
            "",
            "\n",
            "hidden-word",
            ":hidden-word",
            "hidden-word:",
            "a:hidden-word\nb:hidden-word\n",
        ] {
            let (_dir, path) = file(text, 0o600);
            let Invalid { text: said, .. } = read(&path).expect_err("no credentials");
            assert!(
                said.contains("id:password") && !said.contains("hidden-word"),
                "{text:?}: {said}"
            );
        }
        let (dir, path) = file(&"x".repeat(100_000), 0o600);
        assert!(read(&path).expect_err("too long").text.contains("too long"));
        assert!(read(dir.path()).is_err() && read(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn a_missing_systemd_credential_is_none_and_a_bad_one_is_named() {
        let (dir, path) = file("id:password", 0o440);
        assert_eq!(
            systemd(dir.path()).expect("sound").expect("there").expose(),
            "id:password"
        );
        fs::write(&path, "nonsense").expect("written");
        assert!(systemd(dir.path()).is_err());
        fs::remove_file(&path).expect("removed");
        assert!(systemd(dir.path()).expect("sound").is_none());
        assert!(systemd(Path::new("/no/such/directory")).expect("sound").is_none());
    }
}
