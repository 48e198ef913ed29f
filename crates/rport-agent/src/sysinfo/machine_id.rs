//! The identifier the operating system gave this machine.

use super::files::SystemFiles;

/// Where the id may stand, best first.
const FILES: &[&str] = if cfg!(target_os = "freebsd") {
    &["etc/hostid"]
} else {
    &["var/lib/dbus/machine-id", "etc/machine-id"]
};

/// Why the machine has no usable identifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MachineIdError {
    /// None of the known files holds one.
    #[error(
        "neither /var/lib/dbus/machine-id nor /etc/machine-id holds an id; set 'id' in the [client] section"
    )]
    Missing,
    /// This operating system keeps its id where the agent does not look.
    #[error("the system id cannot be read on this operating system; set 'id' in the [client] section")]
    Unsupported,
}

/// Reads the machine id.
///
/// Order of the files as in the library of the Go agent, so that a machine keeps its client id after a change of
/// agent: gopsutil `host.InfoWithContext`.
///
/// # Errors
/// When no file holds an id, or the operating system is not supported.
pub fn machine_id(files: &SystemFiles) -> Result<String, MachineIdError> {
    if cfg!(any(windows, target_os = "macos")) {
        return Err(MachineIdError::Unsupported);
    }
    FILES
        .iter()
        .filter_map(|path| files.read(path))
        .map(|text| text.trim().to_owned())
        // systemd writes this word while a first boot has not decided the id yet.
        .find(|id| !id.is_empty() && id != "uninitialized")
        .ok_or(MachineIdError::Missing)
}
