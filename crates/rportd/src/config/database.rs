//! `[database]`: the database of users and client auth that the admin owns.

use rport_runtime::{Secret, toml_config::Document};

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSection {
    /// `mysql`, `sqlite`, `postgres` or empty for none.
    pub db_type: String,
    /// `host:port`, or `socket:/path`.
    pub db_host: String,
    /// User of the database server.
    pub db_user: String,
    /// Its password.
    pub db_password: Secret,
    /// Name of the database, or file of SQLite.
    pub db_name: String,
}

impl DatabaseSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("database");
        Self {
            db_type: section.string("db_type", ""),
            db_host: section.string("db_host", ""),
            db_user: section.string("db_user", ""),
            db_password: section.secret("db_password"),
            db_name: section.string("db_name", ""),
        }
    }

    pub(super) fn check(&self, document: &Document) {
        match self.db_type.as_str() {
            "" | "mysql" | "sqlite" | "postgres" => {}
            other => document.error(
                "database.db_type",
                format!("invalid 'db_type', expected 'mysql' or 'sqlite', got {other:?}; 'postgres' is allowed too"),
            ),
        }
    }
}
