//! `jobs.db`: commands and scripts on clients, and what became of them.
//!
//! An order is on disk before a client is asked (`order.rs`); its way to a result is `progress.rs`; lists and what a
//! restart needs are `queries.rs`; what a schedule asks is `of_schedules.rs`; what is deleted is `retention.rs`.
//! Schedules are a table of the same file, see `schedules.rs` of this crate.

mod of_schedules;
mod order;
mod progress;
mod queries;
mod records;
mod retention;
mod rows;
mod schema;
#[cfg(test)]
mod tests;

pub(crate) use of_schedules::delete_of_schedule;
pub use records::{
    Finish, FinishedJob, JobPhase, JobScope, MultiJobExtras, MultiJobPhase, NewJobs, OpenJob, ScheduleRun,
    StartRule,
};

use crate::database::Database;
use crate::error::StoreError;
use crate::schedules::Schedules;
use crate::store::StoreOptions;

/// The jobs on disk. Everything that changes them is on disk when it returns.
#[derive(Clone)]
pub struct Jobs {
    database: Database,
}

impl Jobs {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("jobs.db");
        Ok(Self {
            database: Database::open_extended(&path, options.wal, schema::MIGRATIONS, schema::OWN)?,
        })
    }

    /// The schedules, which are part of the same file.
    pub(crate) fn schedules(&self) -> Schedules {
        Schedules::new(self.database.clone())
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}
