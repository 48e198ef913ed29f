//! A client as callers see it, and what its lists allow.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};

use crate::{
    ClientRecord,
    list::{FieldsSpec, FilterSpec, ListSpec, SortSpec, Value},
};

/// A client together with what is not stored with it.
#[derive(Debug, Clone)]
pub struct ClientView {
    /// The record. Shared: a list of many clients copies no record.
    pub record: Arc<ClientRecord>,
    /// When the client last gave a sign of life; none until the first ping of this server process.
    pub last_heartbeat_at: Option<DateTime<FixedOffset>>,
    /// Client groups it belongs to. May be left empty when the query does not need `groups`.
    pub groups: Arc<[String]>,
}

/// Members of a client in answers, in their order. `ip_addresses` is the name for asking; the member itself is called
/// `ext_ip_addresses`.
pub static CLIENT_FIELDS: FieldsSpec = FieldsSpec {
    resource: "clients",
    also: &[],
    all: &[
        "id",
        "name",
        "address",
        "hostname",
        "os",
        "os_full_name",
        "os_version",
        "os_arch",
        "os_family",
        "os_kernel",
        "os_virtualization_system",
        "os_virtualization_role",
        "num_cpus",
        "cpu_family",
        "cpu_model",
        "cpu_model_name",
        "cpu_vendor",
        "mem_total",
        "timezone",
        "client_auth_id",
        "version",
        "disconnected_at",
        "last_heartbeat_at",
        "connection_state",
        "ipv4",
        "ipv6",
        "tags",
        "allowed_user_groups",
        "tunnels",
        "updates_status",
        "ip_addresses",
        "client_configuration",
        "groups",
        "labels",
    ],
    default: &["id", "name", "hostname"],
};

/// What `GET /clients` allows. Source: API notes, section 4.2.
pub static CLIENT_LIST: ListSpec = ListSpec {
    default_limit: 50,
    max_limit: 500,
    sorts: &["id", "name", "os", "hostname", "version"],
    default_sort: &[SortSpec::ascending("id")],
    single_sort: Some("Only one sort field is supported for clients."),
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("name"),
        FilterSpec::matching("os"),
        FilterSpec::matching("os_arch"),
        FilterSpec::matching("os_family"),
        FilterSpec::matching("os_kernel"),
        FilterSpec::matching("os_full_name"),
        FilterSpec::matching("os_version"),
        FilterSpec::matching("os_virtualization_system"),
        FilterSpec::matching("os_virtualization_role"),
        FilterSpec::matching("cpu_family"),
        FilterSpec::matching("cpu_model"),
        FilterSpec::matching("cpu_model_name"),
        FilterSpec::matching("cpu_vendor"),
        FilterSpec::matching("num_cpus"),
        FilterSpec::matching("timezone"),
        FilterSpec::matching("hostname"),
        FilterSpec::matching("ipv4"),
        FilterSpec::matching("ipv6"),
        FilterSpec::matching("tags"),
        FilterSpec::matching("labels"),
        FilterSpec::matching("version"),
        FilterSpec::matching("address"),
        FilterSpec::matching("client_auth_id"),
        FilterSpec::matching("allowed_user_groups"),
        FilterSpec::matching("groups"),
        FilterSpec::matching("connection_state"),
    ],
    fields: Some(&CLIENT_FIELDS),
};

impl ClientView {
    /// Gives the members lists sort and filter by; for [`crate::list::ListQuery::run`].
    pub fn field<'a>(&'a self, name: &str) -> Value<'a> {
        if name == "groups" {
            Value::List(&self.groups)
        } else {
            self.record.field(name)
        }
    }
}

impl ClientRecord {
    /// Gives the members lists sort and filter by, except the computed `groups`.
    pub fn field<'a>(&'a self, name: &str) -> Value<'a> {
        let details = &self.details;
        match name {
            "id" => Value::Text(self.id.as_str()),
            "name" => Value::Text(&details.name),
            "os" => Value::Text(&details.os),
            "os_arch" => Value::Text(&details.os_arch),
            "os_family" => Value::Text(&details.os_family),
            "os_kernel" => Value::Text(&details.os_kernel),
            "os_full_name" => Value::Text(&details.os_full_name),
            "os_version" => Value::Text(&details.os_version),
            "os_virtualization_system" => Value::Text(&details.os_virtualization_system),
            "os_virtualization_role" => Value::Text(&details.os_virtualization_role),
            "cpu_family" => Value::Text(&details.cpu_family),
            "cpu_model" => Value::Text(&details.cpu_model),
            "cpu_model_name" => Value::Text(&details.cpu_model_name),
            "cpu_vendor" => Value::Text(&details.cpu_vendor),
            "num_cpus" => Value::Number(details.num_cpus),
            "timezone" => Value::Text(&details.timezone),
            "hostname" => Value::Text(&details.hostname),
            "ipv4" => Value::list(details.ipv4.as_ref()),
            "ipv6" => Value::list(details.ipv6.as_ref()),
            "tags" => Value::list(details.tags.as_ref()),
            "labels" => Value::object(details.labels.as_ref()),
            "version" => Value::Text(&details.version),
            "address" => Value::Text(&details.address),
            "client_auth_id" => Value::Text(self.client_auth_id.as_str()),
            "allowed_user_groups" => Value::list(details.allowed_user_groups.as_ref()),
            "connection_state" => Value::Text(self.connection_state().as_str()),
            _ => Value::Null,
        }
    }
}
