//! Clients.

use std::borrow::Cow;

use rport_domain::{CLIENT_FIELDS, ClientView, Fields};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::tunnel::Tunnel;

/// A client with the members that were asked for.
///
/// The handler gets the selection from the query ([`rport_domain::ListQuery::fields`], [`Fields::parse`]) and hands
/// it over with the view; nothing that was not asked for is converted. Written straight from the record: a page of
/// 500 clients needs no copies.
#[derive(Debug, Clone)]
pub struct Client {
    view: ClientView,
    fields: Fields,
}

impl Client {
    /// Shows the wanted members of a client.
    pub fn new(view: ClientView, fields: Fields) -> Self {
        Self { view, fields }
    }

    /// Shows all members of a client.
    pub fn with_all_fields(view: ClientView) -> Self {
        Self::new(view, Fields::all(&CLIENT_FIELDS))
    }
}

impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.view.record;
        let details = &record.details;
        let mut map = serializer.serialize_map(None)?;
        for name in self.fields.names() {
            match name {
                "id" => map.serialize_entry(name, &record.id),
                "name" => map.serialize_entry(name, &details.name),
                "address" => map.serialize_entry(name, &details.address),
                "hostname" => map.serialize_entry(name, &details.hostname),
                "os" => map.serialize_entry(name, &details.os),
                "os_full_name" => map.serialize_entry(name, &details.os_full_name),
                "os_version" => map.serialize_entry(name, &details.os_version),
                "os_arch" => map.serialize_entry(name, &details.os_arch),
                "os_family" => map.serialize_entry(name, &details.os_family),
                "os_kernel" => map.serialize_entry(name, &details.os_kernel),
                "os_virtualization_system" => map.serialize_entry(name, &details.os_virtualization_system),
                "os_virtualization_role" => map.serialize_entry(name, &details.os_virtualization_role),
                "num_cpus" => map.serialize_entry(name, &details.num_cpus),
                "cpu_family" => map.serialize_entry(name, &details.cpu_family),
                "cpu_model" => map.serialize_entry(name, &details.cpu_model),
                "cpu_model_name" => map.serialize_entry(name, &details.cpu_model_name),
                "cpu_vendor" => map.serialize_entry(name, &details.cpu_vendor),
                "mem_total" => map.serialize_entry(name, &details.mem_total),
                "timezone" => map.serialize_entry(name, &details.timezone),
                "client_auth_id" => map.serialize_entry(name, &record.client_auth_id),
                "version" => map.serialize_entry(name, &details.version),
                "disconnected_at" => map.serialize_entry(name, &record.disconnected_at.map(GoTime)),
                "last_heartbeat_at" => map.serialize_entry(name, &self.view.last_heartbeat_at.map(GoTime)),
                "connection_state" => map.serialize_entry(name, record.connection_state().as_str()),
                "ipv4" => map.serialize_entry(name, &details.ipv4),
                "ipv6" => map.serialize_entry(name, &details.ipv6),
                "tags" => map.serialize_entry(name, &details.tags),
                "allowed_user_groups" => map.serialize_entry(name, &details.allowed_user_groups),
                "tunnels" => {
                    let tunnels: Vec<_> = details.tunnels.iter().map(Tunnel::from).collect();
                    map.serialize_entry(name, &tunnels)
                }
                "updates_status" => map.serialize_entry(name, &details.updates_status),
                // Asked for by one name, answered by another: so does the Go server.
                "ip_addresses" => map.serialize_entry("ext_ip_addresses", &details.ext_ip_addresses),
                "client_configuration" => map.serialize_entry(name, &details.client_configuration),
                "groups" => map.serialize_entry(name, &self.view.groups),
                "labels" => map.serialize_entry(name, &details.labels),
                _ => Ok(()),
            }?;
        }
        map.end()
    }
}

impl PartialSchema for Client {
    fn schema() -> RefOr<Schema> {
        ClientDocument::schema()
    }
}

impl ToSchema for Client {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Client")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ClientDocument::schemas(schemas);
    }
}

/// A client. Members that were not asked for are absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what Client writes, for the OpenAPI document")]
struct ClientDocument {
    /// Id of the client.
    id: Option<String>,
    /// Display name.
    name: Option<String>,
    /// Address the client connects from, without port.
    address: Option<String>,
    /// Host name.
    hostname: Option<String>,
    /// Operating system, one line of prose.
    os: Option<String>,
    /// Such as `Debian 12.11`.
    os_full_name: Option<String>,
    /// Such as `12.11`.
    os_version: Option<String>,
    /// Such as `amd64`.
    os_arch: Option<String>,
    /// Such as `debian`.
    os_family: Option<String>,
    /// Such as `linux`.
    os_kernel: Option<String>,
    /// Such as `KVM`.
    os_virtualization_system: Option<String>,
    /// `guest`, `host`, `unknown` or empty.
    os_virtualization_role: Option<String>,
    /// Number of logical CPUs.
    num_cpus: Option<i64>,
    /// Of the first CPU.
    cpu_family: Option<String>,
    /// Of the first CPU.
    cpu_model: Option<String>,
    /// Of the first CPU.
    cpu_model_name: Option<String>,
    /// Of the first CPU.
    cpu_vendor: Option<String>,
    /// Memory in bytes.
    mem_total: Option<u64>,
    /// Zone name and offset, such as `CET (UTC+01:00)`.
    timezone: Option<String>,
    /// Credentials the client connects with.
    client_auth_id: Option<String>,
    /// Version of the agent.
    version: Option<String>,
    /// When the connection ended; null while connected.
    #[schema(format = DateTime)]
    disconnected_at: Option<String>,
    /// Last sign of life; null until the first one.
    #[schema(format = DateTime)]
    last_heartbeat_at: Option<String>,
    /// `connected` or `disconnected`.
    connection_state: Option<String>,
    /// Interface addresses.
    ipv4: Option<Vec<String>>,
    /// Interface addresses.
    ipv6: Option<Vec<String>>,
    /// Tags.
    tags: Option<Vec<String>>,
    /// User groups that may access the client; null until set.
    allowed_user_groups: Option<Vec<String>>,
    /// Tunnels. Those of a disconnected client are opened again when it returns.
    tunnels: Option<Vec<Tunnel>>,
    /// Operating system updates, as last reported.
    updates_status: Option<UpdatesStatusDocument>,
    /// Public addresses, as last reported. Asked for as `ip_addresses`.
    ext_ip_addresses: Option<IpAddressesDocument>,
    /// The agent's configuration, without credentials. Durations are nanoseconds.
    #[schema(value_type = Option<Object>)]
    client_configuration: Option<()>,
    /// Client groups the client belongs to.
    groups: Option<Vec<String>>,
    /// Labels.
    labels: Option<std::collections::BTreeMap<String, String>>,
}

/// Operating system updates.
#[derive(ToSchema)]
#[schema(as = UpdatesStatus)]
#[expect(dead_code, reason = "describes a wire type, for the OpenAPI document")]
struct UpdatesStatusDocument {
    /// When the client looked.
    #[schema(format = DateTime)]
    refreshed: String,
    /// Number of updates.
    updates_available: i64,
    /// How many of them mend security problems.
    security_updates_available: i64,
    /// One entry per update.
    #[schema(required)]
    update_summaries: Option<Vec<UpdateSummaryDocument>>,
    /// Whether an earlier update waits for a reboot.
    reboot_pending: bool,
    /// What went wrong; absent when nothing did.
    error: Option<String>,
    /// How to get better results; absent when there is nothing to say.
    hint: Option<String>,
}

/// An operating system update.
#[derive(ToSchema)]
#[schema(as = UpdateSummary)]
#[expect(dead_code, reason = "describes a wire type, for the OpenAPI document")]
struct UpdateSummaryDocument {
    /// Package or update name.
    title: String,
    /// More about it.
    description: String,
    /// Whether it needs a reboot.
    reboot_required: bool,
    /// Whether it mends a security problem.
    is_security_update: bool,
}

/// Public addresses.
#[derive(ToSchema)]
#[schema(as = IpAddresses)]
#[expect(dead_code, reason = "describes a wire type, for the OpenAPI document")]
struct IpAddressesDocument {
    /// Public IPv4 address.
    ipv4: String,
    /// Public IPv6 address.
    ipv6: String,
    /// When they were reported.
    #[schema(format = DateTime)]
    updated_at: String,
    /// What went wrong.
    error: String,
}

/// User groups that may access a client.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientAclChange {
    /// The groups; replaces the earlier list. Null and missing count as empty.
    pub allowed_user_groups: Option<Vec<String>>,
}

#[cfg(test)]
mod tests;
