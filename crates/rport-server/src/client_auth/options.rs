//! What the configuration says about the credentials of agents.

use std::path::PathBuf;
use std::str::FromStr;

use rport_runtime::Secret;
use rport_store::DatabaseOptions;

/// Where credentials come from and what may be done with them.
#[derive(Debug, Clone)]
pub struct ClientAuthOptions {
    /// The one source.
    pub source: ClientAuthSource,
    /// Whether the API may change credentials (`[server] auth_write`).
    pub write: bool,
    /// How passwords set through the API are kept (`[server] auth_hash`).
    pub hash: PasswordHashing,
    /// Whether administrators are shown passwords that are kept in clear (`[server] auth_reveal`).
    pub reveal: bool,
    /// Whether a client id stays with the credentials it came with (`[server] client_id_binding`).
    pub binding: ClientIdBinding,
}

/// The defaults of an existing configuration: nothing an agent or an API user relies on changes.
impl From<ClientAuthSource> for ClientAuthOptions {
    fn from(source: ClientAuthSource) -> Self {
        Self {
            source,
            write: true,
            hash: PasswordHashing::None,
            reveal: true,
            binding: ClientIdBinding::Warn,
        }
    }
}

/// Where the credentials of agents come from: exactly one source.
#[derive(Debug, Clone)]
pub enum ClientAuthSource {
    /// One pair for all agents (`[server] auth`).
    Single {
        /// The client auth id.
        id: String,
        /// Its password.
        password: Secret,
    },
    /// A JSON file of ids and passwords (`[server] auth_file`), read at start and on request.
    File(PathBuf),
    /// A table of a database the admin owns (`[server] auth_table` and `[database]`).
    Table {
        /// The database.
        database: DatabaseOptions,
        /// The table, with or without the name of its schema in front: `clients_auth`, `rport.clients_auth`.
        table: String,
    },
}

/// How passwords set through the API are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordHashing {
    /// In clear, as the documentation of the two-column table says.
    None,
    /// As Argon2id hash.
    Argon2id,
}

/// What happens when a known client id comes with other credentials than before, while those still are usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIdBinding {
    /// Nothing: any credentials may take any client id, as with the Go server.
    Off,
    /// It is logged and audited, and the client is bound to the new credentials.
    Warn,
    /// The agent is refused until an administrator has bound the client to the new credentials.
    Enforce,
}

/// A word in the configuration that is none of those allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct UnknownWord {
    expected: &'static str,
    got: String,
}

impl UnknownWord {
    pub(crate) fn new(expected: &'static str, got: &str) -> Self {
        Self {
            expected,
            got: got.to_owned(),
        }
    }
}

impl FromStr for PasswordHashing {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "none" => Ok(Self::None),
            "argon2id" => Ok(Self::Argon2id),
            _ => Err(UnknownWord::new("\"none\" or \"argon2id\"", text)),
        }
    }
}

impl FromStr for ClientIdBinding {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "enforce" => Ok(Self::Enforce),
            _ => Err(UnknownWord::new("\"off\", \"warn\" or \"enforce\"", text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rport_store::DatabaseServer;

    use super::*;

    #[test]
    fn words_are_exact_and_errors_name_the_choice() {
        assert_eq!("argon2id".parse(), Ok(PasswordHashing::Argon2id));
        assert_eq!("enforce".parse(), Ok(ClientIdBinding::Enforce));
        let error = "Warn"
            .parse::<ClientIdBinding>()
            .expect_err("refused")
            .to_string();
        assert_eq!(error, "expected \"off\", \"warn\" or \"enforce\", got \"Warn\"");
        let error = "bcrypt"
            .parse::<PasswordHashing>()
            .expect_err("refused")
            .to_string();
        assert_eq!(error, "expected \"none\" or \"argon2id\", got \"bcrypt\"");
    }

    #[test]
    fn debug_output_hides_passwords() {
        let server = DatabaseServer {
            host: "db:3306".into(),
            user: "rport".into(),
            password: "geheim".into(),
            name: "rport".into(),
        };
        let source = ClientAuthSource::Table {
            database: DatabaseOptions::MySql(server),
            table: "clients_auth".into(),
        };
        let single = ClientAuthSource::Single {
            id: "rport".into(),
            password: "geheim".into(),
        };
        let text = format!("{:?} {single:?}", ClientAuthOptions::from(source));
        assert!(
            !text.contains("geheim") && text.contains("clients_auth"),
            "{text}"
        );
    }
}
