//! What the three kinds of database write differently.

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    MySql,
    Postgres,
}

impl Dialect {
    /// A column's name in quotes; `group` is a word of SQL. `column` is one of our own constants.
    pub(crate) fn column(self, column: &str) -> String {
        match self {
            Self::MySql => format!("`{column}`"),
            Self::Sqlite | Self::Postgres => format!("\"{column}\""),
        }
    }

    /// A column as text, whatever its type and character set.
    pub(crate) fn text(self, column: &str) -> String {
        let column = self.column(column);
        match self {
            // Blobs and numbers may stand in any column.
            Self::Sqlite => format!("CAST(t.{column} AS TEXT)"),
            Self::MySql => format!("CONVERT(t.{column} USING utf8mb4)"),
            Self::Postgres => format!("t.{column}::text"),
        }
    }

    /// A condition that holds for exactly this value, byte for byte, although a collation may take `a` for `A` or
    /// ignore blanks at the end; an index can be used all the same. It takes the value twice.
    pub(crate) fn exactly(self, column: &str) -> String {
        let column = self.column(column);
        match self {
            Self::Sqlite => format!("{column} = ? AND CAST({column} AS BLOB) = CAST(? AS BLOB)"),
            Self::MySql => format!(
                "{column} = ? AND CAST(CONVERT({column} USING utf8mb4) AS BINARY) = CAST(? AS BINARY)"
            ),
            Self::Postgres => format!("{column} = ? AND {column}::text COLLATE \"C\" = ?::text"),
        }
    }

    /// The type of a text without limit.
    pub(crate) fn long_text(self) -> &'static str {
        match self {
            Self::MySql => "longtext",
            Self::Sqlite | Self::Postgres => "text",
        }
    }
}
