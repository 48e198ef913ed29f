//! Multi-jobs: one order to many clients.

use std::collections::BTreeMap;

use rport_domain::{JobTargets, TagOperator, TagTargets};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::job::{Job, JobParameter};

/// An order to many clients.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MultiJob {
    /// A UUID.
    pub jid: String,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: GoTime,
    /// Who ordered it.
    pub created_by: String,
    /// The schedule that did.
    #[schema(required)]
    pub schedule_id: Option<String>,
    /// Clients by id; null when there are none.
    #[schema(required)]
    pub client_ids: Option<Vec<String>>,
    /// Clients by group; null when there are none.
    #[schema(required)]
    pub group_ids: Option<Vec<String>>,
    /// Clients by tags; null when they were not chosen so.
    #[schema(required)]
    pub tags: Option<JobTags>,
    /// The command, or the script in clear.
    pub command: String,
    /// Where it runs; empty for the agents' default.
    pub cwd: String,
    /// What runs it; empty for the agents' default.
    pub interpreter: String,
    /// How many seconds it may run on each client.
    pub timeout_sec: i64,
    /// Whether the clients get their turn at the same time.
    pub concurrent: bool,
    /// Whether a failed job keeps those after it from starting.
    pub abort_on_err: bool,
    /// Its newest jobs, at most 100, of clients that the caller may access.
    pub jobs: Vec<Job>,
    /// Whether it runs as root.
    pub is_sudo: bool,
    /// Whether it is a script.
    pub is_script: bool,
    /// How far it is. Counts all of its jobs.
    pub counts: JobCounts,
}

impl MultiJob {
    /// Shows a multi-job with some of its jobs.
    pub fn new(
        multi: rport_domain::MultiJob,
        counts: rport_domain::JobCounts,
        jobs: Vec<rport_domain::Job>,
    ) -> Self {
        let rport_domain::MultiJob {
            id,
            started_at,
            created_by,
            schedule_id,
            targets,
            order,
            pace,
        } = multi;
        let (client_ids, group_ids, tags) = shown(targets);
        Self {
            jid: id.to_string(),
            started_at: GoTime(started_at),
            created_by: created_by.to_string(),
            schedule_id: schedule_id.map(|id| id.to_string()),
            client_ids,
            group_ids,
            tags,
            command: order.command,
            cwd: order.cwd,
            interpreter: order.interpreter,
            timeout_sec: order.timeout_sec,
            concurrent: pace.at_once != Some(1),
            abort_on_err: pace.abort_on_error,
            jobs: jobs.into_iter().map(Into::into).collect(),
            is_sudo: order.is_sudo,
            is_script: order.is_script,
            counts: counts.into(),
        }
    }
}

/// An order to many clients in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MultiJobItem {
    /// A UUID.
    pub jid: String,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: GoTime,
    /// Who ordered it.
    pub created_by: String,
    /// The schedule that did.
    #[schema(required)]
    pub schedule_id: Option<String>,
    /// The command, or the script in clear.
    pub command: String,
    /// Whether it is a script.
    pub is_script: bool,
    /// Clients by id; null when there are none.
    #[schema(required)]
    pub client_ids: Option<Vec<String>>,
    /// Clients by group; null when there are none.
    #[schema(required)]
    pub group_ids: Option<Vec<String>>,
    /// Clients by tags; null when they were not chosen so.
    #[schema(required)]
    pub tags: Option<JobTags>,
    /// How far it is. Counts all of its jobs.
    pub counts: JobCounts,
}

impl MultiJobItem {
    /// Shows a multi-job.
    pub fn new(multi: rport_domain::MultiJob, counts: rport_domain::JobCounts) -> Self {
        let (client_ids, group_ids, tags) = shown(multi.targets);
        Self {
            jid: multi.id.to_string(),
            started_at: GoTime(multi.started_at),
            created_by: multi.created_by.to_string(),
            schedule_id: multi.schedule_id.map(|id| id.to_string()),
            command: multi.order.command,
            is_script: multi.order.is_script,
            client_ids,
            group_ids,
            tags,
            counts: counts.into(),
        }
    }
}

fn shown(targets: JobTargets) -> (Option<Vec<String>>, Option<Vec<String>>, Option<JobTags>) {
    let some = |ids: Vec<String>| (!ids.is_empty()).then_some(ids);
    (
        some(targets.client_ids.iter().map(ToString::to_string).collect()),
        some(targets.group_ids.iter().map(ToString::to_string).collect()),
        targets.tags.map(Into::into),
    )
}

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobCounts {
    /// All.
    pub total: u64,
    /// Their clients were not asked yet.
    pub waiting: u64,
    /// They run.
    pub running: u64,
    /// They ended well.
    pub successful: u64,
    /// They ended badly, or were never started.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
}

impl From<rport_domain::JobCounts> for JobCounts {
    fn from(counts: rport_domain::JobCounts) -> Self {
        let rport_domain::JobCounts {
            total,
            waiting,
            running,
            successful,
            failed,
            unknown,
        } = counts;
        Self {
            total,
            waiting,
            running,
            successful,
            failed,
            unknown,
        }
    }
}

/// Clients chosen by their tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobTags {
    /// The tags.
    pub tags: Vec<String>,
    /// `AND` for clients that have all of them; anything else for those that have any.
    #[schema(example = "OR")]
    pub operator: String,
}

impl From<TagTargets> for JobTags {
    fn from(targets: TagTargets) -> Self {
        let operator = match targets.operator {
            TagOperator::And => "AND",
            TagOperator::Or => "OR",
        };
        Self {
            tags: targets.tags,
            operator: operator.to_owned(),
        }
    }
}

impl From<JobTags> for TagTargets {
    fn from(tags: JobTags) -> Self {
        Self {
            tags: tags.tags,
            operator: if tags.operator.eq_ignore_ascii_case("and") {
                TagOperator::And
            } else {
                TagOperator::Or
            },
        }
    }
}

/// A command or script for many clients: those of `client_ids` and `group_ids`, or those with `tags`. Scripts have
/// `script` and commands have `command`; the other one is ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewMultiJob {
    /// Clients by id, in the order of their turns.
    pub client_ids: Option<Vec<String>>,
    /// Clients by group; their turns come after those of `client_ids`.
    pub group_ids: Option<Vec<String>>,
    /// Clients by tags.
    pub tags: Option<JobTags>,
    /// The command line; required for commands.
    #[schema(example = "uptime")]
    pub command: String,
    /// The script in base64; required for scripts.
    #[schema(example = "dXB0aW1l")]
    pub script: String,
    /// What runs it. Commands: `cmd` or `powershell`, on Windows; scripts: a name or a path. The agents' default if
    /// missing.
    #[schema(example = "")]
    pub interpreter: String,
    /// Where it runs; the agents' default if missing.
    pub cwd: String,
    /// Whether it runs as root, by `sudo -n`.
    pub is_sudo: bool,
    /// How many seconds it may run on each client; the server's default if missing or not above 0.
    pub timeout_sec: i64,
    /// Whether the clients get their turn at the same time, rather than one after another.
    pub execute_concurrently: bool,
    /// How many clients get their turn at the same time.
    #[schema(minimum = 1)]
    pub max_concurrent: Option<u32>,
    /// Whether a failed job keeps those after it from starting; true if missing.
    pub abort_on_error: Option<bool>,
    /// Whether jobs wait for clients that are not connected.
    pub queue_if_offline: bool,
    /// Until when they wait: RFC 3339, or a duration such as `36h`. A day if missing, 30 days at most.
    pub expires: Option<String>,
    /// Values for `%%NAME%%` in the text. If missing, the text is not looked at.
    #[schema(example = json!({"HOST": "db1", "PASSWORD": {"vault": "db password"}}))]
    pub parameters: Option<BTreeMap<String, JobParameter>>,
    /// Whether output can be followed at `/ws/jobs/{job_id}` while it runs.
    pub stream_result: bool,
    /// On WebSockets: whether the first frame tells the id, `{"multi_job_id": "…"}`.
    pub announce: bool,
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rport_domain::{JobOrder, JobPace};

    use super::*;

    /// The members of the Go server in its order; ours comes last.
    #[test]
    fn a_multi_job_looks_like_the_go_servers() {
        let multi = rport_domain::MultiJob {
            id: "2a9c".into(),
            started_at: DateTime::parse_from_rfc3339("2026-11-23T16:29:04.20841257Z").expect("a time"),
            created_by: "admin".into(),
            schedule_id: None,
            targets: JobTargets {
                client_ids: vec!["go-agent".into()],
                ..JobTargets::default()
            },
            order: JobOrder {
                command: "id".into(),
                timeout_sec: 60,
                ..JobOrder::default()
            },
            pace: JobPace {
                at_once: None,
                abort_on_error: true,
            },
        };
        let counts = rport_domain::JobCounts {
            total: 1,
            successful: 1,
            ..rport_domain::JobCounts::default()
        };
        let text = serde_json::to_string(&MultiJob::new(multi.clone(), counts, Vec::new())).expect("JSON");
        assert_eq!(
            text,
            r#"{"jid":"2a9c","started_at":"2026-11-23T16:29:04.20841257Z","created_by":"admin","schedule_id":null,"client_ids":["go-agent"],"group_ids":null,"tags":null,"command":"id","cwd":"","interpreter":"","timeout_sec":60,"concurrent":true,"abort_on_err":true,"jobs":[],"is_sudo":false,"is_script":false,"counts":{"total":1,"waiting":0,"running":0,"successful":1,"failed":0,"unknown":0}}"#
        );
        let text = serde_json::to_string(&MultiJobItem::new(multi, counts)).expect("JSON");
        assert!(
            text.starts_with(
                r#"{"jid":"2a9c","started_at":"2026-11-23T16:29:04.20841257Z","created_by":"admin","schedule_id":null,"#
            ),
            "{text}"
        );
    }
}
