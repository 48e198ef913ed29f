//! The server's nouns and pure rules: ids, client and tunnel records, access, list queries, port sets, error kinds.
//!
//! Nothing here is async, talks SQL or knows that HTTP exists. Rules are plain functions over plain values, so that
//! every service, the store and the API can share them and tests need no set-up.
//!
//! Start reading at [`Error`] (what every service returns), [`ClientRecord`] and [`TunnelRequest`].

pub mod access;
mod api_token;
mod attributes;
mod audit;
mod client;
mod client_address;
pub mod client_auth;
mod client_details;
mod client_group;
mod client_tag;
mod client_view;
mod error;
mod glob;
mod go_duration;
mod ids;
mod job;
mod library;
pub mod list;
pub mod password_rules;
mod permission;
mod port_set;
mod schedule;
mod send_to;
mod stored_tunnel;
mod tunnel;
mod tunnel_acl;
mod tunnel_request;
pub mod tunnel_rules;
mod user;
mod vault;

pub use api_token::{TokenScope, UnknownScope};
pub use attributes::Attributes;
pub use audit::{AUDIT_LIST, AUDIT_USERNAME, AuditAction, AuditApplication, AuditEntry};
pub use client::{ClientRecord, ConnectionState};
pub use client_address::client_address;
pub use client_auth::{CLIENT_AUTH_LIST, ClientAuthView, StoredPassword};
pub use client_details::ClientDetails;
pub use client_group::{
    CLIENT_GROUP_FIELDS, CLIENT_GROUP_LIST, ClientGroup, ClientGroupMatcher, ClientGroupParams,
    ClientGroupView, client_group_not_found,
};
pub use client_tag::{CLIENT_TAG_FIELDS, CLIENT_TAG_LIST, ClientTag};
pub use client_view::{CLIENT_FIELDS, CLIENT_LIST, ClientView};
pub use error::{Error, Kind, Result};
pub use glob::Glob;
pub use go_duration::parse as parse_go_duration;
pub use ids::{
    ApiSessionId, ClientAuthId, ClientGroupId, ClientId, ConnectionId, JobId, LibraryId, ScheduleId,
    StoredTunnelId, TunnelId, UserName, VaultValueId,
};
pub use job::{
    JOB_FIELDS, JOB_LIST, Job, JobCounts, JobOrder, JobPace, JobStatus, JobTargets, MULTI_JOB_LIST, MultiJob,
    TagOperator, TagTargets, UnknownJobStatus,
};
pub use library::{
    DEFAULT_TIMEOUT_SEC, LibraryDefinition, LibraryEntry, LibraryKind, LibraryParameter, fill_parameters,
    library_parameters,
};
pub use list::{Fields, ListQuery, Page};
pub use password_rules::PasswordRules;
pub use permission::{Permission, Permissions, UnknownPermission};
pub use port_set::{PortSet, PortSetError};
pub use schedule::{
    LastExecution, MAX_SCHEDULES, MissedRuns, NewSchedule, Origin, RunOutcome, SCHEDULE_LIST,
    SCHEDULE_RUN_LIST, Schedule, ScheduleDefinition, ScheduleExtras, ScheduleParameter, ScheduleRun,
    Timetable, TimetableError, UnknownMissedRuns, UnknownRunOutcome, WallClock, schedule_not_found,
};
pub use send_to::SendToRule;
pub use stored_tunnel::{
    MAX_STORED_TUNNELS, STORED_TUNNEL_LIST, StoredTunnel, TunnelDefinition, stored_tunnel_not_found,
};
pub use tunnel::TunnelRecord;
pub use tunnel_acl::{TunnelAcl, TunnelAclError};
pub use tunnel_request::{CheckedTunnel, TunnelPassword, TunnelRequest};
pub use user::{User, UserChange, UserGroup};
pub use vault::{
    VAULT_LIST, VAULT_PASSWORD_MAX, VAULT_PASSWORD_MAX_GO, VAULT_PASSWORD_MIN, VaultEntry, VaultLabel,
    VaultStatus, vault_locked, vault_value_not_found,
};
