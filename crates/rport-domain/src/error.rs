//! The error every service returns.

use std::{error::Error as StdError, fmt};

/// What a service returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error. Each kind is answered by one HTTP status, in `rport-http` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The thing does not exist, or the caller may not know that it does.
    NotFound,
    /// The request makes no sense as it stands.
    Invalid,
    /// The request clashes with the present state.
    Conflict,
    /// Nobody has proven who asks.
    Unauthenticated,
    /// The caller is known and may not.
    Forbidden,
    /// The backend cannot be written to.
    ReadOnly,
    /// The user must wait before the next attempt.
    TooManyAttempts,
    /// The address is shut out for a while.
    Banned,
    /// The client is not connected.
    ClientOffline,
    /// The client did not answer in time.
    ClientTimeout,
    /// The client said no; its words are in the detail.
    ClientRefused,
    /// Something outside this server does not work at present.
    Unavailable,
    /// Our fault. The cause is for the log, never for the caller.
    Internal,
}

/// An error with the words for the caller and, apart from them, the cause for the log.
///
/// `title`, `detail` and `code` are public text. The source never leaves the server: it may name tables, paths and
/// addresses.
#[derive(Debug)]
pub struct Error {
    /// What the caller can do.
    pub kind: Kind,
    /// One sentence.
    pub title: String,
    /// More about it; may be empty.
    pub detail: String,
    /// Word for programs, such as `ERR_CODE_TUNNEL_EXIST`; usually empty.
    pub code: &'static str,
    /// Further errors of the same request; list queries report all their mistakes at once.
    pub more: Vec<Error>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Makes one constructor per kind.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident,)*) => {
        $($(#[$doc])* pub fn $name(title: impl Into<String>) -> Self {
            Self::new(Kind::$kind, title)
        })*
    };
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: Kind, title: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            detail: String::new(),
            code: "",
            more: Vec::new(),
            source: None,
        }
    }

    constructors! {
        /// Makes a [`Kind::NotFound`].
        not_found => NotFound,
        /// Makes a [`Kind::Invalid`].
        invalid => Invalid,
        /// Makes a [`Kind::Conflict`].
        conflict => Conflict,
        /// Makes a [`Kind::Unauthenticated`].
        unauthenticated => Unauthenticated,
        /// Makes a [`Kind::Forbidden`].
        forbidden => Forbidden,
        /// Makes a [`Kind::ReadOnly`].
        read_only => ReadOnly,
        /// Makes a [`Kind::TooManyAttempts`].
        too_many_attempts => TooManyAttempts,
        /// Makes a [`Kind::Banned`].
        banned => Banned,
        /// Makes a [`Kind::ClientOffline`].
        client_offline => ClientOffline,
        /// Makes a [`Kind::ClientTimeout`].
        client_timeout => ClientTimeout,
        /// Makes a [`Kind::ClientRefused`].
        client_refused => ClientRefused,
        /// Makes a [`Kind::Unavailable`].
        unavailable => Unavailable,
    }

    /// Makes a [`Kind::Internal`]: the caller reads only that something failed, the cause goes to the log.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal server error").source(source)
    }

    /// Adds the detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds the code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Adds the cause for the log.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Joins several errors into the first one; `None` when there are none.
    pub fn join(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.more.extend(errors);
        Some(first)
    }

    /// Returns this error and the joined ones, as they are listed in an answer.
    pub fn items(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.more)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_public_words_and_cause_apart() {
        let error = Error::internal("disk full");
        assert_eq!(error.to_string(), "internal server error");
        assert_eq!(StdError::source(&error).expect("cause").to_string(), "disk full");
    }

    #[test]
    fn joins_in_order() {
        let error = Error::join(["a", "b", "c"].map(Error::invalid)).expect("some");
        assert_eq!(
            error.items().map(|item| item.title.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert!(Error::join([]).is_none());
    }
}
