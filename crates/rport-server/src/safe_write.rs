//! Replacing a file so that a crash at any moment leaves the old or the new content, never a mixture, and never
//! nothing.
//!
//! Like [`rport_runtime::fsutil::atomic_write`], and more: the file keeps its owner and group, and writers of several
//! processes take turns.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Moments at which a power cut may come. Tests stop there; nothing else listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The neighbour file exists and is empty.
    Created,
    /// Half of the content is written.
    HalfWritten,
    /// All of the content is written, perhaps not to the disk.
    Written,
    /// The content is on the disk.
    Synced,
    /// The file has the new content, perhaps not on the disk.
    Renamed,
    /// The new content is on the disk for good.
    Done,
}

/// A file somebody may be about to replace.
pub(crate) struct Target {
    path: PathBuf,
    folder: PathBuf,
}

/// The right to replace files of one directory, among all processes that ask for it; given back when dropped.
pub(crate) struct Turn {
    _folder: Option<File>,
}

impl Target {
    /// Follows links: it is their target that is replaced.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { path, folder })
    }

    /// Waits until no other process is about to replace a file of the directory.
    ///
    /// The directory itself is locked: a lock file would belong to whoever came first, and keep the server out after
    /// an administrator has used the command line.
    pub(crate) fn take_turn(&self) -> io::Result<Turn> {
        let folder = File::open(&self.folder)?;
        match folder.lock() {
            Ok(()) => Ok(Turn {
                _folder: Some(folder),
            }),
            // Network file systems without locks on directories. Changes by others are still noticed by their content.
            Err(_) => Ok(Turn { _folder: None }),
        }
    }

    /// Replaces the content. `at` is called at every [`Step`].
    pub(crate) fn replace(&self, _turn: &Turn, bytes: &[u8], at: &dyn Fn(Step)) -> io::Result<()> {
        let old = fs::metadata(&self.path)?;
        // One name for all writers, who take turns: what a crash has left behind is removed by the next one.
        let neighbour = self.neighbour();
        match fs::remove_file(&neighbour) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let replaced = self.write_neighbour(&neighbour, bytes, &old, at).and_then(|()| {
            fs::rename(&neighbour, &self.path)?;
            at(Step::Renamed);
            File::open(&self.folder)?.sync_all()?;
            at(Step::Done);
            Ok(())
        });
        if replaced.is_err() {
            // The first error is the one to report; a neighbour that cannot be removed either changes nothing.
            let _ = fs::remove_file(&neighbour);
        }
        replaced
    }

    /// Writes into the file itself, for directories in which this process may make no file. Owner and mode stay, and a
    /// crash in the middle can leave a mixture, which no later start takes for credentials.
    pub(crate) fn overwrite(&self, _turn: &Turn, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()
    }

    fn write_neighbour(
        &self,
        neighbour: &Path,
        bytes: &[u8],
        old: &fs::Metadata,
        at: &dyn Fn(Step),
    ) -> io::Result<()> {
        // Nobody else may read it before it has the rights of the old file.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(neighbour)?;
        at(Step::Created);
        keep_owner(&file, old, &self.path)?;
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        let (front, back) = bytes.split_at(bytes.len() / 2);
        file.write_all(front)?;
        at(Step::HalfWritten);
        file.write_all(back)?;
        at(Step::Written);
        file.sync_all()?;
        at(Step::Synced);
        Ok(())
    }

    fn neighbour(&self) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(".rportd-new");
        self.folder.join(name)
    }
}

/// Gives the new file the owner and group of the old one. Refuses to go on where that is not possible: a file that
/// has silently changed hands may be unreadable for the tool that maintains it.
fn keep_owner(file: &File, old: &fs::Metadata, path: &Path) -> io::Result<()> {
    let new = file.metadata()?;
    let owner = (new.uid() != old.uid()).then(|| old.uid());
    let group = (new.gid() != old.gid()).then(|| old.gid());
    if owner.is_none() && group.is_none() {
        return Ok(());
    }
    let kept = std::os::unix::fs::fchown(file, owner, group);
    if kept.is_err() && owner.is_none() && !group_matters(old.mode()) {
        return Ok(());
    }
    kept.map_err(|error| {
        let text = format!(
            "cannot keep its owner (uid {}, gid {}): {error}; make it belong to the user of this process, for example by `chown rport {}`",
            old.uid(),
            old.gid(),
            path.display()
        );
        io::Error::new(error.kind(), text)
    })
}

/// Whether the group may do more with a file of this mode than everybody. If not, a file that root made and gave away
/// with `chown rport FILE` can be replaced although its group stays behind.
fn group_matters(mode: u32) -> bool {
    (mode >> 3) & 0o7 & !(mode & 0o7) != 0
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    #[test]
    fn a_group_without_rights_of_its_own_may_be_left_behind() {
        assert!(!group_matters(0o600) && !group_matters(0o644) && !group_matters(0o604));
        assert!(group_matters(0o640) && group_matters(0o660) && group_matters(0o664));
    }

    const STEPS: [Step; 6] = [
        Step::Created,
        Step::HalfWritten,
        Step::Written,
        Step::Synced,
        Step::Renamed,
        Step::Done,
    ];

    struct Fixture {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("client-auth.json");
        fs::write(&path, "old content").expect("writes");
        Fixture { folder, path }
    }

    fn replace(path: &Path, text: &str, at: &dyn Fn(Step)) -> io::Result<()> {
        let target = Target::new(path)?;
        let turn = target.take_turn()?;
        target.replace(&turn, text.as_bytes(), at)
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).expect("reads");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    /// The process dies on the spot, so nothing is tidied up.
    fn cut_power_at(path: &Path, wanted: Step) {
        struct PowerCut;
        let reached = Cell::new(false);
        let at = |step| {
            if step == wanted {
                reached.set(true);
                resume_unwind(Box::new(PowerCut));
            }
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| replace(path, "new content", &at)));
        assert!(outcome.is_err() && reached.get(), "{wanted:?} was never reached");
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_the_old_or_the_new_content() {
        for step in STEPS {
            let fixture = fixture();
            cut_power_at(&fixture.path, step);
            let content = fs::read_to_string(&fixture.path).expect("the file is there");
            let expected = if matches!(step, Step::Renamed | Step::Done) {
                "new content"
            } else {
                "old content"
            };
            assert_eq!(content, expected, "{step:?}");
            // And the next writer is not disturbed by what is left.
            replace(&fixture.path, "newer content", &|_| {}).expect("replaces");
            assert_eq!(
                fs::read_to_string(&fixture.path).expect("reads"),
                "newer content",
                "{step:?}"
            );
            assert_eq!(names(&fixture.folder), ["client-auth.json"], "{step:?}");
        }
    }

    #[test]
    fn mode_and_owner_are_kept() {
        for mode in [0o600, 0o640, 0o664] {
            let fixture = fixture();
            fs::set_permissions(&fixture.path, Permissions::from_mode(mode)).expect("sets");
            let before = fs::metadata(&fixture.path).expect("there");
            replace(&fixture.path, "new", &|_| {}).expect("replaces");
            let after = fs::metadata(&fixture.path).expect("there");
            assert_eq!(after.mode(), before.mode());
            assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        }
    }

    #[test]
    fn a_foreign_owner_is_kept_by_root_and_refused_by_others() {
        let fixture = fixture();
        let made_foreign = std::os::unix::fs::chown(&fixture.path, Some(4711), Some(4712)).is_ok();
        if !made_foreign {
            // Only root can give files away; the refusal is then what `keep_owner` does with this very error.
            return;
        }
        replace(&fixture.path, "new", &|_| {}).expect("replaces");
        let after = fs::metadata(&fixture.path).expect("there");
        assert_eq!((after.uid(), after.gid()), (4711, 4712));
    }

    #[test]
    fn a_link_keeps_pointing_to_its_target() {
        let fixture = fixture();
        let link = fixture.folder.path().join("link.json");
        std::os::unix::fs::symlink(&fixture.path, &link).expect("links");
        replace(&link, "new", &|_| {}).expect("replaces");
        assert_eq!(fs::read_to_string(&fixture.path).expect("reads"), "new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    }

    #[test]
    fn failures_keep_the_old_content_and_leave_nothing_behind() {
        let fixture = fixture();
        fs::remove_file(&fixture.path).expect("removes");
        assert!(
            replace(&fixture.path, "new", &|_| {}).is_err(),
            "a file that is gone is not made again"
        );
        fs::create_dir(&fixture.path).expect("makes");
        assert!(replace(&fixture.path, "new", &|_| {}).is_err());
        assert_eq!(names(&fixture.folder), ["client-auth.json"]);
    }

    #[test]
    fn in_place_the_file_stays_the_same_one() {
        let fixture = fixture();
        let before = fs::metadata(&fixture.path).expect("there").ino();
        let target = Target::new(&fixture.path).expect("there");
        let turn = target.take_turn().expect("free");
        for text in ["longer than it was before", "short", ""] {
            target.overwrite(&turn, text.as_bytes()).expect("writes");
            assert_eq!(fs::read_to_string(&fixture.path).expect("reads"), text);
        }
        assert_eq!(fs::metadata(&fixture.path).expect("there").ino(), before);
        fs::remove_file(&fixture.path).expect("removes");
        assert!(
            target.overwrite(&turn, b"new").is_err(),
            "a file that is gone is not made again"
        );
    }

    #[test]
    fn writers_take_turns() {
        let fixture = fixture();
        let target = Target::new(&fixture.path).expect("there");
        let turn = target.take_turn().expect("free");
        let other = File::open(fixture.folder.path()).expect("opens");
        assert!(other.try_lock().is_err(), "somebody else's turn");
        drop(turn);
        other.try_lock().expect("free again");
    }
}
