//! One step of a transaction.

use super::TableError;

/// A statement that changes something, and what follows from its outcome.
pub(crate) struct Statement {
    /// Each `?` stands for a parameter.
    pub(crate) sql: String,
    pub(crate) parameters: Vec<String>,
    /// What it means when no row was there to be changed.
    none: None,
    /// What it means when a row of that name is there already.
    duplicate: Option<TableError>,
}

enum None {
    Fine,
    Wrong(TableError),
    Instead(Box<Statement>),
}

impl Statement {
    pub(crate) fn new<'a>(sql: String, parameters: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            sql,
            parameters: parameters.into_iter().map(str::to_owned).collect(),
            none: None::Fine,
            duplicate: Option::None,
        }
    }

    /// The transaction fails when no row was changed.
    pub(crate) fn or_fail(mut self, error: TableError) -> Self {
        self.none = None::Wrong(error);
        self
    }

    /// Another statement is run when no row was changed.
    pub(crate) fn or_else(mut self, other: Self) -> Self {
        self.none = None::Instead(Box::new(other));
        self
    }

    /// The transaction fails with this when a unique index refuses the row.
    pub(crate) fn if_duplicate(mut self, error: TableError) -> Self {
        self.duplicate = Some(error);
        self
    }

    /// What to do next after so many rows were changed.
    pub(super) fn done(self, rows: u64) -> Result<Option<Self>, TableError> {
        match self.none {
            None::Wrong(error) if rows == 0 => Err(error),
            None::Instead(other) if rows == 0 => Ok(Some(*other)),
            _ => Ok(Option::None),
        }
    }

    /// The error of a row that a unique index refused.
    pub(super) fn refused(self, other: impl FnOnce() -> TableError) -> TableError {
        self.duplicate.unwrap_or_else(other)
    }
}
