//! What the machine is: the facts an agent reports about its host when it connects.
//!
//! Collecting never fails. A fact that cannot be found out is `unknown` (or empty, or zero, where the wire has no
//! word for it), because an agent that cannot read `/proc/cpuinfo` is still worth reaching.
//!
//! Every parser is a plain function from text to value; [`SystemFiles`] is the only thing here that reads files, and
//! it can be pointed at a directory of fixtures.
//!
//! Source of the meaning of each field: openrport `client/client.go` (`connectionRequest`) and
//! `client/system/system_info.go`.

mod addresses;
mod cpu;
mod files;
mod machine_id;
mod os_release;
#[cfg(test)]
mod tests;
mod timezone;
mod uname;
mod virtualization;

use chrono::{DateTime, FixedOffset};

pub use files::SystemFiles;
pub use machine_id::{MachineIdError, machine_id};

/// The word sent for a fact that could not be found out.
pub const UNKNOWN: &str = "unknown";

/// Facts about the host, in the form `new_connection` carries them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemInfo {
    /// One line naming kernel, host and build, like the output of `uname -a`.
    pub os: String,
    /// Distribution and version, such as `Debian 12.11`.
    pub os_full_name: String,
    /// Version of the distribution.
    pub os_version: String,
    /// Family of the distribution, such as `debian` for Ubuntu.
    pub os_family: String,
    /// `linux`, `darwin`, `freebsd` or `windows`.
    pub os_kernel: String,
    /// Processor architecture in Go's words: `amd64`, `arm64`, `386`.
    pub os_arch: String,
    /// `KVM`, `VMWARE`, `XEN`, `HYPERV`, `UNKNOWN` or empty.
    pub virtualization_system: String,
    /// `guest`, `host`, `unknown` or empty.
    pub virtualization_role: String,
    /// Name of the host.
    pub hostname: String,
    /// Family number of the first processor.
    pub cpu_family: String,
    /// Model number of the first processor.
    pub cpu_model: String,
    /// Readable name of the first processor.
    pub cpu_model_name: String,
    /// Vendor of the first processor.
    pub cpu_vendor: String,
    /// Number of logical processors.
    pub num_cpus: usize,
    /// Main memory in bytes; 0 if unknown.
    pub memory_total: u64,
    /// Zone name and offset: `CET (UTC+01:00)`.
    pub timezone: String,
    /// IPv4 addresses of the interfaces, loopback left out; `None` if they could not be listed.
    pub ipv4: Option<Vec<String>>,
    /// IPv6 addresses of the interfaces, loopback left out; `None` if they could not be listed.
    pub ipv6: Option<Vec<String>>,
}

impl SystemInfo {
    /// Reads all facts. `now` supplies the zone offset.
    ///
    /// Reads a handful of small files and lists the interfaces; takes about a millisecond and may block.
    #[must_use]
    pub fn collect(files: &SystemFiles, now: &DateTime<FixedOffset>) -> Self {
        let release = os_release::read(files);
        let cpu = cpu::read(files);
        let (virtualization_system, virtualization_role) = virtualization::read(files);
        let (ipv4, ipv6) = addresses::list();
        Self {
            os: uname::line(),
            os_full_name: release.full_name(),
            os_version: release.version,
            os_family: release.family,
            os_kernel: uname::kernel().to_owned(),
            os_arch: uname::go_arch().to_owned(),
            virtualization_system,
            virtualization_role,
            hostname: hostname(),
            cpu_family: cpu.family,
            cpu_model: cpu.model,
            cpu_model_name: cpu.model_name,
            cpu_vendor: cpu.vendor,
            num_cpus: cpu.count,
            memory_total: files
                .read("proc/meminfo")
                .and_then(|text| cpu::memory_total(&text))
                .unwrap_or(0),
            timezone: timezone::describe(files, now),
            ipv4,
            ipv6,
        }
    }
}

/// Returns the host's name, or `unknown`.
#[must_use]
pub fn hostname() -> String {
    let name = gethostname::gethostname().to_string_lossy().trim().to_owned();
    if name.is_empty() { UNKNOWN.to_owned() } else { name }
}
