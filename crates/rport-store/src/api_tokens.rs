//! `api_token.db`: the long-lived tokens of users. Source: storage.md 4.8.
//!
//! The secret half of a token is stored as a bcrypt hash with the prefix `$2y$`, as the Go server writes it. That
//! server gave every row a scope, but an update of a token nobody had made left rows with an empty scope and an empty
//! hash: they are read as they are and match nothing.

use chrono::{DateTime, Utc};
use rport_domain::UserName;
use rusqlite::{OptionalExtension, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::migrations::Migration;
use crate::store::StoreOptions;

/// Differs from RPort: its second version cannot be reached from a table with rows in it and leaves a dirty mark. Here
/// the table is replaced, which the third version did anyway: no token survived that upgrade.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "
            CREATE TABLE api_token (
                username TEXT NOT NULL CHECK (username != ''),
                prefix TEXT NOT NULL CHECK (prefix != ''),
                created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
                expires_at DATETIME,
                scope TEXT,
                token TEXT NOT NULL,
                PRIMARY KEY (username, prefix)
            ) WITHOUT ROWID;
        ",
    },
    Migration {
        version: 2,
        sql: "DROP TABLE IF EXISTS api_token;",
    },
    Migration {
        version: 3,
        sql: "
            DROP TABLE IF EXISTS api_tokens;
            CREATE TABLE api_tokens (
                username TEXT NOT NULL CHECK (username != ''),
                prefix TEXT NOT NULL CHECK (prefix != ''),
                created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
                expires_at DATETIME,
                scope TEXT,
                token TEXT NOT NULL,
                name TEXT NOT NULL,
                PRIMARY KEY (username, prefix)
            ) WITHOUT ROWID;
            CREATE UNIQUE INDEX api_tokens_unique_name ON api_tokens (username, name);
        ",
    },
];

/// A token as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Whose it is.
    pub user: UserName,
    /// The half that is no secret: eight lower-case letters and digits.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is worthless; `None` never.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it is good for, as written: `read`, `read+write` or `clients-auth`.
    pub scope: String,
    /// bcrypt hash of the secret half.
    pub hash: String,
    /// What the user calls it; unique among the user's tokens.
    pub name: String,
}

/// The hash stays out of logs.
impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiToken")
            .field("user", &self.user)
            .field("prefix", &self.prefix)
            .field("scope", &self.scope)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How a write of a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenWrite {
    /// It is on disk.
    Done,
    /// Another token of the user has that name.
    NameTaken,
    /// The user has no token with that prefix, or, when adding, has one already.
    NoSuchPrefix,
}

/// The tokens on disk.
#[derive(Clone)]
pub struct ApiTokens {
    database: Database,
}

impl ApiTokens {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("api_token.db");
        Ok(Self {
            database: Database::open(&path, options.wal, MIGRATIONS)?,
        })
    }

    /// The tokens of a user, oldest first.
    pub async fn of_user(&self, user: &UserName) -> Result<Vec<ApiToken>, StoreError> {
        let user = user.to_string();
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!(
                        "{SELECT} WHERE username = ?1 ORDER BY DATETIME(created_at), prefix"
                    ))?
                    .query_map([user], token)?
                    .collect()
            })
            .await
    }

    /// One token of a user, expired or not.
    pub async fn find(&self, user: &UserName, prefix: &str) -> Result<Option<ApiToken>, StoreError> {
        let (user, prefix) = (user.to_string(), prefix.to_owned());
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("{SELECT} WHERE username = ?1 AND prefix = ?2"))?
                    .query_row([user, prefix], token)
                    .optional()
            })
            .await
    }

    /// Adds a token.
    pub async fn add(&self, token: ApiToken) -> Result<TokenWrite, StoreError> {
        self.database
            .write(move |connection| {
                let user = token.user.as_str();
                if name_is_taken(connection, user, &token.name, &token.prefix)? {
                    return Ok(TokenWrite::NameTaken);
                }
                let added = connection
                    .prepare_cached(
                        "INSERT INTO api_tokens (username, prefix, created_at, expires_at, scope, token, name)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![
                        user,
                        token.prefix,
                        GoTime::from(token.created_at),
                        token.expires_at.map(GoTime::from),
                        token.scope,
                        token.hash,
                        token.name
                    ])?;
                Ok(done(added))
            })
            .await
    }

    /// Changes name and expiry of a token; `None` leaves one as it is.
    pub async fn change(
        &self,
        user: &UserName,
        prefix: &str,
        name: Option<String>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<TokenWrite, StoreError> {
        let (user, prefix) = (user.to_string(), prefix.to_owned());
        self.database
            .write(move |connection| {
                if let Some(name) = &name
                    && name_is_taken(connection, &user, name, &prefix)?
                {
                    return Ok(TokenWrite::NameTaken);
                }
                let changed = connection
                    .prepare_cached(
                        "UPDATE api_tokens SET name = COALESCE(?3, name), expires_at = COALESCE(?4, expires_at)
                         WHERE username = ?1 AND prefix = ?2",
                    )?
                    .execute(params![user, prefix, name, expires_at.map(GoTime::from)])?;
                Ok(done(changed))
            })
            .await
    }

    /// Deletes a token. Returns whether there was one.
    pub async fn delete(&self, user: &UserName, prefix: &str) -> Result<bool, StoreError> {
        let (user, prefix) = (user.to_string(), prefix.to_owned());
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM api_tokens WHERE username = ?1 AND prefix = ?2")?
                    .execute([user, prefix])?;
                Ok(deleted > 0)
            })
            .await
    }

    /// Deletes all tokens of a user; returns how many.
    pub async fn delete_of_user(&self, user: &UserName) -> Result<usize, StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM api_tokens WHERE username = ?1")?
                    .execute([user])
            })
            .await
    }

    /// Gives the tokens of a renamed user to the new name. Whatever stood under that name is nobody's and goes.
    pub async fn rename_user(&self, old: &UserName, new: &UserName) -> Result<(), StoreError> {
        let (old, new) = (old.to_string(), new.to_string());
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM api_tokens WHERE username = ?1")?
                    .execute([&new])?;
                connection
                    .prepare_cached("UPDATE api_tokens SET username = ?2 WHERE username = ?1")?
                    .execute([&old, &new])
                    .map(drop)
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

const SELECT: &str = "SELECT username, prefix, created_at, expires_at, scope, token, name FROM api_tokens";

fn name_is_taken(
    connection: &rusqlite::Connection,
    user: &str,
    name: &str,
    prefix: &str,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM api_tokens WHERE username = ?1 AND name = ?2 AND prefix != ?3")?
        .exists([user, name, prefix])
}

fn done(rows: usize) -> TokenWrite {
    if rows > 0 {
        TokenWrite::Done
    } else {
        TokenWrite::NoSuchPrefix
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    let expires_at: Option<GoTime> = row.get(3)?;
    Ok(ApiToken {
        user: UserName::new(row.get::<_, String>(0)?),
        prefix: row.get(1)?,
        created_at: row.get::<_, GoTime>(2)?.0.to_utc(),
        expires_at: expires_at.map(|time| time.0.to_utc()),
        scope: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        hash: row.get(5)?,
        name: row.get(6)?,
    })
}

#[cfg(test)]
#[path = "api_tokens_tests.rs"]
mod tests;
