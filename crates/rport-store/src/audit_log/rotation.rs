//! Putting the file aside and starting a new one.
//!
//! Differs from RPort, which renames over a file of the same day: here no file is ever replaced, entries wait while
//! the file is moved instead of being lost, and old files can be deleted after a time.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::{AuditLog, FILE, State, open_file};
use crate::error::{StoreError, StoreErrorKind};

impl AuditLog {
    /// Puts the file aside under the name of a day and starts a new one. Returns where it went. Entries that come
    /// meanwhile wait and go to the new file.
    ///
    /// # Errors
    /// Somebody, such as an export, has the file open, or the file system refuses; the file then stays in use. When
    /// even that fails, entries are refused until [`AuditLog::mend`] succeeds.
    pub async fn rotate(&self, today: NaiveDate) -> Result<PathBuf, StoreError> {
        let inner = &self.inner;
        let current = inner.folder.join(FILE);
        {
            let mut moving = inner.moving.lock();
            if *moving {
                return Err(StoreError::new(&current, StoreErrorKind::Busy));
            }
            *moving = true;
        }
        let outcome = self.put_aside(&current, today).await;
        *inner.moving.lock() = false;
        outcome
    }

    async fn put_aside(&self, current: &Path, today: NaiveDate) -> Result<PathBuf, StoreError> {
        let inner = &self.inner;
        let mut database = None;
        inner.state.send_if_modified(|state| match state {
            State::Open(open) => {
                database = Some(open.clone());
                *state = State::Moving;
                true
            }
            State::Moving | State::Broken(_) | State::Closed => false,
        });
        let Some(database) = database else {
            return Err(StoreError::new(current, StoreErrorKind::Closed));
        };
        let (folder, wal, from) = (inner.folder.clone(), inner.wal, current.to_owned());
        let retired = database.retire().await;
        let moved = tokio::task::spawn_blocking(move || {
            let moved = retired.and_then(|()| {
                let to = free_name(&folder, today);
                std::fs::rename(&from, &to)
                    .and_then(|()| std::fs::File::open(&folder)?.sync_all())
                    .map_err(|error| StoreError::io(&from, &error))?;
                Ok(to)
            });
            (moved, open_file(&folder, wal))
        });
        let (moved, opened) = moved.await.unwrap_or_else(|_| {
            let closed = StoreError::new(current, StoreErrorKind::Closed);
            (Err(closed.clone()), Err(closed))
        });
        let mut late = None;
        inner.state.send_if_modified(|state| {
            if !matches!(state, State::Moving) {
                // The server was stopped meanwhile.
                late = opened.as_ref().ok().cloned();
                return false;
            }
            *state = match &opened {
                Ok(database) => State::Open(database.clone()),
                Err(error) => State::Broken(error.clone()),
            };
            true
        });
        if let Some(database) = late {
            database.close().await;
        }
        opened.and(moved)
    }

    /// Tries again to make a file after that has failed; does nothing otherwise. Returns whether it helped.
    pub async fn mend(&self) -> bool {
        let inner = &self.inner;
        if !matches!(*inner.state.borrow(), State::Broken(_)) {
            return false;
        }
        let (folder, wal) = (inner.folder.clone(), inner.wal);
        let Ok(Ok(database)) = tokio::task::spawn_blocking(move || open_file(&folder, wal)).await else {
            return false;
        };
        let mut spare = Some(database);
        inner.state.send_if_modified(|state| {
            if !matches!(state, State::Broken(_)) {
                return false;
            }
            if let Some(database) = spare.take() {
                *state = State::Open(database);
            }
            true
        });
        match spare {
            // The server was stopped meanwhile.
            Some(database) => {
                database.close().await;
                false
            }
            None => true,
        }
    }

    /// Deletes files that were put aside before a day. Returns how many.
    ///
    /// # Errors
    /// The first file that cannot be deleted; the others are deleted nevertheless.
    pub async fn delete_before(&self, day: NaiveDate) -> Result<usize, StoreError> {
        let folder = self.inner.folder.clone();
        let deleted = tokio::task::spawn_blocking(move || {
            let mut deleted = 0;
            let mut failed = None;
            for (_, path) in put_aside(&folder).into_iter().filter(|(date, _)| *date < day) {
                match std::fs::remove_file(&path) {
                    Ok(()) => deleted += 1,
                    Err(error) => failed = failed.or(Some(StoreError::io(&path, &error))),
                }
            }
            failed.map_or(Ok(deleted), Err)
        });
        deleted
            .await
            .unwrap_or_else(|_| Err(StoreError::new(&self.inner.folder, StoreErrorKind::Closed)))
    }
}

/// A name no file has. The data directory belongs to one server, so nobody takes it in between.
fn free_name(folder: &Path, day: NaiveDate) -> PathBuf {
    let plain = folder.join(format!("auditlog.{day}.db"));
    if !plain.exists() {
        return plain;
    }
    (2_u32..)
        .map(|number| folder.join(format!("auditlog.{day}.{number}.db")))
        .find(|path| !path.exists())
        .unwrap_or(plain)
}

/// The files that were put aside, with their days, oldest first. Those of the Go server are among them.
pub(super) fn put_aside(folder: &Path) -> Vec<(NaiveDate, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<((NaiveDate, u32), PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((day_of(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().map(|((day, _), path)| (day, path)).collect()
}

/// Reads the day, and the number among the files of that day, out of a name.
fn day_of(name: &str) -> Option<(NaiveDate, u32)> {
    let middle = name.strip_prefix("auditlog.")?.strip_suffix(".db")?;
    let (day, number) = match middle.split_once('.') {
        None => (middle, 1),
        Some((day, number)) => (day, number.parse().ok()?),
    };
    Some((NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_day() {
        let day = |name| day_of(name).map(|(day, number)| (day.to_string(), number));
        assert_eq!(day("auditlog.2024-05-01.db"), Some(("2024-05-01".into(), 1)));
        assert_eq!(day("auditlog.2024-05-01.12.db"), Some(("2024-05-01".into(), 12)));
        for other in [
            "auditlog.db",
            "auditlog.db-wal",
            "auditlog.2024-05-01.db-wal",
            "auditlog.x.db",
            "jobs.db",
        ] {
            assert_eq!(day(other), None, "{other}");
        }
    }
}
