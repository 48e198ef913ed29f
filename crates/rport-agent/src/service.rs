//! `--service`: the agent as a service of the machine.

use std::path::PathBuf;

use rport_runtime::service::{ServiceCommand, ServiceDefinition, ServiceError, ServiceManager};
use rport_runtime::toml_config::find_in_current_dir;

use crate::cli::CommandLine;
use crate::config::{self, ConfigError, Surroundings};

/// Where packages put the file.
const PACKAGED_CONFIG: &str = "/etc/rport/rport.conf";

/// Why a service command failed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// The configuration the service would start with is not sound.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no configuration file to start with.
    #[error("--service install needs a configuration file: add --config FILE")]
    NoConfig,
    /// Our own path cannot be found out.
    #[error("can't find the path of this program: {0}")]
    Executable(std::io::Error),
    /// The service manager refused.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Carries out a service command and returns the sentence to print.
///
/// The configuration is checked before an installation, as the service will see it: without the flags of this
/// command line.
///
/// # Errors
/// See [`ManageError`].
pub fn manage(command: &str, line: &CommandLine) -> Result<&'static str, ManageError> {
    let command: ServiceCommand = command.parse()?;
    let mut config = line.config.clone();
    let mut notifies = false;
    if command == ServiceCommand::Install {
        let path = config
            .or_else(|| find_in_current_dir("rport.conf"))
            .ok_or(ManageError::NoConfig)?;
        let plain = CommandLine {
            config: Some(path.clone()),
            ..CommandLine::default()
        };
        let surroundings = Surroundings {
            service: true,
            ..Surroundings::of_this_process()
        };
        let loaded = config::load(&plain, &surroundings)?;
        // Systemd listens to the watchdog only of services that notify.
        notifies = loaded.config.connection.watchdog_integration;
        config = Some(path);
    }
    let service = ServiceDefinition {
        name: "rport",
        description: "Reach this machine through an RPort server.",
        executable: std::env::current_exe().map_err(ManageError::Executable)?,
        config: config.unwrap_or_else(|| PathBuf::from(PACKAGED_CONFIG)),
        user: line.service_user.clone(),
        open_files: None,
        notifies,
        privileged_ports: false,
    };
    Ok(ServiceManager::find(&service)?.run(command, &service)?)
}
