//! Users in tables of a database the operator owns. Source: storage.md 6.
//!
//! The tables are the operator's: made by hand or on demand, and other programs may write to them at any time, so
//! nothing of them is remembered here. Columns nobody asked for stay untouched.

mod create;
mod details;
mod options;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use rport_domain::{User, UserChange, UserGroup, UserName};
use rport_runtime::Tasks;

pub use self::options::UserTableNames;
use crate::operator_db::names::Table;
use crate::operator_db::{
    Answer, BULK_LIMIT, Database, DatabaseOptions, QUERY_LIMIT, Row, Statement, TableError, database, place,
    within,
};

const USERS: &str = "'auth_user_table' in [api]";
const GROUPS: &str = "'auth_group_table' in [api]";
const DETAILS: &str = "'auth_group_details_table' in [api]";

/// What the Go server writes for a secret that was deleted.
const NO_SECRET: &str = " ";

/// The tables of users. Cheap to clone.
#[derive(Clone)]
pub struct UserTable {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<dyn Database>,
    users: Table,
    groups: Table,
    details: Option<Table>,
    columns: Columns,
    place: String,
    tasks: Tasks,
}

/// Which of the columns that may be missing are there.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    two_fa_send_to: bool,
    totp_secret: bool,
    restrictions: bool,
}

impl UserTable {
    /// Connects and looks whether all tables and columns are there.
    ///
    /// # Errors
    /// `Unavailable`; `Failed` with what is missing and the SQL that makes it, or when a name or the host makes no
    /// sense.
    pub async fn open(
        options: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<Self, TableError> {
        let mut inner = Inner::new(options, names, tasks)?;
        inner.check(names).await?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Creates the tables that are missing.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn create(
        options: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<(), TableError> {
        Inner::new(options, names, tasks)?.create().await
    }

    /// How messages call the table of users. Never contains the password.
    pub fn place(&self) -> &str {
        &self.inner.place
    }

    /// Whether there is a table of what groups grant.
    pub fn has_details(&self) -> bool {
        self.inner.details.is_some()
    }

    /// The user with exactly this name, byte for byte. A name that stands there twice is nobody's: nobody can say
    /// which of the two was meant.
    ///
    /// # Errors
    /// `Unavailable`, also after 5 s without an answer; `Failed`.
    pub async fn find(&self, name: &UserName) -> Result<Option<User>, TableError> {
        let inner = &self.inner;
        if name.as_str().contains('\0') {
            return Ok(None);
        }
        let dialect = inner.database.dialect();
        let parameter = || vec![name.to_string()];
        let users = format!(
            "{} WHERE t.{} = ? LIMIT 8",
            inner.select_users(),
            dialect.column("username")
        );
        let groups = format!(
            "{} WHERE t.{} = ?",
            inner.select_groups(),
            dialect.column("username")
        );
        let found = within(
            QUERY_LIMIT,
            Box::pin(async {
                tokio::try_join!(
                    inner.database.rows(users, parameter()),
                    inner.database.rows(groups, parameter())
                )
            }),
        );
        let (users, groups) = match found.await {
            // The database has no way to write this name, so it is not there.
            Err(TableError::Unfit(_)) => return Ok(None),
            found => found?,
        };
        let mut exact = users
            .into_iter()
            .filter_map(|row| inner.user(row))
            .filter(|user| user.name == *name);
        let Some(mut user) = exact.next() else {
            return Ok(None);
        };
        if exact.next().is_some() {
            tracing::error!(user.name = %name, table = self.place(), "this user stands twice in the table");
            return Ok(None);
        }
        user.groups = groups
            .into_iter()
            .filter_map(pair)
            .filter(|(member, _)| member == name.as_str())
            .map(|(_, group)| group)
            .collect();
        user.groups.sort();
        Ok(Some(user))
    }

    /// All users, by name. Rows without a name are left out.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn all(&self) -> Result<Vec<User>, TableError> {
        let inner = &self.inner;
        let work = async {
            tokio::try_join!(
                inner.database.rows(inner.select_users(), Vec::new()),
                inner.database.rows(inner.select_groups(), Vec::new())
            )
        };
        let (users, groups) = within(BULK_LIMIT, Box::pin(work)).await?;
        let mut members: HashMap<String, Vec<String>> = HashMap::new();
        for (member, group) in groups.into_iter().filter_map(pair) {
            members.entry(member).or_default().push(group);
        }
        let mut users: Vec<User> = users
            .into_iter()
            .filter_map(|row| inner.user(row))
            .map(|mut user| {
                user.groups = members.get(user.name.as_str()).cloned().unwrap_or_default();
                user.groups.sort();
                user
            })
            .collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// Adds a user and the user's memberships.
    ///
    /// # Errors
    /// `Exists`; `Unfit`, `Unavailable`, `Failed`.
    pub async fn add(&self, user: &User) -> Result<(), TableError> {
        let inner = &self.inner;
        let dialect = inner.database.dialect();
        let mut columns = vec![dialect.column("username"), dialect.column("password")];
        let mut values = vec![user.name.as_str(), user.password_hash.as_str()];
        if inner.columns.two_fa_send_to {
            columns.push(dialect.column("two_fa_send_to"));
            values.push(&user.two_fa_send_to);
        }
        if inner.columns.totp_secret {
            columns.push(dialect.column("totp_secret"));
            values.push(&user.totp_secret);
        }
        let sql = format!(
            "INSERT INTO {} ({}, {}) VALUES ({}, {})",
            inner.users.quoted(),
            columns.join(", "),
            dialect.column("password_expired"),
            vec!["?"; columns.len()].join(", "),
            flag(user.password_expired),
        );
        let exists = TableError::Exists(user.name.to_string());
        let mut statements = vec![Statement::new(sql, values).if_duplicate(exists)];
        // Memberships somebody left behind are not the new user's.
        statements.push(inner.without_groups(&user.name));
        statements.extend(inner.with_groups(&user.name, &user.groups));
        self.change_tables(statements).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// `Missing`; `Exists` for a new name that is taken; `Unfit`, `Unavailable`, `Failed`.
    pub async fn change(&self, name: &UserName, change: &UserChange) -> Result<(), TableError> {
        let inner = &self.inner;
        let dialect = inner.database.dialect();
        let new_name = change.name.as_ref().unwrap_or(name);
        // The name is always set, so that the server says whether the user is there.
        let mut sets = vec![format!("{} = ?", dialect.column("username"))];
        let mut values = vec![new_name.as_str()];
        let mut set = |column: &str, value| {
            sets.push(format!("{} = ?", dialect.column(column)));
            values.push(value);
        };
        if let Some(hash) = &change.password_hash {
            set("password", hash);
        }
        if let Some(send_to) = change
            .two_fa_send_to
            .as_ref()
            .filter(|_| inner.columns.two_fa_send_to)
        {
            set("two_fa_send_to", send_to);
        }
        if let Some(secret) = change.totp_secret.as_ref().filter(|_| inner.columns.totp_secret) {
            set("totp_secret", if secret.is_empty() { NO_SECRET } else { secret });
        }
        if let Some(expired) = change.password_expired {
            sets.push(format!(
                "{} = {}",
                dialect.column("password_expired"),
                flag(expired)
            ));
        }
        values.extend([name.as_str(), name.as_str()]);
        let users = inner.users.quoted();
        let sql = format!(
            "UPDATE {users} SET {} WHERE {}",
            sets.join(", "),
            dialect.exactly("username")
        );
        let mut statements = vec![
            Statement::new(sql, values)
                .or_fail(TableError::Missing(name.to_string()))
                .if_duplicate(TableError::Exists(new_name.to_string())),
        ];
        if let Some(groups) = &change.groups {
            statements.push(inner.without_groups(name));
            statements.push(inner.without_groups(new_name));
            statements.extend(inner.with_groups(new_name, groups));
        } else if new_name != name {
            statements.push(inner.without_groups(new_name));
            let sql = format!(
                "UPDATE {} SET {} = ? WHERE {}",
                inner.groups.quoted(),
                dialect.column("username"),
                dialect.exactly("username")
            );
            let values = [new_name.as_str(), name.as_str(), name.as_str()];
            statements.push(Statement::new(sql, values));
        }
        self.change_tables(statements).await
    }

    /// Removes a user and the user's memberships.
    ///
    /// # Errors
    /// `Missing`; `Unavailable`, `Failed`.
    pub async fn delete(&self, name: &UserName) -> Result<(), TableError> {
        let inner = &self.inner;
        let exactly = inner.database.dialect().exactly("username");
        let sql = format!("DELETE FROM {} WHERE {exactly}", inner.users.quoted());
        let user = Statement::new(sql, [name.as_str(), name.as_str()])
            .or_fail(TableError::Missing(name.to_string()));
        self.change_tables(vec![user, inner.without_groups(name)]).await
    }

    /// What groups grant, by name; empty without a table for it.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn details(&self) -> Result<Vec<UserGroup>, TableError> {
        let inner = &self.inner;
        let Some(sql) = inner.select_details() else {
            return Ok(Vec::new());
        };
        let rows = within(BULK_LIMIT, inner.database.rows(sql, Vec::new())).await?;
        let mut groups: Vec<UserGroup> = rows.into_iter().filter_map(details::group).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    /// The names of all groups that have members, sorted.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn groups_with_members(&self) -> Result<Vec<String>, TableError> {
        let inner = &self.inner;
        let rows = within(BULK_LIMIT, inner.database.rows(inner.select_groups(), Vec::new()));
        let mut names: Vec<String> = rows
            .await?
            .into_iter()
            .filter_map(pair)
            .map(|(_, group)| group)
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Adds a group or replaces what it grants.
    ///
    /// # Errors
    /// `Failed` without a table for it, `Unfit` when it has restrictions and the table no columns for them;
    /// `Unavailable`.
    pub async fn put_group(&self, group: &UserGroup) -> Result<(), TableError> {
        let statement = self.inner.put_details(group)?;
        self.change_tables(vec![statement]).await
    }

    /// Removes a group: what it grants, and all memberships.
    ///
    /// # Errors
    /// `Unavailable`, `Failed`.
    pub async fn delete_group(&self, name: &str) -> Result<(), TableError> {
        let inner = &self.inner;
        let dialect = inner.database.dialect();
        let delete = |table: &Table, column: &str| {
            let sql = format!("DELETE FROM {} WHERE {}", table.quoted(), dialect.exactly(column));
            Statement::new(sql, [name, name])
        };
        let mut statements = vec![delete(&inner.groups, "group")];
        statements.extend(inner.details.as_ref().map(|table| delete(table, "name")));
        self.change_tables(statements).await
    }

    /// What has begun is done even if the caller goes away.
    async fn change_tables(&self, statements: Vec<Statement>) -> Result<(), TableError> {
        let inner = self.inner.clone();
        let work = self.inner.tasks.spawn("user_table", async move {
            within(QUERY_LIMIT, inner.database.change(statements)).await
        });
        work.await
            .unwrap_or_else(|_| Err(TableError::Unavailable("the server is stopping".into())))
    }
}

impl Inner {
    fn new(options: &DatabaseOptions, names: &UserTableNames, tasks: &Tasks) -> Result<Self, TableError> {
        let users = Table::parse(&names.users, options, USERS)?;
        let details = names.details.as_ref();
        Ok(Self {
            database: database(options, tasks)?,
            groups: Table::parse(&names.groups, options, GROUPS)?,
            details: details
                .map(|name| Table::parse(name, options, DETAILS))
                .transpose()?,
            columns: Columns::default(),
            place: place(options, &users),
            users,
            tasks: tasks.clone(),
        })
    }

    fn select_users(&self) -> String {
        let dialect = self.database.dialect();
        let mut columns = vec!["username", "password", "password_expired"];
        columns.extend(self.columns.two_fa_send_to.then_some("two_fa_send_to"));
        columns.extend(self.columns.totp_secret.then_some("totp_secret"));
        let columns: Vec<String> = columns.into_iter().map(|column| dialect.text(column)).collect();
        format!("SELECT {} FROM {} t", columns.join(", "), self.users.quoted())
    }

    fn select_groups(&self) -> String {
        let dialect = self.database.dialect();
        let (username, group) = (dialect.text("username"), dialect.text("group"));
        format!("SELECT {username}, {group} FROM {} t", self.groups.quoted())
    }

    /// A row of [`Self::select_users`], without groups. Nothing in a column reads as empty.
    fn user(&self, row: Row) -> Option<User> {
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten().unwrap_or_default();
        let name = Some(next()).filter(|name| !name.is_empty())?;
        Some(User {
            name: UserName::new(name),
            password_hash: next(),
            groups: Vec::new(),
            password_expired: is_true(&next()),
            two_fa_send_to: if self.columns.two_fa_send_to {
                next()
            } else {
                String::new()
            },
            totp_secret: if self.columns.totp_secret {
                next().trim().to_owned()
            } else {
                String::new()
            },
        })
    }

    fn without_groups(&self, name: &UserName) -> Statement {
        let exactly = self.database.dialect().exactly("username");
        let sql = format!("DELETE FROM {} WHERE {exactly}", self.groups.quoted());
        Statement::new(sql, [name.as_str(), name.as_str()])
    }

    fn with_groups(&self, name: &UserName, groups: &[String]) -> Vec<Statement> {
        let dialect = self.database.dialect();
        let sql = format!(
            "INSERT INTO {} ({}, {}) VALUES (?, ?)",
            self.groups.quoted(),
            dialect.column("username"),
            dialect.column("group")
        );
        let mut seen = std::collections::HashSet::new();
        let once = groups.iter().filter(|group| seen.insert(group.as_str()));
        once.map(|group| {
            // A collation may take two of them for one.
            let twice = TableError::Unfit(format!(
                "The database takes the group {group:?} for another one of the user."
            ));
            Statement::new(sql.clone(), [name.as_str(), group.as_str()]).if_duplicate(twice)
        })
        .collect()
    }
}

/// A truth value as every kind of database takes it for any type of column that can hold one: a literal whose type it
/// works out itself.
fn flag(value: bool) -> &'static str {
    if value { "'1'" } else { "'0'" }
}

/// A truth value as text, whatever the type of its column.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "\u{1}") || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("t")
}

fn pair(row: Row) -> Option<(String, String)> {
    let mut columns = row.into_iter();
    let name = columns.next().flatten()?;
    let group = columns.next().flatten().filter(|group| !group.is_empty())?;
    Some((name, group))
}

async fn run<T>(work: Answer<'_, T>) -> Result<T, TableError> {
    within(QUERY_LIMIT, work).await
}
