//! The JSON column `clients.details`, readable by and from the Go server.

use std::{collections::BTreeMap, sync::Arc};

use rport_protocol::{
    ClientConfiguration, PayloadError, json,
    to_server::{IpAddresses, NewConnection, UpdatesStatus},
};
use serde::{Deserialize, Serialize};

use crate::TunnelRecord;

/// Everything about a client that has no column of its own.
///
/// Source: storage notes, section 5.1. Absent lists are `null`, as Go writes them; members of a later version stay
/// in [`ClientDetails::other`] and are written back. Use [`ClientDetails::from_json`] and [`ClientDetails::to_json`]: plain
/// serde knows nothing of those, nor of credentials.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientDetails {
    /// Display name; may be empty.
    pub name: String,
    /// Operating system, one line of prose.
    pub os: String,
    /// Architecture, such as `amd64`.
    pub os_arch: String,
    /// Such as `debian`.
    pub os_family: String,
    /// Such as `linux`.
    pub os_kernel: String,
    /// Such as `Debian 12.11`.
    pub os_full_name: String,
    /// Such as `12.11`.
    pub os_version: String,
    /// Such as `KVM`; may be empty.
    pub os_virtualization_system: String,
    /// `guest`, `host`, `unknown` or empty.
    pub os_virtualization_role: String,
    /// Of the first CPU.
    pub cpu_family: String,
    /// Of the first CPU.
    pub cpu_model: String,
    /// Of the first CPU.
    pub cpu_model_name: String,
    /// Of the first CPU.
    pub cpu_vendor: String,
    /// Logical CPUs.
    pub num_cpus: i64,
    /// Memory in bytes.
    pub mem_total: u64,
    /// Zone name and offset, such as `CET (UTC+01:00)`.
    pub timezone: String,
    /// Host name.
    pub hostname: String,
    /// Agent version.
    pub version: String,
    /// The agent's peer address, without port.
    pub address: String,
    /// Interface addresses.
    pub ipv4: Option<Vec<String>>,
    /// Interface addresses.
    pub ipv6: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// User groups that may access the client; `None` until set.
    pub allowed_user_groups: Option<Vec<String>>,
    /// Running tunnels; those of a disconnected client are re-opened when it returns.
    pub tunnels: Vec<TunnelRecord>,
    /// Operating system updates, as last reported.
    pub updates_status: Option<UpdatesStatus>,
    /// Public addresses, as last reported.
    pub ext_ip_addresses: Option<IpAddresses>,
    /// The agent's configuration, without secrets. Shared, because records are cloned often and it is the largest
    /// part.
    pub client_configuration: Option<Arc<ClientConfiguration>>,
    /// Members this version does not know.
    #[serde(skip)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl ClientDetails {
    /// Reads the column, and drops the credentials that rows of the Go server hold.
    ///
    /// # Errors
    /// Not a JSON object, or a member of the wrong type. A client configuration that does not fit counts as absent.
    pub fn from_json(text: &str) -> Result<Self, PayloadError> {
        let (mut details, other): (Self, _) = json::decode_with_rest(text).or_else(|error| {
            let without = json::decode_or_without(text.as_bytes(), "client_configuration");
            without
                .map(|details| (details, BTreeMap::new()))
                .map_err(|_| error)
        })?;
        details.other = other;
        if let Some(configuration) = details.client_configuration.take() {
            details.client_configuration =
                Some(Arc::new(Arc::unwrap_or_clone(configuration).without_secrets()));
        }
        Ok(details)
    }

    /// Writes the column as Go would.
    pub fn to_json(&self) -> String {
        let mut text = json::encode_string(self);
        if !self.other.is_empty() {
            // Both are objects with members: joins them.
            text.pop();
            text.push(',');
            text.push_str(&json::encode_string(&self.other)[1..]);
        }
        text
    }

    /// Takes over what the agent says about its machine, without secrets.
    pub fn describe(&mut self, request: NewConnection, address: &str) {
        self.name = request.name;
        self.os = request.os;
        self.os_arch = request.os_arch;
        self.os_family = request.os_family;
        self.os_kernel = request.os_kernel;
        self.os_full_name = request.os_full_name;
        self.os_version = request.os_version;
        self.os_virtualization_system = request.os_virtualization_system;
        self.os_virtualization_role = request.os_virtualization_role;
        self.cpu_family = request.cpu_family;
        self.cpu_model = request.cpu_model;
        self.cpu_model_name = request.cpu_model_name;
        self.cpu_vendor = request.cpu_vendor;
        self.num_cpus = request.num_cpus;
        self.mem_total = request.memory_total;
        self.timezone = request.timezone;
        self.hostname = request.hostname;
        self.version = request.version;
        address.clone_into(&mut self.address);
        self.ipv4 = request.ipv4;
        self.ipv6 = request.ipv6;
        self.tags = request.tags;
        self.labels = request.labels;
        self.client_configuration = request
            .client_configuration
            .map(|configuration| Arc::new(configuration.without_secrets()));
    }
}

#[cfg(test)]
mod tests;
