//! What lists of jobs can be asked. Source: rest-api.md 4.2.

use crate::list::{FieldsSpec, FilterSpec, ListSpec, Operator, SortSpec};

/// How a time is compared.
const TIMES: &[Operator] = &[Operator::Gt, Operator::Lt, Operator::Since, Operator::Until];

/// The members of a job in lists. The members of `result` have a prefix here.
pub static JOB_FIELDS: FieldsSpec = FieldsSpec {
    resource: "jobs",
    also: &[("commands", ""), ("scripts", ""), ("result", "result.")],
    all: &[
        "jid",
        "status",
        "finished_at",
        "client_id",
        "client_name",
        "command",
        "cwd",
        "interpreter",
        "pid",
        "started_at",
        "created_by",
        "timeout_sec",
        "multi_job_id",
        "schedule_id",
        "error",
        "result.stdout",
        "result.stderr",
        "result.summary",
        "is_sudo",
        "is_script",
    ],
    default: &["jid", "status", "finished_at", "result.summary"],
};

/// Jobs of a client or of a multi-job. Without a wish, those that ended last come first and unfinished ones last.
pub static JOB_LIST: ListSpec = ListSpec {
    default_limit: 100,
    max_limit: 1000,
    sorts: &[
        "jid",
        "started_at",
        "finished_at",
        "status",
        "multi_job_id",
        "schedule_id",
        "created_by",
    ],
    default_sort: &[SortSpec {
        column: "finished_at",
        descending: true,
    }],
    single_sort: None,
    filters: &[
        FilterSpec::matching("jid"),
        FilterSpec::matching("status"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("multi_job_id"),
        FilterSpec::matching("schedule_id"),
        FilterSpec::matching("client_id"),
        FilterSpec {
            name: "started_at",
            operators: TIMES,
        },
        FilterSpec {
            name: "finished_at",
            operators: TIMES,
        },
    ],
    fields: Some(&JOB_FIELDS),
};

/// Multi-jobs. Without a wish the newest comes first.
pub static MULTI_JOB_LIST: ListSpec = ListSpec {
    default_limit: 100,
    max_limit: 1000,
    sorts: &["jid", "started_at", "created_by", "schedule_id"],
    default_sort: &[SortSpec {
        column: "started_at",
        descending: true,
    }],
    single_sort: None,
    filters: &[
        FilterSpec::matching("jid"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("schedule_id"),
        FilterSpec {
            name: "started_at",
            operators: TIMES,
        },
    ],
    fields: None,
};
