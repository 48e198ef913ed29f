//! What the configuration says about the users of the API.

use std::path::PathBuf;
use std::str::FromStr;

use rport_domain::{PasswordRules, SendToRule};
use rport_runtime::Secret;
use rport_store::{DatabaseOptions, UserTableNames};

use crate::client_auth::UnknownWord;

/// Where users come from and what their passwords must be like.
#[derive(Debug, Clone)]
pub struct UserOptions {
    /// The one source.
    pub source: UserSource,
    /// What new passwords must be like (`[api] password_min_length`, `password_zxcvbn_minscore`).
    pub rules: PasswordRules,
    /// How new passwords are kept in a database (`[api] password_hash`). The file always gets bcrypt.
    pub hash: UserHash,
    /// What the address for codes of the second factor must be like; `None` when no codes are delivered.
    pub send_to: Option<SendToRule>,
    /// Whether users need an authenticator app (`[api] totp_enabled`).
    pub totp: bool,
}

/// The defaults of an existing configuration.
impl From<UserSource> for UserOptions {
    fn from(source: UserSource) -> Self {
        Self {
            source,
            rules: PasswordRules::default(),
            hash: UserHash::Bcrypt,
            send_to: None,
            totp: false,
        }
    }
}

impl UserOptions {
    /// How new passwords are kept: the Go server must be able to read the file in any case.
    pub(crate) fn hash_form(&self) -> UserHash {
        match self.source {
            UserSource::File(_) | UserSource::Single { .. } => UserHash::Bcrypt,
            UserSource::Table { .. } => self.hash,
        }
    }
}

/// Where the users of the API come from: exactly one source.
#[derive(Debug, Clone)]
pub enum UserSource {
    /// One administrator (`[api] auth`).
    Single {
        /// The user name.
        name: String,
        /// The password in clear.
        password: Secret,
    },
    /// A JSON file (`[api] auth_file`), read at start and again on request.
    File(PathBuf),
    /// Tables of a database the admin owns (`[api] auth_user_table`, … and `[database]`).
    Table {
        /// The database.
        database: DatabaseOptions,
        /// What its tables are called.
        tables: UserTableNames,
    },
}

/// How new passwords of users are kept in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserHash {
    /// As bcrypt hash with the prefix `$2y$`: the Go server reads nothing else.
    Bcrypt,
    /// As Argon2id hash.
    Argon2id,
}

impl FromStr for UserHash {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "bcrypt" => Ok(Self::Bcrypt),
            "argon2id" => Ok(Self::Argon2id),
            _ => Err(UnknownWord::new("\"bcrypt\" or \"argon2id\"", text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_exact_and_errors_name_the_choice() {
        assert_eq!("argon2id".parse(), Ok(UserHash::Argon2id));
        assert_eq!("bcrypt".parse(), Ok(UserHash::Bcrypt));
        let error = "sha1".parse::<UserHash>().expect_err("refused").to_string();
        assert_eq!(error, "expected \"bcrypt\" or \"argon2id\", got \"sha1\"");
    }
}
