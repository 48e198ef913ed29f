//! Jobs: what is ordered for one client, and what becomes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rport_domain::{Fields, JOB_FIELDS};
use rport_protocol::{GoTime, JobResult};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A job with all of its members.
#[derive(Debug, Clone)]
pub struct Job {
    job: rport_domain::Job,
    streams: bool,
}

impl Job {
    /// Shows a job to somebody who watches it: its output was wanted.
    pub fn watched(job: rport_domain::Job) -> Self {
        Self { job, streams: true }
    }
}

/// Whether output is wanted is known only while a job runs: in answers it is not, as in the Go server.
impl From<rport_domain::Job> for Job {
    fn from(job: rport_domain::Job) -> Self {
        Self { job, streams: false }
    }
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        members(&self.job, Fields::all(&JOB_FIELDS), &mut map)?;
        map.serialize_entry("stream_result", &self.streams)?;
        map.end()
    }
}

/// A job in a list, with the members that were asked for.
#[derive(Debug, Clone)]
pub struct JobItem {
    job: rport_domain::Job,
    fields: Fields,
}

impl JobItem {
    /// Shows the wanted members.
    pub fn new(job: rport_domain::Job, fields: Fields) -> Self {
        Self { job, fields }
    }
}

impl Serialize for JobItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        members(&self.job, self.fields, &mut map)?;
        map.end()
    }
}

fn members<M: SerializeMap>(job: &rport_domain::Job, fields: Fields, map: &mut M) -> Result<(), M::Error> {
    let order = &job.order;
    let mut has_result = false;
    for name in fields.names() {
        match name {
            "jid" => map.serialize_entry(name, &job.id),
            "status" => map.serialize_entry(name, job.status.as_str()),
            "finished_at" => map.serialize_entry(name, &job.finished_at.map(GoTime)),
            "client_id" => map.serialize_entry(name, &job.client_id),
            "client_name" => map.serialize_entry(name, &job.client_name),
            "command" => map.serialize_entry(name, &order.command),
            "cwd" => map.serialize_entry(name, &order.cwd),
            "interpreter" => map.serialize_entry(name, &order.interpreter),
            "pid" => map.serialize_entry(name, &job.pid),
            "started_at" => map.serialize_entry(name, &GoTime(job.started_at)),
            "created_by" => map.serialize_entry(name, &job.created_by),
            "timeout_sec" => map.serialize_entry(name, &order.timeout_sec),
            "multi_job_id" => map.serialize_entry(name, &job.multi_job_id),
            "schedule_id" => map.serialize_entry(name, &job.schedule_id),
            "error" => map.serialize_entry(name, &job.error),
            "is_sudo" => map.serialize_entry(name, &order.is_sudo),
            "is_script" => map.serialize_entry(name, &order.is_script),
            _ if name.starts_with("result.") && !has_result => {
                has_result = true;
                let result = job.result.as_ref().map(|result| Output { result, fields });
                map.serialize_entry("result", &result)
            }
            _ => Ok(()),
        }?;
    }
    Ok(())
}

/// The wanted members of a result.
struct Output<'a> {
    result: &'a JobResult,
    fields: Fields,
}

impl Serialize for Output<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (member, name, text) in [
            ("result.stdout", "stdout", &self.result.stdout),
            ("result.stderr", "stderr", &self.result.stderr),
            ("result.summary", "summary", &self.result.summary),
        ] {
            if self.fields.contains(member) {
                map.serialize_entry(name, text)?;
            }
        }
        map.end()
    }
}

/// One execution of a command or script on one client.
#[derive(ToSchema)]
#[schema(as = Job)]
#[expect(dead_code, reason = "describes what Job writes, for the OpenAPI document")]
struct JobDocument {
    /// A UUID.
    jid: String,
    /// `waiting` (the client was not asked yet), `running`, `successful`, `failed`, or `unknown`: it reached its time
    /// limit, or nobody knows what became of it.
    #[schema(example = "successful")]
    status: String,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    finished_at: Option<GoTime>,
    /// Where it runs.
    client_id: String,
    /// The client's name when it was ordered.
    client_name: String,
    /// The command, or the script in clear.
    command: String,
    /// Where it runs on the client; empty for the agent's default.
    cwd: String,
    /// What runs it; empty for the agent's default.
    interpreter: String,
    /// Process id on the client; null until it is known.
    #[schema(required)]
    pid: Option<i64>,
    /// Start of the process; until that is known, when it was ordered.
    #[schema(value_type = String, format = DateTime)]
    started_at: GoTime,
    /// Who ordered it.
    created_by: String,
    /// How many seconds it may run.
    timeout_sec: i64,
    /// The multi-job it belongs to.
    #[schema(required)]
    multi_job_id: Option<String>,
    /// The schedule that started it.
    #[schema(required)]
    schedule_id: Option<String>,
    /// What went wrong; empty when nothing did.
    error: String,
    /// Its output; null until it ended, and for those that never started.
    #[schema(required)]
    result: Option<JobOutput>,
    /// Whether it runs as root.
    is_sudo: bool,
    /// Whether it is a script.
    is_script: bool,
    /// Whether its output was sent while it ran, to who reads this.
    stream_result: bool,
}

/// Output of a job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what Job writes, for the OpenAPI document")]
struct JobOutput {
    /// Standard output, up to the agent's limit.
    stdout: String,
    /// Standard error output, up to the agent's limit.
    stderr: String,
    /// What stood between `<summary>` and `</summary>` in the standard output.
    summary: String,
}

/// A job in a list. Members that were not asked for are absent.
#[derive(ToSchema)]
#[schema(as = JobItem)]
#[expect(dead_code, reason = "describes what JobItem writes, for the OpenAPI document")]
struct JobItemDocument {
    /// A UUID.
    jid: Option<String>,
    /// `waiting`, `running`, `successful`, `failed` or `unknown`.
    status: Option<String>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<GoTime>,
    /// Where it runs.
    client_id: Option<String>,
    /// The client's name when it was ordered.
    client_name: Option<String>,
    /// The command, or the script in clear.
    command: Option<String>,
    /// Where it runs on the client.
    cwd: Option<String>,
    /// What runs it.
    interpreter: Option<String>,
    /// Process id on the client.
    pid: Option<i64>,
    /// Start of the process.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<GoTime>,
    /// Who ordered it.
    created_by: Option<String>,
    /// How many seconds it may run.
    timeout_sec: Option<i64>,
    /// The multi-job it belongs to.
    multi_job_id: Option<String>,
    /// The schedule that started it.
    schedule_id: Option<String>,
    /// What went wrong.
    error: Option<String>,
    /// The members of its output that were asked for.
    result: Option<JobOutputItem>,
    /// Whether it runs as root.
    is_sudo: Option<bool>,
    /// Whether it is a script.
    is_script: Option<bool>,
}

/// Output of a job in a list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what JobItem writes, for the OpenAPI document")]
struct JobOutputItem {
    /// Standard output.
    stdout: Option<String>,
    /// Standard error output.
    stderr: Option<String>,
    /// The summary.
    summary: Option<String>,
}

/// Describes a type that writes itself by another.
macro_rules! described {
    ($($name:ident, $title:literal, $document:ident;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $document::schema()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($title)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $document::schemas(schemas);
            }
        }
    )*};
}

described! {
    Job, "Job", JobDocument;
    JobItem, "JobItem", JobItemDocument;
}

/// The id of what was ordered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobStarted {
    /// A UUID.
    pub jid: String,
}

/// The value of a parameter: a text, or the key of a value in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum JobParameter {
    /// The value itself.
    Text(String),
    /// A value of the vault.
    Vault(JobVaultKey),
}

/// Names a value in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobVaultKey {
    /// Its key. The entry of the client is preferred to the general one.
    pub vault: String,
}

/// A command or script for one client. Scripts have `script` and commands have `command`; the other one is ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewClientJob {
    /// The command line; required for commands.
    #[schema(example = "uptime")]
    pub command: String,
    /// The script in base64; required for scripts.
    #[schema(example = "dXB0aW1l")]
    pub script: String,
    /// What runs it. Commands: `cmd` or `powershell`, on Windows; scripts: a name or a path. The agent's default if
    /// missing.
    #[schema(example = "")]
    pub interpreter: String,
    /// Where it runs; the agent's default if missing.
    pub cwd: String,
    /// Whether it runs as root, by `sudo -n`.
    pub is_sudo: bool,
    /// How many seconds it may run; the server's default if missing or not above 0.
    pub timeout_sec: i64,
    /// Whether it waits when the client is not connected.
    pub queue_if_offline: bool,
    /// Until when it waits: RFC 3339, or a duration such as `36h`. A day if missing, 30 days at most.
    pub expires: Option<String>,
    /// Values for `%%NAME%%` in the text. If missing, the text is not looked at.
    #[schema(example = json!({"HOST": "db1", "PASSWORD": {"vault": "db password"}}))]
    pub parameters: Option<BTreeMap<String, JobParameter>>,
    /// Whether its output can be followed at `/ws/jobs/{job_id}` while it runs.
    pub stream_result: bool,
    /// Ignored: the client is in the path.
    #[serde(rename = "ClientID")]
    #[schema(ignore)]
    pub client_id: Option<Value>,
    /// Ignored: the path tells.
    #[serde(rename = "IsScript")]
    #[schema(ignore)]
    pub is_script: Option<Value>,
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rport_domain::{JOB_LIST, JobOrder, JobStatus, ListQuery};

    use super::*;

    fn job() -> rport_domain::Job {
        let at = |text| DateTime::parse_from_rfc3339(text).expect("a time");
        rport_domain::Job {
            id: "5d54".into(),
            status: JobStatus::Successful,
            started_at: at("2026-11-23T16:29:10.004027694Z"),
            finished_at: Some(at("2026-11-23T16:29:10.008104312Z")),
            created_by: "admin".into(),
            client_id: "go-agent".into(),
            client_name: "go-agent".into(),
            multi_job_id: Some("3580".into()),
            schedule_id: None,
            order: JobOrder {
                command: "date".into(),
                is_script: true,
                timeout_sec: 60,
                ..JobOrder::default()
            },
            pid: Some(24644),
            error: String::new(),
            result: Some(JobResult {
                stdout: "Mon\n".into(),
                ..JobResult::default()
            }),
        }
    }

    /// The members of the Go server in its order, as recorded.
    #[test]
    fn a_job_looks_like_the_go_servers() {
        let text = serde_json::to_string(&Job::from(job())).expect("JSON");
        assert_eq!(
            text,
            r#"{"jid":"5d54","status":"successful","finished_at":"2026-11-23T16:29:10.008104312Z","client_id":"go-agent","client_name":"go-agent","command":"date","cwd":"","interpreter":"","pid":24644,"started_at":"2026-11-23T16:29:10.004027694Z","created_by":"admin","timeout_sec":60,"multi_job_id":"3580","schedule_id":null,"error":"","result":{"stdout":"Mon\n","stderr":"","summary":""},"is_sudo":false,"is_script":true,"stream_result":false}"#
        );
        let text = serde_json::to_string(&Job::watched(job())).expect("JSON");
        assert!(text.ends_with(r#","stream_result":true}"#));
    }

    #[test]
    fn items_have_what_was_asked_for() {
        let item = |query: &[(&str, &str)], job| {
            let query = ListQuery::parse(query, &JOB_LIST).expect("valid");
            serde_json::to_string(&JobItem::new(job, query.fields)).expect("JSON")
        };
        assert_eq!(
            item(&[], job()),
            r#"{"jid":"5d54","status":"successful","finished_at":"2026-11-23T16:29:10.008104312Z","result":{"summary":""}}"#
        );
        assert_eq!(
            item(&[("fields[commands]", "pid,jid")], job()),
            r#"{"jid":"5d54","pid":24644}"#
        );
        assert_eq!(
            item(
                &[("fields[result]", "stderr,stdout"), ("fields[jobs]", "status")],
                job()
            ),
            r#"{"status":"successful","result":{"stdout":"Mon\n","stderr":""}}"#
        );
        let without = rport_domain::Job {
            result: None,
            finished_at: None,
            ..job()
        };
        assert_eq!(
            item(&[], without),
            r#"{"jid":"5d54","status":"successful","finished_at":null,"result":null}"#
        );
    }
}
