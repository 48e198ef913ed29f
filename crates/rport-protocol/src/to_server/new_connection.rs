//! Request `new_connection`, the first one of every agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    handshake::ClientConfiguration,
    json::{self, PayloadError},
    remote::Remote,
    request::Request,
};

/// Introduces a client and asks for its tunnels.
///
/// Wire: global request `new_connection`, client to server, reply wanted, the first request on a link. The reply
/// lists the remotes as started, or is `null` when the request had none; a refusal is text. Source: wire notes,
/// section 6; golden: `messages.json`.
///
/// Lists distinguish `null` and empty, because the server stores and shows what it was sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NewConnection {
    /// Client id; empty lets the server assign one.
    #[serde(rename = "ID")]
    pub id: String,
    /// Display name; may be empty.
    #[serde(rename = "Name")]
    pub name: String,
    /// A UUID made when the agent process started; equal on all its connections. Empty before 0.8.2.
    #[serde(rename = "SessionID")]
    pub session_id: String,
    /// Operating system, one line of prose.
    #[serde(rename = "OS")]
    pub os: String,
    /// Such as `Debian 12.11`.
    #[serde(rename = "OSFullName")]
    pub os_full_name: String,
    /// Such as `12.11`.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// Such as `KVM`; may be empty.
    #[serde(rename = "OSVirtualizationSystem")]
    pub os_virtualization_system: String,
    /// `guest`, `host`, `unknown` or empty.
    #[serde(rename = "OSVirtualizationRole")]
    pub os_virtualization_role: String,
    /// Architecture in Go's words, such as `amd64`.
    #[serde(rename = "OSArch")]
    pub os_arch: String,
    /// Such as `debian`.
    #[serde(rename = "OSFamily")]
    pub os_family: String,
    /// Such as `linux`.
    #[serde(rename = "OSKernel")]
    pub os_kernel: String,
    /// Agent version. For a client id the server knows it must parse as a dotted version.
    #[serde(rename = "Version")]
    pub version: String,
    /// Host name.
    #[serde(rename = "Hostname")]
    pub hostname: String,
    /// Of the first CPU.
    #[serde(rename = "CPUFamily")]
    pub cpu_family: String,
    /// Of the first CPU.
    #[serde(rename = "CPUModel")]
    pub cpu_model: String,
    /// Of the first CPU.
    #[serde(rename = "CPUModelName")]
    pub cpu_model_name: String,
    /// Of the first CPU.
    #[serde(rename = "CPUVendor")]
    pub cpu_vendor: String,
    /// Logical CPUs.
    #[serde(rename = "NumCPUs")]
    pub num_cpus: i64,
    /// Memory in bytes.
    #[serde(rename = "MemoryTotal")]
    pub memory_total: u64,
    /// Zone name and offset, such as `CET (UTC+01:00)`.
    #[serde(rename = "Timezone")]
    pub timezone: String,
    /// Interface addresses without loopback; `null` when they could not be read.
    #[serde(rename = "IPv4")]
    pub ipv4: Option<Vec<String>>,
    /// Interface addresses without loopback; `null` when they could not be read.
    #[serde(rename = "IPv6")]
    pub ipv6: Option<Vec<String>>,
    /// Tags.
    #[serde(rename = "Tags")]
    pub tags: Option<Vec<String>>,
    /// Labels; from 0.9.7 on.
    #[serde(rename = "Labels")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Tunnels the agent asks for.
    #[serde(rename = "Remotes")]
    pub remotes: Option<Vec<Remote>>,
    /// The agent's configuration; from 0.4.16 on. One that cannot be read counts as absent, so that a member of an
    /// unexpected type does not cost the whole client.
    #[serde(rename = "ClientConfiguration")]
    pub client_configuration: Option<ClientConfiguration>,
}

impl Request for NewConnection {
    const NAME: &'static str = "new_connection";
    type Reply = Option<Vec<Remote>>;

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        json::decode_or_without(payload, "ClientConfiguration")
    }
}
