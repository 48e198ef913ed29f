//! From a job to the program that runs it: `sudo`, interpreter, script.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rport_protocol::Job;

use crate::config::InterpreterAlias;

/// Interpreter of jobs that name none.
const DEFAULT_SHELL: &str = "/bin/sh";
/// The one interpreter that goes by the extension of its scripts.
const TACOSCRIPT: &str = "tacoscript";

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
}

/// Returns whether a script names its interpreter itself.
pub(super) fn has_shebang(text: &str) -> bool {
    text.starts_with("#!")
}

/// Returns the extension of a job's script, with the dot.
pub(super) fn extension(job: &Job) -> &'static str {
    if job.interpreter == TACOSCRIPT { ".yml" } else { "" }
}

/// Finds the alias a job's interpreter is. The configuration keeps names in lower case.
pub(super) fn alias<'a>(
    job: &Job,
    aliases: &'a BTreeMap<String, InterpreterAlias>,
) -> Option<&'a InterpreterAlias> {
    aliases
        .get(&job.interpreter)
        .or_else(|| aliases.get(&job.interpreter.to_lowercase()))
}

/// Puts the command line together.
///
/// Differs from RPort: blanks in the script's path are not preceded by a backslash. No shell reads this line, so
/// the backslash became part of the name, and nothing ran below a data directory with a blank in its name.
pub(super) fn invocation(
    job: &Job,
    script: &Path,
    aliases: &BTreeMap<String, InterpreterAlias>,
    sudo: &OsStr,
) -> Invocation {
    let mut words: Vec<OsString> = Vec::with_capacity(4);
    if job.is_sudo {
        words.extend([sudo.to_owned(), "-n".into()]);
    }
    if !has_shebang(&job.command) {
        words.push(match alias(job, aliases) {
            Some(alias) => alias.path.clone().into(),
            None if job.interpreter.is_empty() => DEFAULT_SHELL.into(),
            None => job.interpreter.clone().into(),
        });
    }
    words.push(script.into());
    let program = words.remove(0);
    Invocation { program, args: words }
}

/// Finds a program: a name is looked up in the search path, anything with a slash is a path already.
///
/// # Errors
/// The text of Go's `exec.LookPath`.
pub(super) fn find_program(program: &OsStr, search_path: &OsStr) -> Result<PathBuf, String> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        return Ok(path.to_owned());
    }
    // Like Go, nothing is taken from a relative place: the current directory may be anybody's.
    std::env::split_paths(search_path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(path))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| format!("exec: {program:?}: executable file not found in $PATH"))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(job: &Job, script: &str) -> Vec<String> {
        let alias = |path: &str| InterpreterAlias {
            path: path.to_owned(),
            encoding: None,
        };
        let aliases = BTreeMap::from([("bash".to_owned(), alias("/opt/bash 5/bash"))]);
        let invocation = invocation(job, Path::new(script), &aliases, OsStr::new("sudo"));
        std::iter::once(invocation.program)
            .chain(invocation.args)
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    fn job(interpreter: &str, command: &str, is_sudo: bool) -> Job {
        Job {
            interpreter: interpreter.to_owned(),
            command: command.to_owned(),
            is_sudo,
            ..Job::default()
        }
    }

    #[test]
    fn the_command_line() {
        for (interpreter, command, is_sudo, expected) in [
            ("", "id", false, &["/bin/sh", "/s/a b"][..]),
            ("", "id", true, &["sudo", "-n", "/bin/sh", "/s/a b"]),
            ("bash", "id", false, &["/opt/bash 5/bash", "/s/a b"]),
            ("Bash", "id", false, &["/opt/bash 5/bash", "/s/a b"]),
            ("python3", "print()", false, &["python3", "/s/a b"]),
            (
                "/usr/bin/perl",
                "print",
                true,
                &["sudo", "-n", "/usr/bin/perl", "/s/a b"],
            ),
            ("bash", "#!/usr/bin/perl\n", false, &["/s/a b"]),
            ("", "#!/usr/bin/perl\n", true, &["sudo", "-n", "/s/a b"]),
            ("", " #!/usr/bin/perl\n", false, &["/bin/sh", "/s/a b"]),
            ("tacoscript", "x: y", false, &["tacoscript", "/s/a b"]),
        ] {
            assert_eq!(
                words(&job(interpreter, command, is_sudo), "/s/a b"),
                expected,
                "{interpreter} {command}"
            );
        }
    }

    #[test]
    fn only_tacoscript_has_an_extension() {
        assert_eq!(extension(&job("tacoscript", "", false)), ".yml");
        assert_eq!(extension(&job("python3", "", false)), "");
    }

    #[test]
    fn programs_are_looked_up_where_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let tool = file("tool", 0o755);
        file("text", 0o644);
        let path = std::env::join_paths([Path::new(""), Path::new("."), dir.path()]).unwrap();
        let find = |name: &str| find_program(OsStr::new(name), &path);
        assert_eq!(find("tool"), Ok(tool));
        for missing in ["text", "no-such-tool", ""] {
            assert_eq!(
                find(missing),
                Err(format!("exec: {missing:?}: executable file not found in $PATH"))
            );
        }
        assert_eq!(find("./tool"), Ok(PathBuf::from("./tool")));
        assert_eq!(find("/no/such"), Ok(PathBuf::from("/no/such")));
    }
}
