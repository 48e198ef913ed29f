//! The name of a table, checked and quoted.

use std::fmt;

use super::{DatabaseOptions, TableError};

/// MySQL allows 64 characters, PostgreSQL 63.
const LIMIT: usize = 63;

/// A table's name, with or without its schema. Only letters, digits, `_`, `-` and `$`, so that quoting is safe in
/// every database.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    parts: Vec<String>,
    quote: char,
}

impl Table {
    /// `setting` says in messages where the name was read.
    pub(crate) fn parse(name: &str, database: &DatabaseOptions, setting: &str) -> Result<Self, TableError> {
        let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
        let sound = |part: &String| {
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
            !part.is_empty() && part.len() <= LIMIT && part.chars().all(fits)
        };
        if parts.len() > 2 || !parts.iter().all(sound) {
            return Err(TableError::Failed(format!(
                "invalid {setting}: expected a name of letters, digits and _, optionally with the schema and a dot in front, got {name:?}"
            )));
        }
        let quote = if matches!(database, DatabaseOptions::MySql(_)) {
            '`'
        } else {
            '"'
        };
        Ok(Self { parts, quote })
    }

    /// The name for use in SQL.
    pub(crate) fn quoted(&self) -> String {
        let quote = self.quote;
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| format!("{quote}{part}{quote}"))
            .collect();
        parts.join(".")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn only_harmless_names_pass() {
        let sqlite = DatabaseOptions::Sqlite(PathBuf::new());
        let quoted = |name: &str| {
            Table::parse(name, &sqlite, "'auth_table' in [server]")
                .map(|table| table.quoted())
                .ok()
        };
        assert_eq!(quoted("clients_auth").as_deref(), Some("\"clients_auth\""));
        assert_eq!(
            quoted("rport.clients-auth").as_deref(),
            Some("\"rport\".\"clients-auth\"")
        );
        let long = "x".repeat(64);
        for bad in [
            "",
            ".",
            "a.",
            "a.b.c",
            "a b",
            "a\"b",
            "a`b",
            "a;b",
            "a'b",
            "a\0",
            long.as_str(),
        ] {
            assert_eq!(quoted(bad), None, "{bad}");
        }
    }
}
