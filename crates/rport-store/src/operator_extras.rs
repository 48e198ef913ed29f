//! `operator_extras.db`: what the server knows about logins beyond the Go server's tables.
//!
//! The random number of each session's token, so that an old token cannot ride on a newer session; the highest session
//! id ever given out; recovery codes as hashes; the last time step each user's authenticator code was taken for. The Go
//! server knows no such file and leaves it alone. Instants are integers, microseconds since 1970 in UTC.

use chrono::{DateTime, Utc};
use rport_domain::{ApiSessionId, UserName};
use rusqlite::{OptionalExtension, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::store::StoreOptions;

const SCHEMA: &[&str] = &["
    CREATE TABLE session_tokens (
        session_id INTEGER PRIMARY KEY NOT NULL,
        jti TEXT NOT NULL,
        issued_at INTEGER NOT NULL,
        previous_jti TEXT,
        previous_until INTEGER
    );
    CREATE TABLE highest_session (id INTEGER NOT NULL);
    INSERT INTO highest_session VALUES (0);
    CREATE TABLE recovery_codes (
        username TEXT NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (username, hash)
    ) WITHOUT ROWID;
    CREATE TABLE totp_steps (
        username TEXT PRIMARY KEY NOT NULL,
        step INTEGER NOT NULL
    ) WITHOUT ROWID;
"];

/// Which tokens a session was given out with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionToken {
    /// The session.
    pub session: ApiSessionId,
    /// The `jti` of the newest token.
    pub jti: String,
    /// When that token was made.
    pub issued_at: DateTime<Utc>,
    /// The `jti` of the token before it, and until when that is still taken.
    pub previous: Option<(String, DateTime<Utc>)>,
}

/// The rows on disk.
#[derive(Clone)]
pub struct OperatorExtras {
    database: Database,
}

impl OperatorExtras {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("operator_extras.db");
        Ok(Self {
            database: Database::open_own(&path, options.wal, SCHEMA)?,
        })
    }

    /// The highest session id ever given out by this program; 0 at first. Blocks on the disk: for the start only.
    pub(crate) fn highest_session(&self) -> Result<i64, StoreError> {
        self.database.read_now(|connection| {
            connection.query_row("SELECT MAX(id) FROM highest_session", [], |row| row.get(0))
        })
    }

    /// What is known about the tokens of a session; `None` for sessions the Go server made.
    pub async fn session_token(&self, session: ApiSessionId) -> Result<Option<SessionToken>, StoreError> {
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT session_id, jti, issued_at, previous_jti, previous_until FROM session_tokens
                         WHERE session_id = ?1",
                    )?
                    .query_row([session.0], session_token)
                    .optional()
            })
            .await
    }

    /// Notes the tokens of a session and that its id has been used.
    pub async fn save_session_token(&self, token: SessionToken) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let (previous, until) = match &token.previous {
                    Some((jti, until)) => (Some(jti.as_str()), Some(until.timestamp_micros())),
                    None => (None, None),
                };
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO session_tokens
                             (session_id, jti, issued_at, previous_jti, previous_until)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![
                        token.session.0,
                        token.jti,
                        token.issued_at.timestamp_micros(),
                        previous,
                        until
                    ])?;
                connection
                    .prepare_cached("UPDATE highest_session SET id = MAX(id, ?1)")?
                    .execute([token.session.0])
                    .map(drop)
            })
            .await
    }

    /// Forgets the tokens of sessions that have ended.
    pub async fn forget_sessions(&self, sessions: Vec<ApiSessionId>) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let mut statement =
                    connection.prepare_cached("DELETE FROM session_tokens WHERE session_id = ?1")?;
                for session in &sessions {
                    statement.execute([session.0])?;
                }
                Ok(())
            })
            .await
    }

    /// The sessions of which tokens are known.
    pub async fn known_sessions(&self) -> Result<Vec<ApiSessionId>, StoreError> {
        self.database
            .read(|connection| {
                connection
                    .prepare_cached("SELECT session_id FROM session_tokens")?
                    .query_map([], |row| row.get(0).map(ApiSessionId))?
                    .collect()
            })
            .await
    }

    /// Replaces the recovery codes of a user by these hashes; an empty list removes them.
    pub async fn set_recovery_codes(&self, user: &UserName, hashes: Vec<[u8; 32]>) -> Result<(), StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM recovery_codes WHERE username = ?1")?
                    .execute([&user])?;
                let mut statement = connection.prepare_cached(
                    "INSERT OR IGNORE INTO recovery_codes (username, hash) VALUES (?1, ?2)",
                )?;
                for hash in &hashes {
                    statement.execute(params![user, hash])?;
                }
                Ok(())
            })
            .await
    }

    /// How many recovery codes a user has left.
    pub async fn recovery_codes_left(&self, user: &UserName) -> Result<usize, StoreError> {
        let user = user.to_string();
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT COUNT(*) FROM recovery_codes WHERE username = ?1")?
                    .query_row([user], |row| row.get::<_, u32>(0).map(|count| count as usize))
            })
            .await
    }

    /// Uses a recovery code up; `false` when the user has no such code. Of two who try the same code one gets it.
    pub async fn take_recovery_code(&self, user: &UserName, hash: [u8; 32]) -> Result<bool, StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                let taken = connection
                    .prepare_cached("DELETE FROM recovery_codes WHERE username = ?1 AND hash = ?2")?
                    .execute(params![user, hash])?;
                Ok(taken > 0)
            })
            .await
    }

    /// Notes that a user's code of this time step was taken; `false` when that step or a later one was taken before.
    pub async fn take_totp_step(&self, user: &UserName, step: i64) -> Result<bool, StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                let taken = connection
                    .prepare_cached(
                        "INSERT INTO totp_steps (username, step) VALUES (?1, ?2)
                         ON CONFLICT (username) DO UPDATE SET step = excluded.step WHERE excluded.step > step",
                    )?
                    .execute(params![user, step])?;
                Ok(taken > 0)
            })
            .await
    }

    /// Forgets the time step of a user, whose next secret starts afresh.
    pub async fn forget_totp_step(&self, user: &UserName) -> Result<(), StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM totp_steps WHERE username = ?1")?
                    .execute([user])
                    .map(drop)
            })
            .await
    }

    /// Forgets everything about a user who has been deleted.
    pub async fn delete_user(&self, user: &UserName) -> Result<(), StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                for table in ["recovery_codes", "totp_steps"] {
                    connection
                        .prepare_cached(&format!("DELETE FROM {table} WHERE username = ?1"))?
                        .execute([&user])?;
                }
                Ok(())
            })
            .await
    }

    /// Moves everything about a renamed user to the new name.
    pub async fn rename_user(&self, old: &UserName, new: &UserName) -> Result<(), StoreError> {
        let (old, new) = (old.to_string(), new.to_string());
        self.database
            .write(move |connection| {
                for table in ["recovery_codes", "totp_steps"] {
                    connection
                        .prepare_cached(&format!("DELETE FROM {table} WHERE username = ?1"))?
                        .execute([&new])?;
                    connection
                        .prepare_cached(&format!("UPDATE {table} SET username = ?2 WHERE username = ?1"))?
                        .execute([&old, &new])?;
                }
                Ok(())
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

fn session_token(row: &Row<'_>) -> rusqlite::Result<SessionToken> {
    let time = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let previous: Option<String> = row.get(3)?;
    let until: Option<i64> = row.get(4)?;
    Ok(SessionToken {
        session: ApiSessionId(row.get(0)?),
        jti: row.get(1)?,
        issued_at: time(row.get(2)?),
        previous: previous.zip(until.map(time)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &tempfile::TempDir) -> OperatorExtras {
        OperatorExtras::open(&StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        })
        .expect("opens")
    }

    #[tokio::test]
    async fn tokens_of_sessions_are_kept_and_the_highest_id_outlives_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let extras = open(&directory);
        let time = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        let token = SessionToken {
            session: ApiSessionId(77),
            jti: "2".into(),
            issued_at: time,
            previous: Some(("1".into(), time)),
        };
        extras.save_session_token(token.clone()).await.expect("saves");
        assert_eq!(extras.session_token(ApiSessionId(77)).await, Ok(Some(token)));
        extras
            .forget_sessions(vec![ApiSessionId(77), ApiSessionId(78)])
            .await
            .expect("forgets");
        assert_eq!(extras.session_token(ApiSessionId(77)).await, Ok(None));
        extras.close().await;
        assert_eq!(open(&directory).highest_session(), Ok(77));
    }

    #[tokio::test]
    async fn codes_and_steps_are_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let extras = open(&directory);
        let (ann, bea) = (UserName::new("ann"), UserName::new("bea"));
        extras
            .set_recovery_codes(&ann, vec![[1; 32], [2; 32]])
            .await
            .expect("saves");
        assert_eq!(extras.take_recovery_code(&bea, [1; 32]).await, Ok(false));
        assert_eq!(extras.take_recovery_code(&ann, [1; 32]).await, Ok(true));
        assert_eq!(extras.take_recovery_code(&ann, [1; 32]).await, Ok(false));
        assert_eq!(extras.recovery_codes_left(&ann).await, Ok(1));
        assert_eq!(extras.take_totp_step(&ann, 10).await, Ok(true));
        for old in [10, 9] {
            assert_eq!(extras.take_totp_step(&ann, old).await, Ok(false), "{old}");
        }
        assert_eq!(extras.take_totp_step(&ann, 11).await, Ok(true));
        extras.rename_user(&ann, &bea).await.expect("renames");
        assert_eq!(extras.take_totp_step(&bea, 11).await, Ok(false));
        assert_eq!(extras.recovery_codes_left(&bea).await, Ok(1));
        extras.delete_user(&bea).await.expect("deletes");
        assert_eq!(extras.recovery_codes_left(&bea).await, Ok(0));
        assert_eq!(extras.take_totp_step(&bea, 1).await, Ok(true));
    }
}
