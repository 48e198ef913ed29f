//! What to do when the table is not as it has to be.

use super::TableError;

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
