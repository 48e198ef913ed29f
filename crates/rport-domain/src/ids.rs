//! One type per kind of id, so that they cannot be confused.

use std::{borrow::Borrow, convert::Infallible, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Makes an id that is a text. Clones share it: ids stand in many maps.
macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes the id from its text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self::new(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        )*
    };
}

text_id! {
    /// Names a client. Any text without `/`: agents choose it.
    ClientId;
    /// Names the credentials an agent connects with; several clients may share them.
    ClientAuthId;
    /// Names a client group; chosen by people.
    ClientGroupId;
    /// Names a job or a multi-job: a UUID.
    JobId;
    /// Names a command or script of the library: a UUID.
    LibraryId;
    /// Names a schedule: a UUID.
    ScheduleId;
    /// Names a stored tunnel: a UUID.
    StoredTunnelId;
    /// Names a tunnel among those of its client: `1`, `2`, …
    TunnelId;
    /// Names an API user.
    UserName;
}

/// Makes an id that is a number.
macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
        )*
    };
}

number_id! {
    /// Names a login of an API user; row id in `api_sessions.db` and `sessionID` in the token.
    ApiSessionId(i64);
    /// Names one link of this server process; never reused.
    ConnectionId(u64);
    /// Names a value of the vault; row id in `vault.sqlite.db`.
    VaultValueId(i64);
}
