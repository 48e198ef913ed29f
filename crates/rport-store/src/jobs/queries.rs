//! Lists, single jobs, and what a restart takes up again.

use rport_domain::{
    Fields, Job, JobCounts, JobId, JobStatus, LibraryKind, ListQuery, MultiJob, Page, UserName,
};
use rusqlite::{Connection, OptionalExtension, Row};

use super::records::{JobPhase, JobScope, MultiJobExtras, OpenJob};
use super::{Jobs, progress, rows};
use crate::error::{StoreError, StoreErrorKind};
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

/// Most that the commands and results of one page may have, in bytes.
const LARGEST_PAGE: usize = 64 << 20;

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
    /// Only those members are read that `query` asks for, since they may be large; the others are empty.
    ///
    /// # Errors
    /// [`StoreErrorKind::TooLarge`] when commands and results have more than 64 MiB altogether.
    pub async fn list(
        &self,
        scope: JobScope,
        kinds: &[LibraryKind],
        query: &ListQuery,
    ) -> Result<Page<Job>, StoreError> {
        self.list_within(LARGEST_PAGE, scope, kinds, query).await
    }

    pub(super) async fn list_within(
        &self,
        largest: usize,
        scope: JobScope,
        kinds: &[LibraryKind],
        query: &ListQuery,
    ) -> Result<Page<Job>, StoreError> {
        let (query, kind) = (query.clone(), Kind::of(kinds));
        let page = self
            .database
            .read(move |connection| {
                let (column, id, without) = match &scope {
                    JobScope::Client(client) => ("client_id", client.as_str(), &[][..]),
                    JobScope::Multi(id) => ("multi_job_id", id.as_str(), &[][..]),
                    JobScope::MultiWithout(id, clients) => ("multi_job_id", id.as_str(), clients.as_slice()),
                };
                let Some(kind) = kind.scope() else {
                    return Ok(Some(Page {
                        items: Vec::new(),
                        total: 0,
                    }));
                };
                let mut scope = vec![(column, id)];
                scope.extend(kind);
                let without: Vec<&str> = without.iter().map(|client| client.as_str()).collect();
                let mut size = 0_usize;
                let fields = query.fields;
                let page =
                    JOB_SOURCE.page_without(connection, &query, &scope, ("client_id", &without), |row| {
                        // Beyond the limit nothing is collected any more.
                        let job = if size <= largest && looks_inside(fields) {
                            trimmed(rows::job(row)?, fields)
                        } else {
                            rows::job_without_details(row)?
                        };
                        size = size.saturating_add(weight(&job));
                        Ok(job)
                    })?;
                Ok((size <= largest).then_some(page))
            })
            .await?;
        page.ok_or_else(|| self.database.error(StoreErrorKind::TooLarge))
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

/// Whether a member is wanted that is kept in the details of a row.
fn looks_inside(fields: Fields) -> bool {
    let outside = [
        "jid",
        "status",
        "started_at",
        "finished_at",
        "created_by",
        "client_id",
        "multi_job_id",
        "schedule_id",
    ];
    fields.names().any(|name| !outside.contains(&name))
}

/// Drops the large members that are not wanted.
fn trimmed(mut job: Job, fields: Fields) -> Job {
    if !fields.contains("command") {
        job.order.command = String::new();
    }
    if let Some(result) = &mut job.result {
        for (member, text) in [
            ("result.stdout", &mut result.stdout),
            ("result.stderr", &mut result.stderr),
            ("result.summary", &mut result.summary),
        ] {
            if !fields.contains(member) {
                *text = String::new();
            }
        }
    }
    job
}

fn weight(job: &Job) -> usize {
    let of_result = job.result.as_ref().map_or(0, |result| {
        result.stdout.len() + result.stderr.len() + result.summary.len()
    });
    job.order.command.len() + of_result
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
