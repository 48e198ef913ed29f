//! What went wrong, as the operator reads it, and the exit code it stands for.

use std::{fmt, io};

use crate::output::clean;

/// The end of a program that did not succeed. The numbers are promised to scripts (`docs/rportcli.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything without a number of its own.
    Error = 1,
    /// The command line, the configuration file or the environment makes no sense.
    Usage = 2,
    /// Not logged in, not allowed, or locked out.
    Forbidden = 3,
    /// There is no such thing.
    NotFound = 4,
    /// It exists already, is in use, or a name is ambiguous.
    Conflict = 5,
    /// The server does not answer, or not in time.
    Unreachable = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

/// What every command ends with.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failure: what, where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

#[derive(Debug)]
struct Details {
    exit: Exit,
    what: String,
    place: String,
    hint: String,
    code: String,
    /// The reader of the output went away. That is no failure of ours, and nobody wants to hear of it.
    quiet: bool,
}

impl Failure {
    /// A failure with the given exit code.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Details {
            exit,
            what: what.into(),
            place: String::new(),
            hint: String::new(),
            code: String::new(),
            quiet: false,
        }))
    }

    /// A failure without an exit code of its own.
    pub(crate) fn error(what: impl Into<String>) -> Self {
        Self::new(Exit::Error, what)
    }

    /// A mistake of the command line, the configuration or the environment.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Something that is not there.
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, what)
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// Adds where it went wrong.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place = place.into();
        self
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Adds the error code of the API.
    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = code.into();
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The number for the shell.
    pub(crate) fn number(&self) -> u8 {
        if self.0.quiet { 0 } else { self.0.exit as u8 }
    }

    /// What went wrong, without place and hint.
    pub(crate) fn what(&self) -> &str {
        &self.0.what
    }

    /// Whether the API gave this error code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.0.code == code
    }

    /// Whether there is nothing to say about it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.quiet
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Servers repeat names that strangers chose: nothing of it may steer the terminal.
        write!(f, "rportcli: {}", clean(&self.0.what))?;
        if !self.0.place.is_empty() {
            write!(f, "\n  where: {}", clean(&self.0.place))?;
        }
        if !self.0.hint.is_empty() {
            write!(f, "\n  what to do: {}", clean(&self.0.hint))?;
        }
        Ok(())
    }
}

/// Only writing to standard output ends here: everything else names its file.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let mut failure = Self::error(format!("cannot write the output: {error}"));
        failure.0.quiet = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_to_do() {
        let failure = Failure::not_found("no client \u{1b}[31mweb")
            .at("GET /clients")
            .hint("list them");
        assert_eq!(
            failure.to_string(),
            "rportcli: no client \u{fffd}[31mweb\n  where: GET /clients\n  what to do: list them"
        );
        assert_eq!(failure.number(), 4);
        assert_eq!(Failure::error("x").to_string(), "rportcli: x");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(pipe.is_quiet() && pipe.number() == 0);
        assert_eq!(Failure::from(io::Error::other("disk")).number(), 1);
    }
}
