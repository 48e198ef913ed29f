//! Schedules, tables of `jobs.db`. Their schema stands in `jobs/schema.rs`, with the rest of that file.
//!
//! `schedules` is the Go server's table. `schedule_extras` and `schedule_runs` are ours: what else a schedule says, how
//! far it has got, and what came of each due time. A due time has one row at most, which is written before anything is
//! ordered for it; that is what keeps it from being done twice.

mod rows;
mod runs;

pub use runs::Claim;

use chrono::{DateTime, Utc};
use rport_domain::{ListQuery, MAX_SCHEDULES, Page, Schedule, ScheduleId, UserName};
use rusqlite::{Connection, OptionalExtension};

use crate::database::Database;
use crate::error::StoreError;
use crate::list::ListSource;

use rows::{COLUMNS, SCHEDULES};

const LIST: ListSource = ListSource {
    columns: COLUMNS,
    table: SCHEDULES,
    tie: "place",
};

/// Filters that are answered here and not by SQLite: the lists stand in a JSON column.
const TARGETS: [&str; 2] = ["client_ids", "group_ids"];

/// How far a schedule has got. Both instants are kept to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleProgress {
    /// What its intervals count from: when it was made, or when its timetable last changed.
    pub since: DateTime<Utc>,
    /// Everything that was due until then has been dealt with.
    pub done_until: DateTime<Utc>,
}

/// The schedules on disk.
#[derive(Clone)]
pub struct Schedules {
    database: Database,
}

impl Schedules {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// All schedules. Progress is unknown for those that a Go server has stored, or whose timetable it has changed.
    ///
    /// Forgets what belongs to schedules that a Go server has deleted.
    pub async fn load(&self) -> Result<Vec<(Schedule, Option<ScheduleProgress>)>, StoreError> {
        self.database
            .write(|connection| {
                for table in ["schedule_extras", "schedule_runs"] {
                    connection.execute(
                        &format!("DELETE FROM {table} WHERE schedule_id NOT IN (SELECT id FROM schedules)"),
                        [],
                    )?;
                }
                let mut query = connection.prepare(&format!("SELECT {COLUMNS} FROM {SCHEDULES}"))?;
                let all = query.query_map([], rows::schedule)?;
                all.collect()
            })
            .await
    }

    /// A page of the schedules, of one user or of all. `query` was read with [`rport_domain::SCHEDULE_LIST`].
    ///
    /// Filters by targets look at each id by itself, in any letter case, and know `and(…)`.
    pub async fn list(
        &self,
        owner: Option<&UserName>,
        query: &ListQuery,
    ) -> Result<Page<(Schedule, Option<ScheduleProgress>)>, StoreError> {
        let owner = owner.map(ToString::to_string);
        let mut sql = query.clone();
        let of_targets: Vec<_> = sql
            .filters
            .extract_if(.., |filter| {
                filter.columns.iter().any(|column| TARGETS.contains(column))
            })
            .collect();
        let (offset, limit) = (sql.offset, sql.limit);
        if !of_targets.is_empty() {
            (sql.offset, sql.limit) = (0, usize::MAX);
        }
        let mut page = self
            .database
            .read(move |connection| {
                let scope: Vec<_> = owner.iter().map(|owner| ("created_by", owner.as_str())).collect();
                LIST.page(connection, &sql, &scope, rows::schedule)
            })
            .await?;
        if of_targets.is_empty() {
            return Ok(page);
        }
        page.items.retain(|(schedule, _)| {
            let item = rows::Filtered::new(schedule);
            of_targets
                .iter()
                .all(|filter| filter.accepts(&item, rows::Filtered::field))
        });
        page.total = page.items.len();
        page.items = page.items.into_iter().skip(offset).take(limit).collect();
        Ok(page)
    }

    /// One schedule.
    pub async fn find(
        &self,
        id: &ScheduleId,
    ) -> Result<Option<(Schedule, Option<ScheduleProgress>)>, StoreError> {
        let id = id.to_string();
        self.database.read(move |connection| find(connection, &id)).await
    }

    /// Adds a schedule; `false`, and nothing is added, if there are [`MAX_SCHEDULES`] already. On disk when it returns.
    pub async fn insert(&self, schedule: Schedule, progress: ScheduleProgress) -> Result<bool, StoreError> {
        self.database
            .write(move |connection| {
                let known: i64 = connection
                    .prepare_cached("SELECT COUNT(*) FROM schedules")?
                    .query_row([], |row| row.get(0))?;
                if usize::try_from(known).is_ok_and(|known| known >= MAX_SCHEDULES) {
                    return Ok(false);
                }
                rows::insert(connection, &schedule)?;
                rows::put_extras(connection, &schedule, progress)?;
                Ok(true)
            })
            .await
    }

    /// Gives a schedule its definition and sets its progress. Who created it and when stays as it is. Returns `false`
    /// if there is none. On disk when it returns.
    pub async fn replace(&self, schedule: Schedule, progress: ScheduleProgress) -> Result<bool, StoreError> {
        self.database
            .write(move |connection| {
                if !rows::update(connection, &schedule)? {
                    return Ok(false);
                }
                rows::put_extras(connection, &schedule, progress)?;
                Ok(true)
            })
            .await
    }

    /// Writes down how far schedules have got for which nothing was known. On disk when it returns.
    pub async fn adopt(&self, schedules: Vec<(Schedule, ScheduleProgress)>) -> Result<(), StoreError> {
        self.database
            .write(move |connection| {
                for (schedule, progress) in &schedules {
                    rows::put_extras(connection, schedule, *progress)?;
                }
                Ok(())
            })
            .await
    }

    /// Gives the schedules of a user to the name the user has now. On disk when it returns.
    pub async fn rename_user(&self, user: &UserName, new: &UserName) -> Result<(), StoreError> {
        let names = [user.to_string(), new.to_string()];
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE schedules SET created_by = ?2 WHERE created_by = ?1")?
                    .execute(names)?;
                Ok(())
            })
            .await
    }

    /// Lets the schedules of a user rest. On disk when it returns.
    pub async fn rest_of_user(&self, user: &UserName) -> Result<(), StoreError> {
        let user = user.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE schedule_extras SET paused = 1
                         WHERE schedule_id IN (SELECT id FROM schedules WHERE created_by = ?1)",
                    )?
                    .execute([user])?;
                Ok(())
            })
            .await
    }

    /// Removes a schedule with everything that came of it, jobs included. Returns whether there was one. On disk when
    /// it returns.
    pub async fn delete(&self, id: &ScheduleId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM schedules WHERE id = ?1")?
                    .execute([id.as_str()])?;
                for table in ["schedule_extras", "schedule_runs"] {
                    connection
                        .prepare_cached(&format!("DELETE FROM {table} WHERE schedule_id = ?1"))?
                        .execute([id.as_str()])?;
                }
                crate::jobs::delete_of_schedule(connection, id.as_str())?;
                Ok(deleted > 0)
            })
            .await
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<(Schedule, Option<ScheduleProgress>)>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {SCHEDULES} WHERE id = ?1"))?
        .query_row([id], rows::schedule)
        .optional()
}

#[cfg(test)]
mod tests;
