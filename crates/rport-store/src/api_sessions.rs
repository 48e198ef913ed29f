//! `api_sessions.db`: one row per login of a user.
//!
//! The Go server lets SQLite choose session ids, which gives the highest id again once its row is deleted; since a
//! token names its session by id alone, a logged-out token came back to life. Here an id is the time of the login in
//! microseconds, or one more than the highest id seen if that is greater, whether its row still exists or not (see
//! `operator_extras.rs`): it rises for ever and stays below 2⁵³, so that JavaScript keeps it exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use rport_domain::{ApiSessionId, UserName};
use rusqlite::{OptionalExtension, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::migrations::Migration;
use crate::store::StoreOptions;

/// Source: storage.md 4.9. Version 1 kept whole tokens; nothing of it survives version 2.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "
            CREATE TABLE api_sessions (token TEXT PRIMARY KEY NOT NULL, expires_at DATETIME NOT NULL) WITHOUT ROWID;
            CREATE INDEX idx_expires_at_time ON api_sessions (DATETIME(expires_at) DESC);
        ",
    },
    Migration {
        version: 2,
        sql: "
            DROP TABLE IF EXISTS api_sessions;
            CREATE TABLE api_sessions (
                session_id INTEGER PRIMARY KEY NOT NULL,
                expires_at DATETIME NOT NULL,
                username TEXT NOT NULL,
                last_access_at DATETIME NOT NULL,
                user_agent TEXT,
                ip_address TEXT
            );
            CREATE INDEX idx_expires_at_time ON api_sessions (DATETIME(expires_at) DESC);
            CREATE INDEX idx_username ON api_sessions (username);
        ",
    },
];

/// A user's login as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSession {
    /// The number the user's token refers to.
    pub id: ApiSessionId,
    /// From when on the token is worthless.
    pub expires_at: DateTime<Utc>,
    /// Whose login it is.
    pub user: UserName,
    /// When a request last used it.
    pub last_access_at: DateTime<Utc>,
    /// The `User-Agent` of the login or of the last request.
    pub user_agent: String,
    /// Where the login or the last request came from.
    pub address: String,
}

/// The logins on disk.
#[derive(Clone)]
pub struct ApiSessions {
    database: Database,
    /// The highest id ever given out.
    last_id: Arc<AtomicI64>,
}

impl ApiSessions {
    /// `highest` is the highest id given out by earlier runs.
    pub(crate) fn open(options: &StoreOptions, highest: i64) -> Result<Self, StoreError> {
        let database = Database::open(&options.data_dir.join("api_sessions.db"), options.wal, MIGRATIONS)?;
        Ok(Self {
            database,
            last_id: Arc::new(highest.into()),
        })
    }

    /// Stores a new login under an id nobody had before; `session.id` is ignored. `now` is the base of the id.
    pub async fn create(&self, session: ApiSession, now: DateTime<Utc>) -> Result<ApiSession, StoreError> {
        let last_id = self.last_id.clone();
        self.database
            .write(move |connection| {
                let highest: Option<i64> = connection
                    .prepare_cached("SELECT MAX(session_id) FROM api_sessions")?
                    .query_row([], |row| row.get(0))?;
                let floor = highest.unwrap_or(0).max(last_id.load(Ordering::Relaxed));
                let id = now.timestamp_micros().max(floor.saturating_add(1));
                connection
                    .prepare_cached(
                        "INSERT INTO api_sessions
                             (session_id, expires_at, username, last_access_at, user_agent, ip_address)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        id,
                        GoTime::from(session.expires_at),
                        session.user.to_string(),
                        GoTime::from(session.last_access_at),
                        session.user_agent,
                        session.address
                    ])?;
                // Only the writer thread comes here, one write at a time.
                last_id.store(id, Ordering::Relaxed);
                Ok(ApiSession {
                    id: ApiSessionId(id),
                    ..session
                })
            })
            .await
    }

    /// The login with this id, also when it has expired.
    pub async fn find(&self, id: ApiSessionId) -> Result<Option<ApiSession>, StoreError> {
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("{SELECT} WHERE session_id = ?1"))?
                    .query_row([id.0], session)
                    .optional()
            })
            .await
    }

    /// All logins of a user, the one used longest ago first.
    pub async fn of_user(&self, user: &UserName) -> Result<Vec<ApiSession>, StoreError> {
        let user = user.to_string();
        self.database
            .read(move |connection| {
                let mut query = connection.prepare_cached(&format!(
                    "{SELECT} WHERE username = ?1 ORDER BY DATETIME(last_access_at)"
                ))?;
                query.query_map([user], session)?.collect()
            })
            .await
    }

    /// Notes that a login was used. A login deleted meanwhile stays deleted.
    pub async fn touch(&self, session: ApiSession) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE api_sessions
                         SET expires_at = ?2, last_access_at = ?3, user_agent = ?4, ip_address = ?5
                         WHERE session_id = ?1",
                    )?
                    .execute(params![
                        session.id.0,
                        GoTime::from(session.expires_at),
                        GoTime::from(session.last_access_at),
                        session.user_agent,
                        session.address
                    ])?;
                Ok(())
            })
            .await
    }

    /// Ends a login. Returns whether there was one.
    pub async fn delete(&self, id: ApiSessionId) -> Result<bool, StoreError> {
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM api_sessions WHERE session_id = ?1")?
                    .execute([id.0])?;
                Ok(deleted > 0)
            })
            .await
    }

    /// Ends all logins of a user; returns which there were.
    pub async fn delete_of_user(&self, user: &UserName) -> Result<Vec<ApiSessionId>, StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM api_sessions WHERE username = ?1 RETURNING session_id")?
                    .query_map([user], |row| row.get(0).map(ApiSessionId))?
                    .collect()
            })
            .await
    }

    /// The ids of all logins, expired or not.
    pub async fn ids(&self) -> Result<Vec<ApiSessionId>, StoreError> {
        self.database
            .read(|connection| {
                connection
                    .prepare_cached("SELECT session_id FROM api_sessions")?
                    .query_map([], |row| row.get(0).map(ApiSessionId))?
                    .collect()
            })
            .await
    }

    /// Removes logins that ended before `now`; returns how many.
    pub async fn delete_expired(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "DELETE FROM api_sessions WHERE DATETIME(expires_at) <= DATETIME(?1)",
                    [GoTime::from(now)],
                )
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

const SELECT: &str =
    "SELECT session_id, expires_at, username, last_access_at, user_agent, ip_address FROM api_sessions";

fn session(row: &Row<'_>) -> rusqlite::Result<ApiSession> {
    Ok(ApiSession {
        id: ApiSessionId(row.get(0)?),
        expires_at: row.get::<_, GoTime>(1)?.0.to_utc(),
        user: UserName::new(row.get::<_, String>(2)?),
        last_access_at: row.get::<_, GoTime>(3)?.0.to_utc(),
        user_agent: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        address: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
    })
}
