//! What an API token is good for.

use std::{fmt, str::FromStr};

/// Where the credentials of agents are managed.
const CLIENTS_AUTH: &str = "/api/v1/clients-auth";

/// The scope of an API token. Source: rest-api.md 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenScope {
    /// Reading, but no WebSockets.
    Read,
    /// Everything the user may do.
    ReadWrite,
    /// The credentials of agents, and nothing else.
    ClientsAuth,
}

impl TokenScope {
    /// Returns the word in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read+write",
            Self::ClientsAuth => "clients-auth",
        }
    }

    /// Tells whether a request with this method and path is within the scope.
    ///
    /// Differs from RPort, where `clients-auth` anywhere in a path is enough, so that a client whose id contains the
    /// word opens everything of that client.
    pub fn permits(self, method: &str, path: &str) -> bool {
        match self {
            Self::Read => method == "GET" && !path.split('/').any(|part| part == "ws"),
            Self::ReadWrite => true,
            Self::ClientsAuth => path
                .strip_prefix(CLIENTS_AUTH)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Read, Self::ReadWrite, Self::ClientsAuth]
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown token scope {0:?}")]
pub struct UnknownScope(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: &str, method: &str, path: &str, expected: bool) {
        let scope: TokenScope = scope.parse().expect("a scope");
        assert_eq!(scope.permits(method, path), expected, "{scope} {method} {path}");
    }

    #[test]
    fn scopes_permit_what_they_name() {
        check("read", "GET", "/api/v1/clients", true);
        check("read", "PUT", "/api/v1/clients/x/tunnels", false);
        check("read", "GET", "/api/v1/ws/events", false);
        check("read", "GET", "/api/v1/clients/wsl", true);
        check("read+write", "DELETE", "/api/v1/clients/x", true);
        check("clients-auth", "POST", "/api/v1/clients-auth", true);
        check("clients-auth", "DELETE", "/api/v1/clients-auth/id", true);
        check("clients-auth", "GET", "/api/v1/clients-authority", false);
        check("clients-auth", "DELETE", "/api/v1/clients/clients-auth", false);
        check("clients-auth", "PUT", "/api/v1/clients/x/clients-auth", false);
        assert!("write".parse::<TokenScope>().is_err() && "".parse::<TokenScope>().is_err());
    }
}
