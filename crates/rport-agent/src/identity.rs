//! Who the agent says it is.

use rport_protocol::to_server::NewConnection;
use rport_runtime::Clock;

use crate::attributes::Attributes;
use crate::config::AgentConfig;
use crate::sysinfo::{MachineIdError, SystemFiles, SystemInfo, machine_id};

/// The machine has no id to use as client id.
#[derive(Debug, thiserror::Error)]
#[error("could not use system id as client id: {0}")]
pub(crate) struct IdentityError(MachineIdError);

/// Puts together the request that introduces this client.
///
/// The machine is described anew each time: addresses and the time zone change while an agent runs for months. Reads
/// small files and may block for a moment.
///
/// # Errors
/// The client id should be the machine's, and the machine has none.
pub(crate) fn introduce(
    config: &AgentConfig,
    attributes: Attributes,
    session_id: &str,
    files: &SystemFiles,
    clock: &Clock,
) -> Result<NewConnection, IdentityError> {
    let client = &config.client;
    let system = SystemInfo::collect(files, &clock.now_local());
    let id = match client.id.as_str() {
        "" if client.use_system_id => machine_id(files).map_err(IdentityError)?,
        id => id.to_owned(),
    };
    let name = match client.name.as_str() {
        "" if client.use_hostname => system.hostname.clone(),
        name => name.to_owned(),
    };
    let report = config.report(&attributes);
    Ok(NewConnection {
        id,
        name,
        session_id: session_id.to_owned(),
        os: system.os,
        os_full_name: system.os_full_name,
        os_version: system.os_version,
        os_virtualization_system: system.virtualization_system,
        os_virtualization_role: system.virtualization_role,
        os_arch: system.os_arch,
        os_family: system.os_family,
        os_kernel: system.os_kernel,
        version: crate::VERSION.to_owned(),
        hostname: system.hostname,
        cpu_family: system.cpu_family,
        cpu_model: system.cpu_model,
        cpu_model_name: system.cpu_model_name,
        cpu_vendor: system.cpu_vendor,
        num_cpus: i64::try_from(system.num_cpus).unwrap_or(i64::MAX),
        memory_total: system.memory_total,
        timezone: system.timezone,
        ipv4: system.ipv4,
        ipv6: system.ipv6,
        tags: attributes.tags,
        labels: attributes.labels,
        remotes: (!client.tunnels.is_empty()).then(|| client.tunnels.clone()),
        client_configuration: Some(report),
    })
}
