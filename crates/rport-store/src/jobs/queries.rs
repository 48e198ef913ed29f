//! Lists, single jobs, and what a restart takes up again.

use rport_domain::{Job, JobCounts, JobId, JobStatus, LibraryKind, ListQuery, MultiJob, Page, UserName};
use rusqlite::{Connection, OptionalExtension, Row};

use super::records::{JobPhase, JobScope, MultiJobExtras, OpenJob};
use super::{Jobs, progress, rows};
use crate::error::StoreError;
use crate::list::ListSource;

const JOB_SOURCE: ListSource = ListSource {
    columns: rows::JOB_COLUMNS,
    table: rows::JOBS,
    tie: "jid",
};

const MULTI_JOB_SOURCE: ListSource = ListSource {
    columns: rows::MULTI_JOB_COLUMNS,
    table: rows::MULTI_JOBS,
    tie: "jid",
};

impl Jobs {
    /// One job, whatever client it is of.
    pub async fn find(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        let id = id.to_string();
        self.database
            .read(move |connection| progress::find(connection, &id))
            .await
    }

    /// One multi-job.
    pub async fn find_multi(&self, id: &JobId) -> Result<Option<(MultiJob, MultiJobExtras)>, StoreError> {
        let id = id.to_string();
        self.database
            .read(move |connection| {
                let (columns, table) = (rows::MULTI_JOB_COLUMNS, rows::MULTI_JOBS);
                connection
                    .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE jid = ?1"))?
                    .query_row([id], rows::multi_job)
                    .optional()
            })
            .await
    }

    /// How far a multi-job is; all zero if there is none.
    pub async fn counts(&self, id: &JobId) -> Result<JobCounts, StoreError> {
        let id = id.to_string();
        self.database
            .read(move |connection| counts(connection, &id))
            .await
    }

    /// A page of jobs of some kinds. `query` was read with [`rport_domain::JOB_LIST`].
    ///
    /// Of the results only those members are read that `query` asks for, since they may be large.
    pub async fn list(
        &self,
        scope: JobScope,
        kinds: &[LibraryKind],
        query: &ListQuery,
    ) -> Result<Page<Job>, StoreError> {
        let (query, kind) = (query.clone(), Kind::of(kinds));
        let (stdout, stderr) = (
            query.fields.contains("result.stdout"),
            query.fields.contains("result.stderr"),
        );
        let read = move |row: &Row<'_>| {
            let mut job = rows::job(row)?;
            if let Some(result) = &mut job.result {
                if !stdout {
                    result.stdout = String::new();
                }
                if !stderr {
                    result.stderr = String::new();
                }
            }
            Ok(job)
        };
        self.database
            .read(move |connection| {
                let (column, id, without) = match &scope {
                    JobScope::Client(client) => ("client_id", client.as_str(), &[][..]),
                    JobScope::Multi(id) => ("multi_job_id", id.as_str(), &[][..]),
                    JobScope::MultiWithout(id, clients) => ("multi_job_id", id.as_str(), clients.as_slice()),
                };
                let Some(kind) = kind.scope() else {
                    return Ok(Page {
                        items: Vec::new(),
                        total: 0,
                    });
                };
                let mut scope = vec![(column, id)];
                scope.extend(kind);
                let without: Vec<&str> = without.iter().map(|client| client.as_str()).collect();
                JOB_SOURCE.page_without(connection, &query, &scope, ("client_id", &without), read)
            })
            .await
    }

    /// A page of multi-jobs of some kinds, of one user or of all, with how far they are. `query` was read with
    /// [`rport_domain::MULTI_JOB_LIST`].
    pub async fn list_multi(
        &self,
        owner: Option<&UserName>,
        kinds: &[LibraryKind],
        query: &ListQuery,
    ) -> Result<Page<(MultiJob, MultiJobExtras, JobCounts)>, StoreError> {
        let (owner, query, kind) = (owner.cloned(), query.clone(), Kind::of(kinds));
        self.database
            .read(move |connection| {
                let Some(kind) = kind.scope() else {
                    return Ok(Page {
                        items: Vec::new(),
                        total: 0,
                    });
                };
                let mut scope: Vec<(&'static str, &str)> = kind.into_iter().collect();
                scope.extend(owner.as_ref().map(|owner| ("created_by", owner.as_str())));
                list_multi(connection, &query, &scope)
            })
            .await
    }

    /// All jobs that are not over, in the order of their multi-jobs and their places in them.
    pub async fn open_jobs(&self) -> Result<Vec<OpenJob>, StoreError> {
        self.database
            .read(|connection| {
                let columns: Vec<String> = rows::JOB_COLUMNS
                    .split(", ")
                    .map(|column| format!("j.{column}"))
                    .collect();
                let (columns, table) = (columns.join(", "), rows::JOBS);
                connection
                    .prepare_cached(&format!(
                        "SELECT {columns}, o.phase, o.position, o.not_after, o.queue, o.stream
                         FROM {table} AS j LEFT JOIN job_orders AS o ON o.jid = j.jid
                         WHERE j.status IN ('waiting', 'running')
                         ORDER BY j.started_at, j.multi_job_id, o.position, j.jid"
                    ))?
                    .query_map([], open_job)?
                    .collect()
            })
            .await
    }

    /// All multi-jobs of which jobs may still be started or run, oldest first.
    pub async fn open_multis(&self) -> Result<Vec<(MultiJob, MultiJobExtras)>, StoreError> {
        self.database
            .read(|connection| {
                let (columns, table) = (rows::MULTI_JOB_COLUMNS, rows::MULTI_JOBS);
                connection
                    .prepare_cached(&format!(
                        "SELECT {columns} FROM {table}
                         WHERE jid IN (SELECT jid FROM multi_job_extras WHERE phase = 'running')
                         ORDER BY started_at, jid"
                    ))?
                    .query_map([], rows::multi_job)?
                    .collect()
            })
            .await
    }
}

/// Which kinds a list shows.
#[derive(Clone, Copy)]
enum Kind {
    None,
    One(LibraryKind),
    Both,
}

impl Kind {
    fn of(kinds: &[LibraryKind]) -> Self {
        let has = |kind| kinds.contains(&kind);
        match (has(LibraryKind::Command), has(LibraryKind::Script)) {
            (true, true) => Self::Both,
            (true, false) => Self::One(LibraryKind::Command),
            (false, true) => Self::One(LibraryKind::Script),
            (false, false) => Self::None,
        }
    }

    /// The condition on rows; `None` if there can be none.
    fn scope(self) -> Option<Option<(&'static str, &'static str)>> {
        match self {
            Self::None => None,
            Self::One(kind) => Some(Some(("kind", kind.as_str()))),
            Self::Both => Some(None),
        }
    }
}

pub(super) fn list_multi(
    connection: &Connection,
    query: &ListQuery,
    scope: &[(&'static str, &str)],
) -> rusqlite::Result<Page<(MultiJob, MultiJobExtras, JobCounts)>> {
    let page = MULTI_JOB_SOURCE.page(connection, query, scope, rows::multi_job)?;
    let items = page.items.into_iter().map(|(multi, extras)| {
        let counts = counts(connection, multi.id.as_str())?;
        Ok((multi, extras, counts))
    });
    Ok(Page {
        items: items.collect::<rusqlite::Result<_>>()?,
        total: page.total,
    })
}

pub(super) fn counts(connection: &Connection, multi: &str) -> rusqlite::Result<JobCounts> {
    let mut query = connection
        .prepare_cached("SELECT status, COUNT(*) FROM jobs WHERE multi_job_id = ?1 GROUP BY status")?;
    let mut rows = query.query([multi])?;
    let mut counts = JobCounts::default();
    while let Some(row) = rows.next()? {
        let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
        counts.total += number;
        let count = match rows::text(row, 0)?.parse().unwrap_or(JobStatus::Unknown) {
            JobStatus::Waiting => &mut counts.waiting,
            JobStatus::Running => &mut counts.running,
            JobStatus::Successful => &mut counts.successful,
            JobStatus::Failed => &mut counts.failed,
            JobStatus::Unknown => &mut counts.unknown,
        };
        *count += number;
    }
    Ok(counts)
}

/// Reads [`rows::JOB_COLUMNS`], phase, position and the rule. A job of a Go server has none of the latter.
fn open_job(row: &Row<'_>) -> rusqlite::Result<OpenJob> {
    let job = rows::job(row)?;
    let phase: Option<String> = row.get(9)?;
    let Some(phase) = phase else {
        return Ok(OpenJob {
            job,
            phase: JobPhase::Started,
            start: None,
            position: 0,
        });
    };
    Ok(OpenJob {
        job,
        phase: JobPhase::of(&phase),
        position: usize::try_from(row.get::<_, i64>(10)?).unwrap_or_default(),
        start: Some(rows::start_rule(row, 11)?),
    })
}
