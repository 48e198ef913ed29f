//! Users in tables of a database the operator owns, see [`UserTable`].
//!
//! Basic sends name and password with every request, and the database may be far away. So what was read counts for a
//! few seconds: a change by others takes effect after that time at the latest, one through this server at once.
//!
//! The database may come and go: then logins are refused, and the log says once that it went and once that it is back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rport_domain::access::ADMINISTRATORS;
use rport_domain::{Error, Permissions, User, UserChange, UserGroup, UserName};
use rport_runtime::{Clock, Tasks};
use rport_store::{DatabaseOptions, TableError, UserTable, UserTableNames};

use super::options::UserHash;
use super::password::NOBODY;
use super::provider::{Answer, UserProvider, already_exists, not_found, unavailable};
use crate::error::StartError;
use crate::hashing;

/// How long what was read counts.
const FRESH: Duration = Duration::from_secs(5);
/// Users remembered at most.
const CAPACITY: usize = 10_000;

pub(crate) struct TableSource {
    table: UserTable,
    clock: Clock,
    known: Mutex<Known>,
    down: AtomicBool,
}

struct Known {
    users: HashMap<UserName, (DateTime<Utc>, Arc<User>)>,
    details: Option<(DateTime<Utc>, Arc<Details>)>,
    /// Counts the changes through this server. Whoever reads looks whether one was made meanwhile, so that it is not
    /// forgotten over what was read before.
    changes: u64,
    stand_in: String,
}

/// Groups by their names.
type Details = HashMap<String, UserGroup>;

impl TableSource {
    /// Connects and checks the tables.
    ///
    /// # Errors
    /// What is wrong, as one line that names the database and the table and what to do.
    pub(crate) async fn open(
        database: &DatabaseOptions,
        names: &UserTableNames,
        hash: UserHash,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let table = UserTable::open(database, names, tasks).await;
        let table = table.map_err(|error| start_error(&error))?;
        let stand_in = match hash {
            UserHash::Bcrypt => NOBODY.to_owned(),
            UserHash::Argon2id => hashing::own_stand_in(),
        };
        Ok(Self {
            table,
            clock: clock.clone(),
            known: Mutex::new(Known {
                users: HashMap::new(),
                details: None,
                changes: 0,
                stand_in,
            }),
            down: AtomicBool::new(false),
        })
    }

    /// Creates the tables that are missing, and checks all.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn create(
        database: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        let created = UserTable::create(database, names, tasks).await;
        created.map_err(|error| start_error(&error))?;
        Self::check(database, names, tasks).await
    }

    /// Checks that the tables exist and are sound.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn check(
        database: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        let opened = UserTable::open(database, names, tasks).await;
        opened.map(drop).map_err(|error| start_error(&error))
    }

    /// Learns from an answer whether there is an outage, and says so once.
    fn noted<T>(&self, answer: Result<T, TableError>) -> Result<T, Error> {
        let table = self.table.place();
        match answer {
            Ok(answer) => {
                if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
                    tracing::info!(table, "database of users available again");
                }
                Ok(answer)
            }
            Err(TableError::Exists(_)) => Err(already_exists()),
            Err(TableError::Missing(name)) => Err(not_found(&name.into())),
            Err(TableError::Unfit(text)) => Err(Error::invalid(text)),
            Err(TableError::Unavailable(cause)) => {
                if !self.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(table, cause, "database of users unavailable, logins are refused");
                }
                Err(unavailable(cause))
            }
            Err(TableError::NoTable(cause) | TableError::NoColumn(cause) | TableError::Failed(cause)) => {
                tracing::error!(table, cause, "database of users refused a statement");
                Err(Error::internal(cause))
            }
        }
    }

    /// Forgets what was read before a change, before the change is answered. Also after a failed one: it may have been
    /// made all the same.
    fn changed<T>(&self, answer: Result<T, TableError>) -> Result<T, Error> {
        {
            let mut known = self.known.lock();
            known.changes += 1;
            known.users.clear();
            known.details = None;
        }
        self.noted(answer)
    }

    async fn details(&self) -> Result<Arc<Details>, Error> {
        let now = self.clock.now();
        let before = {
            let known = self.known.lock();
            if let Some((until, details)) = &known.details
                && *until > now
            {
                return Ok(details.clone());
            }
            known.changes
        };
        let details = self.noted(self.table.details().await)?;
        let details: Details = details
            .into_iter()
            .map(|group| (group.name.clone(), group))
            .collect();
        let details = Arc::new(details);
        let mut known = self.known.lock();
        if known.changes == before {
            known.details = Some((now + FRESH, details.clone()));
        }
        Ok(details)
    }
}

impl Known {
    fn remember(&mut self, user: &Arc<User>, now: DateTime<Utc>) {
        if self.users.len() >= CAPACITY {
            self.users.retain(|_, (until, _)| *until > now);
            if self.users.len() >= CAPACITY {
                self.users.clear();
            }
        }
        self.users.insert(user.name.clone(), (now + FRESH, user.clone()));
        // An unknown name is to take as long as a known one, whatever kind of hash the table holds.
        if !hashing::same_cost(&self.stand_in, &user.password_hash)
            && let Some(stand_in) = hashing::stand_in(&user.password_hash)
        {
            self.stand_in = stand_in;
        }
    }
}

impl UserProvider for TableSource {
    fn find<'a>(&'a self, name: &'a UserName) -> Answer<'a, Option<Arc<User>>> {
        Box::pin(async move {
            let now = self.clock.now();
            let before = {
                let known = self.known.lock();
                if let Some((until, user)) = known.users.get(name)
                    && *until > now
                {
                    return Ok(Some(user.clone()));
                }
                known.changes
            };
            let found = self.noted(self.table.find(name).await)?.map(Arc::new);
            if let Some(user) = &found {
                let mut known = self.known.lock();
                if known.changes == before {
                    known.remember(user, now);
                }
            }
            Ok(found)
        })
    }

    fn list(&self) -> Answer<'_, Vec<Arc<User>>> {
        Box::pin(async move {
            let users = self.noted(self.table.all().await)?;
            Ok(users.into_iter().map(Arc::new).collect())
        })
    }

    fn add(&self, user: User) -> Answer<'_, ()> {
        Box::pin(async move { self.changed(self.table.add(&user).await) })
    }

    fn change<'a>(&'a self, name: &'a UserName, change: UserChange) -> Answer<'a, ()> {
        Box::pin(async move { self.changed(self.table.change(name, &change).await) })
    }

    fn delete<'a>(&'a self, name: &'a UserName) -> Answer<'a, ()> {
        Box::pin(async move { self.changed(self.table.delete(name).await) })
    }

    fn group_permissions<'a>(&'a self, groups: &'a [String]) -> Answer<'a, Permissions> {
        Box::pin(async move {
            if !self.table.has_details() {
                return Ok(Permissions::all());
            }
            let details = self.details().await?;
            Ok(groups.iter().fold(Permissions::NONE, |granted, name| {
                granted.union(granted_by(details.get(name), name))
            }))
        })
    }

    fn details_of<'a>(&'a self, groups: &'a [String]) -> Answer<'a, Vec<UserGroup>> {
        Box::pin(async move {
            let details = self.details().await?;
            Ok(groups
                .iter()
                .filter_map(|name| details.get(name).cloned())
                .collect())
        })
    }

    fn groups(&self) -> Answer<'_, Vec<UserGroup>> {
        Box::pin(async move {
            let mut groups = self.noted(self.table.details().await)?;
            let members = self.noted(self.table.groups_with_members().await)?;
            let more: Vec<UserGroup> = members
                .into_iter()
                .filter(|name| groups.iter().all(|group| group.name != *name))
                .map(without_details)
                .collect();
            groups.extend(more);
            Ok(groups)
        })
    }

    fn group<'a>(&'a self, name: &'a str) -> Answer<'a, UserGroup> {
        Box::pin(async move {
            let details = self.noted(self.table.details().await)?;
            let found = details.into_iter().find(|group| group.name == name);
            Ok(found.unwrap_or_else(|| without_details(name.to_owned())))
        })
    }

    fn put_group(&self, group: UserGroup) -> Answer<'_, ()> {
        Box::pin(async move {
            if !self.table.has_details() {
                return Err(Error::invalid(
                    "User group details table must be configured for this operation.",
                ));
            }
            self.changed(self.table.put_group(&group).await)
        })
    }

    fn delete_group<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.changed(self.table.delete_group(name).await) })
    }

    fn supports_groups(&self) -> bool {
        self.table.has_details()
    }

    fn has_groups(&self) -> bool {
        true
    }

    fn stand_in(&self) -> String {
        self.known.lock().stand_in.clone()
    }

    fn source_name(&self) -> &'static str {
        "DB"
    }

    fn no_groups_text(&self) -> &'static str {
        "User groups are not supported."
    }
}

/// What a group grants: nothing without a row, except for administrators. Source: rest-api.md 7.
fn granted_by(details: Option<&UserGroup>, name: &str) -> Permissions {
    match details {
        Some(group) => group.permissions,
        None if name == ADMINISTRATORS => Permissions::all(),
        None => Permissions::NONE,
    }
}

fn without_details(name: String) -> UserGroup {
    UserGroup {
        permissions: granted_by(None, &name),
        name,
        ..UserGroup::default()
    }
}

fn start_error(error: &TableError) -> StartError {
    let hint = match error {
        TableError::Unavailable(_) => "; see [database]",
        _ => "",
    };
    StartError::Database(format!("users: {error}{hint}"))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
