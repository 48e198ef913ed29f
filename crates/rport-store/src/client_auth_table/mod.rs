//! Credentials in a table of a database the operator owns. Source: storage.md 6, config.md 3.4.
//!
//! One [`Backend`] per kind of database runs the few statements, all of them prepared; this file is what they have in
//! common. The table is the operator's: two columns, made by hand or on demand, and other programs may write to it at
//! any time, so nothing of it is remembered here.

mod advice;
mod mysql;
mod postgres;
mod sqlite;

use std::sync::Arc;

use rport_domain::{ClientAuthId, StoredPassword};
use rport_runtime::Tasks;

use crate::operator_db::names::Table;
use crate::operator_db::{
    Answer, BULK_LIMIT, DatabaseOptions, DatabaseServer, QUERY_LIMIT, TableError, place, within,
};

/// Where the name of the table is read.
const SETTING: &str = "'auth_table' in [server]";

/// A row.
type Pair = (ClientAuthId, StoredPassword);

/// One change of the table.
#[derive(Debug, Clone)]
pub enum TableChange {
    /// Adds a pair whose id does not exist.
    Insert(ClientAuthId, StoredPassword),
    /// Replaces the password of an id that exists.
    Replace(ClientAuthId, StoredPassword),
    /// Removes an id that exists.
    Delete(ClientAuthId),
}

/// What a check found in a sound table.
#[derive(Debug, Default)]
pub struct TableFindings {
    /// The id of a row without id or password; may be empty.
    pub incomplete: Option<String>,
    /// A value that may be a hash.
    pub example: Option<String>,
}

/// The table. Cheap to clone.
#[derive(Clone)]
pub struct ClientAuthTable {
    backend: Arc<dyn Backend>,
    place: Arc<str>,
    tasks: Tasks,
}

/// One kind of database. Ids are compared by the caller: what the database takes for equal may differ in case.
trait Backend: Send + Sync {
    /// Rows the database takes for this id; a few at most.
    fn find<'a>(&'a self, id: &'a str) -> Answer<'a, Vec<Pair>>;
    /// All rows, without those that have no id or password.
    fn all(&self) -> Answer<'_, Vec<Pair>>;
    /// Makes all changes in one transaction.
    fn change(&self, changes: Vec<TableChange>) -> Answer<'_, ()>;
    /// Looks at server, table and columns, and for rows that make no sense. Errors say what to do.
    fn check(&self) -> Answer<'_, TableFindings>;
    /// Creates the table if it is missing.
    fn create(&self) -> Answer<'_, ()>;
}

impl ClientAuthTable {
    /// Prepares access; nothing is connected yet.
    ///
    /// # Errors
    /// `Failed` when the name of the table or the host makes no sense.
    pub fn new(database: &DatabaseOptions, table: &str, tasks: &Tasks) -> Result<Self, TableError> {
        let table = Table::parse(table, database, SETTING)?;
        let backend: Arc<dyn Backend> = match database {
            DatabaseOptions::Sqlite(path) => Arc::new(sqlite::Sqlite::new(path, &table, tasks)),
            DatabaseOptions::MySql(server) => Arc::new(mysql::MySql::new(server, &table)?),
            DatabaseOptions::Postgres(server) => Arc::new(postgres::Postgres::new(server, &table)?),
        };
        Ok(Self {
            backend,
            place: place(database, &table).into(),
            tasks: tasks.clone(),
        })
    }

    /// How messages call the table. Never contains the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The password that stands at exactly this id, byte for byte. An id that stands there twice has none: nobody can
    /// say which of the two was meant.
    ///
    /// # Errors
    /// `Unavailable`, also after 5 s without an answer; `Failed`.
    pub async fn find(&self, id: &str) -> Result<Option<StoredPassword>, TableError> {
        let rows = within(QUERY_LIMIT, self.backend.find(id)).await?;
        let mut exact = rows.into_iter().filter(|(found, _)| found.as_str() == id);
        let found = exact.next();
        if exact.next().is_some() {
            tracing::error!(
                client_auth.id = id,
                table = self.place(),
                "this id stands twice in the table"
            );
            return Ok(None);
        }
        Ok(found.map(|(_, stored)| stored))
    }

    /// All rows that have an id and a password, in no order.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn all(&self) -> Result<Vec<Pair>, TableError> {
        within(BULK_LIMIT, self.backend.all()).await
    }

    /// Makes all changes or none. What has begun is done even if the caller goes away.
    ///
    /// # Errors
    /// `Exists` or `Missing` naming the first id in the way; `Unfit`, `Unavailable`, `Failed`. After `Unavailable` the
    /// changes may have been made all the same, if the connection broke before the answer came.
    pub async fn change(&self, changes: Vec<TableChange>) -> Result<(), TableError> {
        let limit = if changes.len() > 1 {
            BULK_LIMIT
        } else {
            QUERY_LIMIT
        };
        // A task of its own: a caller that hangs up must not leave the transaction half told.
        let backend = self.backend.clone();
        let work = self.tasks.spawn("client_auth_table", async move {
            within(limit, backend.change(changes)).await
        });
        work.await
            .unwrap_or_else(|_| Err(TableError::Unavailable("the server is stopping".into())))
    }

    /// Looks at server, table and columns, and for rows that make no sense.
    ///
    /// # Errors
    /// `Unavailable`; `Failed` with what to do, the SQL of a sound table included.
    pub async fn check(&self) -> Result<TableFindings, TableError> {
        within(BULK_LIMIT, self.backend.check()).await
    }

    /// Creates the table if it is missing.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn create(&self) -> Result<(), TableError> {
        within(BULK_LIMIT, self.backend.create()).await
    }
}

/// Rows that have an id and a password.
fn sound(rows: Vec<(Option<String>, Option<String>)>) -> Vec<Pair> {
    let pairs = rows.into_iter().filter_map(|(id, password)| id.zip(password));
    pairs
        .filter(|(id, password)| !id.is_empty() && !password.is_empty())
        .map(|(id, password)| (id.into(), StoredPassword::new(password)))
        .collect()
}
