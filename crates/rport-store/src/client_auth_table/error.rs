//! Why a table did not do as it was asked.

use rport_domain::ClientAuthId;

/// A failure of the operator's table. No variant carries a password.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The id exists already.
    #[error("client auth id {0:?} exists already")]
    Exists(ClientAuthId),
    /// The id does not exist.
    #[error("client auth id {0:?} does not exist")]
    Missing(ClientAuthId),
    /// The table cannot hold the value, for instance because a column is too narrow.
    #[error("{0}")]
    Unfit(String),
    /// The database does not answer at present.
    #[error("{0}")]
    Unavailable(String),
    /// The database answers, and with an error; or a name in the configuration makes no sense.
    #[error("{0}")]
    Failed(String),
}

/// Errors of the driver, not of the server: nearly always a connection that broke or was never made.
pub(super) fn without_number(error: &sqlx::Error) -> TableError {
    use sqlx::Error;
    match error {
        Error::PoolTimedOut => {
            let seconds = super::CONNECT_LIMIT.as_secs();
            TableError::Unavailable(format!("no connection within {seconds} s"))
        }
        Error::ColumnDecode { .. } | Error::Decode(_) => {
            TableError::Failed("a row of the table is not made of texts".into())
        }
        error => TableError::Unavailable(error.to_string()),
    }
}

/// The advice of every check that finds no table.
pub(super) fn missing_table(sql: &str) -> TableError {
    TableError::Failed(format!(
        "the table does not exist; create it with `rportd db create`, or with this SQL: {sql}"
    ))
}

/// The advice of every check that does not find the columns.
pub(super) fn missing_column(problem: &str, sql: &str) -> TableError {
    TableError::Failed(format!(
        "the columns `id` and `password` are needed: {problem}; a table made with this SQL has them: {sql}"
    ))
}
