//! Credentials in a table of a database the operator owns, see [`ClientAuthTable`].
//!
//! The database may come and go: then logins are refused, connected agents stay, and the log says once that it went
//! and once that it is back.

use std::sync::atomic::{AtomicBool, Ordering};

use rport_domain::StoredPassword;
use rport_runtime::Tasks;
use rport_store::{ClientAuthTable, DatabaseOptions, TableChange, TableError};

use super::provider::{Answer, Change, Pair, Provider, ProviderError};
use crate::error::StartError;

pub(crate) struct TableSource {
    table: ClientAuthTable,
    example: Option<StoredPassword>,
    down: AtomicBool,
}

impl TableSource {
    /// Connects and checks the table.
    ///
    /// # Errors
    /// What is wrong, as one line that names the database and the table and what to do.
    pub(crate) async fn open(
        database: &DatabaseOptions,
        name: &str,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let table = ClientAuthTable::new(database, name, tasks)
            .map_err(|error| StartError::Database(error.to_string()))?;
        let problem =
            |text: &dyn std::fmt::Display| StartError::Database(format!("{}: {text}", table.place()));
        let findings = table.check().await.map_err(|error| match error {
            TableError::Unavailable(_) => problem(&format_args!("{error}; see [database]")),
            _ => problem(&error),
        })?;
        if let Some(id) = findings.incomplete {
            let text =
                format_args!("the row with id {id:?} has an empty id or password; complete it or delete it");
            return Err(problem(&text));
        }
        let example = findings
            .example
            .map(StoredPassword::new)
            .filter(StoredPassword::is_hashed);
        Ok(Self {
            table,
            example,
            down: AtomicBool::new(false),
        })
    }

    /// Creates the table if it is missing, and checks it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn create(
        database: &DatabaseOptions,
        name: &str,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        let table = ClientAuthTable::new(database, name, tasks)
            .map_err(|error| StartError::Database(error.to_string()))?;
        let created = table.create().await;
        created.map_err(|error| StartError::Database(format!("{}: {error}", table.place())))?;
        Self::open(database, name, tasks).await.map(drop)
    }

    /// Learns from an answer whether there is an outage, and says so once.
    fn noted<T>(&self, answer: Result<T, TableError>) -> Result<T, ProviderError> {
        let table = self.table.place();
        match &answer {
            Err(TableError::Unavailable(cause)) if !self.down.swap(true, Ordering::Relaxed) => {
                tracing::error!(
                    table,
                    cause,
                    "client auth database unavailable, new logins are refused; connected agents stay"
                );
            }
            Err(TableError::NoTable(cause) | TableError::NoColumn(cause) | TableError::Failed(cause)) => {
                tracing::error!(table, cause, "client auth database refused a statement");
            }
            Ok(_) if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) => {
                tracing::info!(table, "client auth database available again");
            }
            _ => {}
        }
        answer.map_err(Into::into)
    }
}

impl Provider for TableSource {
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>> {
        Box::pin(async move { self.noted(self.table.find(id).await) })
    }

    fn list(&self) -> Answer<'_, Vec<Pair>> {
        Box::pin(async move { self.noted(self.table.all().await) })
    }

    fn change(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        let changes = changes.into_iter().map(|change| match change {
            Change::Insert(id, stored) => TableChange::Insert(id, stored),
            Change::Replace(id, stored) => TableChange::Replace(id, stored),
            Change::Delete(id) => TableChange::Delete(id),
        });
        let changes = changes.collect();
        Box::pin(async move { self.noted(self.table.change(changes).await) })
    }

    fn example_hash(&self) -> Option<StoredPassword> {
        self.example.clone()
    }

    fn source_name(&self) -> &'static str {
        "DB"
    }
}

impl From<TableError> for ProviderError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Exists(id) => Self::Exists(id.into()),
            TableError::Missing(id) => Self::Missing(id.into()),
            TableError::Unfit(text) => Self::Unfit(text),
            TableError::Unavailable(text) => Self::Unavailable(text),
            TableError::NoTable(text) | TableError::NoColumn(text) | TableError::Failed(text) => {
                Self::Failed(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str =
        "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL)";

    fn database(sql: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("database.sqlite3");
        rusqlite::Connection::open(&path)
            .expect("opens")
            .execute_batch(sql)
            .expect("valid");
        (folder, path)
    }

    async fn open(path: &std::path::Path) -> Result<TableSource, StartError> {
        TableSource::open(
            &DatabaseOptions::Sqlite(path.to_owned()),
            "clients_auth",
            &Tasks::new(),
        )
        .await
    }

    #[tokio::test]
    async fn an_outage_begins_and_ends_once() {
        let (folder, path) = database(CREATE);
        let source = open(&path).await.expect("sound");
        let away = folder.path().join("away");
        std::fs::rename(&path, &away).expect("moves");
        for _ in 0..3 {
            assert!(matches!(
                source.lookup("a").await,
                Err(ProviderError::Unavailable(_))
            ));
            assert!(source.down.load(Ordering::Relaxed));
        }
        std::fs::rename(&away, &path).expect("moves back");
        assert!(matches!(
            source.change(vec![Change::Delete("a".into())]).await,
            Err(ProviderError::Missing(_))
        ));
        assert!(
            source.down.load(Ordering::Relaxed),
            "only an answer ends it for sure"
        );
        assert!(source.lookup("a").await.expect("answers").is_none());
        assert!(!source.down.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_bad_table_stops_the_start_with_one_clear_line() {
        let (_folder, path) = database("");
        let error = open(&path).await.err().expect("refused").to_string();
        for part in [
            "database.sqlite3, table clients_auth: ",
            "does not exist",
            "rportd db create",
            "CREATE TABLE",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let (_folder, path) = database(&format!(
            "{CREATE}; INSERT INTO clients_auth VALUES ('broken', '')"
        ));
        let error = open(&path).await.err().expect("refused").to_string();
        assert!(
            error.contains("\"broken\"") && error.contains("empty id or password"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_table_is_created_on_demand() {
        let (_folder, path) = database("");
        let sqlite = DatabaseOptions::Sqlite(path.clone());
        TableSource::create(&sqlite, "clients_auth", &Tasks::new())
            .await
            .expect("creates");
        let change = Change::Insert("client".into(), StoredPassword::new("1234"));
        open(&path)
            .await
            .expect("sound")
            .change(vec![change])
            .await
            .expect("adds");
        TableSource::create(&sqlite, "clients_auth", &Tasks::new())
            .await
            .expect("is there");
        assert_eq!(
            open(&path)
                .await
                .expect("sound")
                .list()
                .await
                .expect("lists")
                .len(),
            1
        );
        let error = TableSource::create(&sqlite, "a; b", &Tasks::new())
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.contains("'auth_table' in [server]"), "{error}");
    }
}
