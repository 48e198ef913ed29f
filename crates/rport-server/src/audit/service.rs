//! Reading the audit log, and keeping its file small.
//!
//! Differs from RPort: old files can be exported and deleted, and a log that is switched off is a plain 404 instead of
//! a crash.

use std::time::Duration;

use chrono::{DateTime, Days, FixedOffset};
use rport_domain::list::Filter;
use rport_domain::{AUDIT_LIST, AUDIT_USERNAME, AuditEntry, Error, ListQuery, Page, Permission};
use rport_runtime::{Clock, Tasks};
use rport_store::{AuditExport, AuditLog};
use tokio::sync::mpsc;

use super::AuditOptions;
use crate::actor::Actor;

/// How often to look whether the file is old enough to be put aside.
const LOOK: Duration = Duration::from_secs(60);

/// How long a file of the audit log is used (`[api] audit_log_rotation`). The numbers are the Go server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditRotation {
    /// One day.
    Daily,
    /// Seven days.
    Weekly,
    /// Thirty days.
    Monthly,
    /// 365 days.
    Yearly,
}

impl AuditRotation {
    fn days(self) -> u64 {
        match self {
            Self::Daily => 1,
            Self::Weekly => 7,
            Self::Monthly => 30,
            Self::Yearly => 365,
        }
    }
}

/// A word that is no rotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of daily, weekly, monthly and yearly")]
pub struct UnknownRotation(pub String);

impl std::str::FromStr for AuditRotation {
    type Err = UnknownRotation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "daily" => Ok(Self::Daily),
            "weekly" => Ok(Self::Weekly),
            "monthly" => Ok(Self::Monthly),
            "yearly" => Ok(Self::Yearly),
            other => Err(UnknownRotation(other.to_owned())),
        }
    }
}

/// What an export shall hold.
#[derive(Debug, Clone)]
pub struct AuditExportRequest {
    /// Filters and order, read with [`rport_domain::AUDIT_LIST`]; the page is ignored.
    pub query: ListQuery,
    /// Not before this moment. With this or `to`, files that were put aside are read too.
    pub from: Option<DateTime<FixedOffset>>,
    /// Not after this moment.
    pub to: Option<DateTime<FixedOffset>>,
}

/// The entries of an export, in chunks.
pub struct AuditEntries(mpsc::Receiver<rport_store::AuditChunk>);

impl AuditEntries {
    /// The next entries; `None` at the end.
    ///
    /// # Errors
    /// `Internal` when a file cannot be read; nothing follows.
    pub async fn next(&mut self) -> Option<Result<Vec<AuditEntry>, Error>> {
        let chunk = self.0.recv().await?;
        Some(chunk.map_err(Error::from))
    }
}

impl std::fmt::Debug for AuditEntries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditEntries")
    }
}

/// The audit log as users read it. Cheap to clone.
#[derive(Clone)]
pub struct AuditLogs {
    log: AuditLog,
    options: AuditOptions,
    clock: Clock,
}

impl AuditLogs {
    pub(crate) fn new(log: AuditLog, options: AuditOptions, clock: Clock) -> Self {
        Self { log, options, clock }
    }

    /// Who writes to the same log.
    #[cfg(test)]
    pub(crate) fn writer(&self) -> super::Audit {
        super::Audit::new(self.log.clone(), self.options, self.clock.clone())
    }

    /// A page of the file in use. `query` was read with [`rport_domain::AUDIT_LIST`]. Who is no administrator gets the
    /// own entries only.
    ///
    /// # Errors
    /// `Forbidden` without the permission `auditlog`, and for a filter by user name of somebody who is no
    /// administrator; `NotFound` when the log is switched off.
    pub async fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Page<AuditEntry>, Error> {
        let only = self.scope(actor, query)?;
        Ok(self.log.list(query, only.as_deref()).await?)
    }

    /// Everything that matches.
    ///
    /// # Errors
    /// As [`AuditLogs::list`].
    pub fn export(&self, actor: &Actor, request: AuditExportRequest) -> Result<AuditEntries, Error> {
        let only = self.scope(actor, &request.query)?;
        let AuditExportRequest { query, from, to } = request;
        Ok(AuditEntries(self.log.export(AuditExport {
            query,
            only,
            from,
            to,
        })))
    }

    /// Checks who asks and returns whose entries may be shown, if not everybody's.
    fn scope(&self, actor: &Actor, query: &ListQuery) -> Result<Option<String>, Error> {
        actor.require(Permission::Auditlog)?;
        if !self.options.enabled {
            return Err(Error::not_found("the audit log is switched off")
                .detail("set enable_audit_log in [api] of the server's configuration"));
        }
        if actor.is_admin() {
            return Ok(None);
        }
        if query.filters.iter().any(names_users) {
            return Err(Error::forbidden("filter forbidden"));
        }
        Ok(Some(actor.user.to_string()))
    }

    /// Puts the file aside when it is old enough, and deletes files that were kept long enough.
    pub(crate) async fn keep_up(self, tasks: Tasks) {
        if !self.options.enabled {
            return;
        }
        let stop = tasks.soft();
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => self.look().await,
            }
        }
    }

    /// One look.
    pub(crate) async fn look(&self) {
        match self.log.oldest().await {
            Ok(oldest) => {
                if self.is_due(oldest) {
                    self.rotate().await;
                }
            }
            Err(error) => {
                let mended = self.log.mend().await;
                tracing::error!(%error, mended, "the audit log cannot be read");
            }
        }
        let Some(keep) = self.options.keep_days else {
            return;
        };
        let today = self.clock.now_local().date_naive();
        let Some(limit) = today.checked_sub_days(Days::new(keep)) else {
            return;
        };
        match self.log.delete_before(limit).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "old files of the audit log deleted"),
            Err(error) => tracing::error!(%error, "old files of the audit log were not deleted"),
        }
    }

    fn is_due(&self, oldest: Option<DateTime<FixedOffset>>) -> bool {
        let end = oldest.and_then(|oldest| oldest.checked_add_days(Days::new(self.options.rotation.days())));
        end.is_some_and(|end| end <= self.clock.now_local())
    }

    async fn rotate(&self) {
        let today = self.clock.now_local().date_naive();
        match self.log.rotate(today).await {
            Ok(file) => tracing::info!(file = %file.display(), "a new file of the audit log was started"),
            Err(error) => tracing::warn!(%error, "the audit log was not put aside, trying again soon"),
        }
    }
}

/// Whether a filter names users. `filter[*]` does not: it looks at every column, of the own entries.
fn names_users(filter: &Filter) -> bool {
    filter.columns.contains(&AUDIT_USERNAME) && filter.columns.len() + 1 < AUDIT_LIST.filters.len()
}
