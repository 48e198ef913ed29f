//! `client_auth_extras.db`: what the server knows about client auths beyond id and password.
//!
//! The passwords live where the operator keeps them: in the configuration, a file or a two-column table that must
//! stay valid as documented. Comments, expiry, switches and the password before a rotation live here, by id. A row
//! without credentials of its id means nothing.
//!
//! The Go server knows no such file and leaves it alone. Versions are kept in `user_version`, so that the table of
//! golang-migrate does not appear in a file it never wrote.

use chrono::{DateTime, Utc};
use rport_domain::{ClientAuthId, StoredPassword};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::store::StoreOptions;

/// Instants are integers, microseconds since 1970 in UTC: nothing else reads this file.
const SCHEMA: &[&str] = &["
    CREATE TABLE client_auth_extras (
        id TEXT PRIMARY KEY NOT NULL,
        comment TEXT NOT NULL DEFAULT '',
        expires_at INTEGER,
        disabled INTEGER NOT NULL DEFAULT 0,
        previous_password TEXT,
        previous_until INTEGER,
        created_at INTEGER,
        updated_at INTEGER,
        last_used_at INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX idx_expires_at ON client_auth_extras (expires_at) WHERE expires_at IS NOT NULL;
"];

/// Everything about one client auth that does not stand in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthExtra {
    /// Whose row it is.
    pub id: ClientAuthId,
    /// What somebody noted; may be empty.
    pub comment: String,
    /// From when on nobody can log in.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether logging in is switched off.
    pub disabled: bool,
    /// The password before the last rotation, and until when it is accepted.
    pub previous: Option<(StoredPassword, DateTime<Utc>)>,
    /// When the credentials were added through this server.
    pub created_at: Option<DateTime<Utc>>,
    /// When they were last changed through this server.
    pub updated_at: Option<DateTime<Utc>>,
    /// When an agent last logged in with them.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ClientAuthExtra {
    /// Makes the row of credentials nothing is known about.
    pub fn new(id: ClientAuthId) -> Self {
        Self {
            id,
            comment: String::new(),
            expires_at: None,
            disabled: false,
            previous: None,
            created_at: None,
            updated_at: None,
            last_used_at: None,
        }
    }

    /// Whether logging in is possible at a moment, as far as this row says.
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        !self.disabled && self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

/// The rows on disk.
#[derive(Clone)]
pub struct ClientAuthExtras {
    database: Database,
}

impl ClientAuthExtras {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("client_auth_extras.db");
        Ok(Self {
            database: Database::open_own(&path, options.wal, SCHEMA)?,
        })
    }

    /// The row of an id, if there is one.
    pub async fn find(&self, id: &ClientAuthId) -> Result<Option<ClientAuthExtra>, StoreError> {
        let id = id.to_string();
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
                    .query_row([id], extra)
                    .optional()
            })
            .await
    }

    /// All rows, in no order.
    pub async fn all(&self) -> Result<Vec<ClientAuthExtra>, StoreError> {
        self.database
            .read(|connection| connection.prepare_cached(SELECT)?.query_map([], extra)?.collect())
            .await
    }

    /// The ids that have expired by `now`.
    pub async fn expired(&self, now: DateTime<Utc>) -> Result<Vec<ClientAuthId>, StoreError> {
        let now = now.timestamp_micros();
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT id FROM client_auth_extras WHERE expires_at <= ?1")?
                    .query_map([now], |row| row.get::<_, String>(0).map(ClientAuthId::from))?
                    .collect()
            })
            .await
    }

    /// Inserts a row or replaces the one with the same id. On disk when it returns.
    pub async fn save(&self, extra: &ClientAuthExtra) -> Result<(), StoreError> {
        let extra = extra.clone();
        self.database
            .write(move |connection| save(connection, &extra))
            .await
    }

    /// Removes the row of an id, if there is one.
    pub async fn delete(&self, id: &ClientAuthId) -> Result<(), StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM client_auth_extras WHERE id = ?1")?
                    .execute([id])
                    .map(drop)
            })
            .await
    }

    /// Notes when ids were last used; rows that are missing are made. One transaction for all.
    pub async fn touch(&self, used: Vec<(ClientAuthId, DateTime<Utc>)>) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                let mut statement = connection.prepare_cached(
                    "INSERT INTO client_auth_extras (id, last_used_at) VALUES (?1, ?2)
                     ON CONFLICT (id) DO UPDATE SET last_used_at = MAX(excluded.last_used_at, COALESCE(last_used_at, 0))",
                )?;
                for (id, at) in &used {
                    statement.execute(params![id.as_str(), at.timestamp_micros()])?;
                }
                Ok(())
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

const SELECT: &str =
    "SELECT id, comment, expires_at, disabled, previous_password, previous_until, created_at,
    updated_at, last_used_at FROM client_auth_extras";

fn save(connection: &Connection, extra: &ClientAuthExtra) -> rusqlite::Result<()> {
    let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
    let (password, until) = match &extra.previous {
        Some((password, until)) => (Some(password.expose()), Some(until.timestamp_micros())),
        None => (None, None),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO client_auth_extras (id, comment, expires_at, disabled, previous_password,
                 previous_until, created_at, updated_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            extra.id.as_str(),
            extra.comment,
            micros(extra.expires_at),
            extra.disabled,
            password,
            until,
            micros(extra.created_at),
            micros(extra.updated_at),
            micros(extra.last_used_at),
        ])?;
    Ok(())
}

fn extra(row: &Row<'_>) -> rusqlite::Result<ClientAuthExtra> {
    // A number that is no time counts as long ago: expired rather than valid for ever.
    let time = |column: usize| -> rusqlite::Result<Option<DateTime<Utc>>> {
        let micros: Option<i64> = row.get(column)?;
        Ok(micros.map(|micros| DateTime::from_timestamp_micros(micros).unwrap_or_default()))
    };
    let password: Option<String> = row.get(4)?;
    Ok(ClientAuthExtra {
        id: ClientAuthId::from(row.get::<_, String>(0)?),
        comment: row.get(1)?,
        expires_at: time(2)?,
        disabled: row.get(3)?,
        previous: password.map(StoredPassword::new).zip(time(5)?),
        created_at: time(6)?,
        updated_at: time(7)?,
        last_used_at: time(8)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn open(directory: &tempfile::TempDir) -> ClientAuthExtras {
        let options = StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        };
        ClientAuthExtras::open(&options).expect("opens")
    }

    fn noon() -> DateTime<Utc> {
        "2024-05-01T12:00:00.123456Z".parse().expect("a time")
    }

    #[tokio::test]
    async fn a_row_comes_back_as_it_was_saved_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let extras = open(&directory);
        let odd = "a/b'; DROP TABLE client_auth_extras; --";
        let mut extra = ClientAuthExtra {
            comment: "the printer\nin room 7".into(),
            expires_at: Some(noon()),
            disabled: true,
            previous: Some((StoredPassword::new("$argon2id$x"), noon())),
            created_at: Some(noon()),
            updated_at: Some(noon()),
            last_used_at: Some(noon()),
            ..ClientAuthExtra::new(odd.into())
        };
        extras.save(&extra).await.expect("saves");
        extras
            .save(&ClientAuthExtra::new("plain".into()))
            .await
            .expect("saves");
        extras.close().await;
        let extras = open(&directory);
        assert_eq!(
            extras.find(&odd.into()).await.expect("reads"),
            Some(extra.clone())
        );
        assert_eq!(extras.all().await.expect("reads").len(), 2);
        extra.previous = None;
        extras.save(&extra).await.expect("saves");
        assert_eq!(extras.find(&odd.into()).await.expect("reads"), Some(extra));
        extras.delete(&odd.into()).await.expect("deletes");
        assert_eq!(extras.find(&odd.into()).await.expect("reads"), None);
    }

    #[tokio::test]
    async fn last_use_makes_rows_keeps_the_rest_and_never_goes_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let extras = open(&directory);
        let known = ClientAuthExtra {
            comment: "kept".into(),
            ..ClientAuthExtra::new("known".into())
        };
        extras.save(&known).await.expect("saves");
        let later = noon() + TimeDelta::seconds(5);
        extras
            .touch(vec![("known".into(), later), ("new".into(), noon())])
            .await
            .expect("saves");
        extras.touch(vec![("known".into(), noon())]).await.expect("saves");
        let known = extras.find(&"known".into()).await.expect("reads").expect("there");
        assert_eq!(
            (known.comment.as_str(), known.last_used_at),
            ("kept", Some(later))
        );
        let new = extras.find(&"new".into()).await.expect("reads").expect("made");
        assert_eq!(new.last_used_at, Some(noon()));
    }

    #[tokio::test]
    async fn expired_ids_are_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let extras = open(&directory);
        for (id, seconds) in [
            ("past", Some(-1)),
            ("now", Some(0)),
            ("future", Some(1)),
            ("never", None),
        ] {
            let expires_at = seconds.map(|seconds| noon() + TimeDelta::seconds(seconds));
            let extra = ClientAuthExtra {
                expires_at,
                ..ClientAuthExtra::new(id.into())
            };
            extras.save(&extra).await.expect("saves");
            assert_eq!(extra.is_usable(noon()), !matches!(id, "past" | "now"), "{id}");
        }
        let mut ids = extras.expired(noon()).await.expect("reads");
        ids.sort();
        assert_eq!(ids, ["now".into(), "past".into()]);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_program_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        open(&directory).close().await;
        let path = directory.path().join("client_auth_extras.db");
        let file = Connection::open(&path).expect("opens");
        file.execute_batch("PRAGMA user_version = 99").expect("sets");
        let options = StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        };
        let error = ClientAuthExtras::open(&options)
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("newer than this program knows (1)"), "{error}");
    }
}
