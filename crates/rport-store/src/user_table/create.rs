//! Looking at the tables, and making them. Source: storage.md 6.

use super::details::RESTRICTIONS;
use super::{Inner, UserTableNames, run};
use crate::operator_db::names::Table;
use crate::operator_db::{Statement, TableError};

impl Inner {
    /// Looks for everything that is needed and notes which of the rest is there.
    pub(super) async fn check(&mut self, names: &UserTableNames) -> Result<(), TableError> {
        let users = self.users.clone();
        let mut needed = vec!["username", "password", "password_expired"];
        needed.extend(names.two_fa_send_to.then_some("two_fa_send_to"));
        needed.extend(names.totp_secret.then_some("totp_secret"));
        self.need(&users, &needed, &self.create_users()).await?;
        self.need(&self.groups, &["username", "group"], &self.create_groups())
            .await?;
        if let Some(details) = &self.details {
            self.need(details, &["name", "permissions"], &self.create_details(details))
                .await?;
            self.columns.restrictions = self.has(details, &RESTRICTIONS).await?;
        }
        // Used where it is there: what somebody put into it is not to be lost from sight.
        self.columns.two_fa_send_to = self.has(&users, &["two_fa_send_to"]).await?;
        self.columns.totp_secret = self.has(&users, &["totp_secret"]).await?;
        Ok(())
    }

    pub(super) async fn create(&self) -> Result<(), TableError> {
        let mut all = vec![self.create_users(), self.create_groups()];
        all.extend(self.details.as_ref().map(|details| self.create_details(details)));
        for sql in all {
            let sql = sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
            run(self.database.change(vec![Statement::new(sql, [])])).await?;
        }
        Ok(())
    }

    async fn look(&self, table: &Table, columns: &[&str]) -> Result<(), TableError> {
        let dialect = self.database.dialect();
        // Behind a name and a dot, SQLite does not take a quoted word that is no column for a text.
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("t.{}", dialect.column(column)))
            .collect();
        let sql = format!("SELECT {} FROM {} t LIMIT 0", columns.join(", "), table.quoted());
        run(self.database.rows(sql, Vec::new())).await.map(drop)
    }

    async fn need(&self, table: &Table, columns: &[&str], create: &str) -> Result<(), TableError> {
        let problem = match self.look(table, columns).await {
            Err(TableError::NoTable(_)) => format!(
                "the table {table} does not exist; create it with `rportd db create`, or with this SQL: {create}"
            ),
            Err(TableError::NoColumn(text)) => {
                let columns = columns.join("`, `");
                format!(
                    "the table {table} needs the columns `{columns}`: {text}; a table made with this SQL has them: {create}"
                )
            }
            other => return other,
        };
        Err(TableError::Failed(problem))
    }

    async fn has(&self, table: &Table, columns: &[&str]) -> Result<bool, TableError> {
        match self.look(table, columns).await {
            Ok(()) => Ok(true),
            Err(TableError::NoColumn(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_users(&self) -> String {
        let dialect = self.database.dialect();
        let column = |name| dialect.column(name);
        format!(
            "CREATE TABLE {} ({} varchar(150) NOT NULL UNIQUE, {} varchar(255) NOT NULL, {} boolean NOT NULL DEFAULT FALSE, {} varchar(150), {} {});",
            self.users.quoted(),
            column("username"),
            column("password"),
            column("password_expired"),
            column("two_fa_send_to"),
            column("totp_secret"),
            dialect.long_text()
        )
    }

    fn create_groups(&self) -> String {
        let dialect = self.database.dialect();
        let (username, group) = (dialect.column("username"), dialect.column("group"));
        format!(
            "CREATE TABLE {} ({username} varchar(150) NOT NULL, {group} varchar(150) NOT NULL, UNIQUE ({username}, {group}));",
            self.groups.quoted()
        )
    }

    fn create_details(&self, table: &Table) -> String {
        let dialect = self.database.dialect();
        // No more columns: the Go server without its plugin fails on any it does not know.
        format!(
            "CREATE TABLE {} ({} varchar(150) NOT NULL UNIQUE, {} {});",
            table.quoted(),
            dialect.column("name"),
            dialect.column("permissions"),
            dialect.long_text()
        )
    }
}
