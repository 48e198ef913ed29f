//! Why a database of the operator did not do as it was asked.

/// A failure of the operator's tables. No variant carries a password.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// This id or name exists already.
    #[error("{0:?} exists already")]
    Exists(String),
    /// This id or name does not exist.
    #[error("{0:?} does not exist")]
    Missing(String),
    /// The table cannot hold the value, for instance because a column is too narrow.
    #[error("{0}")]
    Unfit(String),
    /// There is no such table.
    #[error("{0}")]
    NoTable(String),
    /// The table has no such column.
    #[error("{0}")]
    NoColumn(String),
    /// The database does not answer at present.
    #[error("{0}")]
    Unavailable(String),
    /// The database answers, and with an error; or a name in the configuration makes no sense.
    #[error("{0}")]
    Failed(String),
}

/// Errors of the driver, not of the server: nearly always a connection that broke or was never made.
pub(crate) fn without_number(error: &sqlx::Error) -> TableError {
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
