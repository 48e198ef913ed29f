//! Running as a service of the machine: installing the systemd unit, and telling whether the init system started us.
//!
//! Other init systems are not supported; the error says what to do instead.

mod detect;
mod systemd_unit;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

pub use detect::started_by_init;
pub use systemd_unit::render;

use crate::fsutil;

const UNIT_DIR: &str = "/etc/systemd/system";

/// What `--service` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceCommand {
    /// Writes the unit, enables it.
    Install,
    /// Stops the service, disables it, removes the unit.
    Uninstall,
    /// Starts the service.
    Start,
    /// Stops the service.
    Stop,
}

impl FromStr for ServiceCommand {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        match text {
            "install" => Ok(Self::Install),
            "uninstall" => Ok(Self::Uninstall),
            "start" => Ok(Self::Start),
            "stop" => Ok(Self::Stop),
            other => Err(ServiceError::UnknownCommand(other.to_owned())),
        }
    }
}

/// What the unit runs and as whom.
#[derive(Clone, Debug)]
pub struct ServiceDefinition {
    /// Name of the unit without `.service`: `rportd` or `rport`.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The program; [`std::env::current_exe`] for ourselves.
    pub executable: PathBuf,
    /// The configuration file. Made absolute on install.
    pub config: PathBuf,
    /// The user the service runs as.
    pub user: String,
    /// Open files the service may have; the system's default if `None`.
    pub open_files: Option<u32>,
    /// Whether the program says [`crate::systemd::ready`]; systemd then waits for that.
    pub notifies: bool,
    /// Whether the program may bind ports below 1024 without being root.
    pub privileged_ports: bool,
}

/// Why a service command failed. The texts go to the person who typed it.
#[derive(Debug)]
pub enum ServiceError {
    /// Not one of the four commands.
    UnknownCommand(String),
    /// The unit file is there already.
    Exists(PathBuf),
    /// There is no unit file to work with.
    NotInstalled(PathBuf),
    /// The machine is not run by systemd.
    NoSystemd {
        /// What runs it, as far as one can tell.
        found: &'static str,
        /// The command its own scripts should run.
        command_line: String,
    },
    /// A value cannot stand in a unit file.
    BadValue(&'static str),
    /// Reading or writing failed.
    Io(PathBuf, std::io::Error),
    /// `systemctl` cannot be run or refused.
    Systemctl(String),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand(text) => {
                write!(
                    f,
                    "Unknown service command {text:?}; allowed: install, uninstall, start, stop"
                )
            }
            Self::Exists(path) => write!(f, "Init already exists: {}", path.display()),
            Self::NotInstalled(path) => {
                write!(
                    f,
                    "the service is not installed: {} does not exist; use --service install",
                    path.display()
                )
            }
            Self::NoSystemd { found, command_line } => write!(
                f,
                "this machine is not run by systemd (found: {found}); let its init system run this command: {command_line}"
            ),
            Self::BadValue(what) => write!(f, "{what} must be one line of printable text"),
            Self::Io(path, error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                write!(f, "{}: {error}; run this command as root", path.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Systemctl(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ServiceError {}

/// The service manager of a machine.
#[derive(Debug)]
pub struct ServiceManager {
    unit_dir: PathBuf,
    /// The program and its first arguments.
    systemctl: Vec<OsString>,
}

impl ServiceManager {
    /// Finds the service manager of this machine.
    ///
    /// # Errors
    /// [`ServiceError::NoSystemd`] when systemd does not run it.
    pub fn find(service: &ServiceDefinition) -> Result<Self, ServiceError> {
        if Path::new("/run/systemd/system").is_dir() {
            return Ok(Self {
                unit_dir: UNIT_DIR.into(),
                systemctl: vec!["systemctl".into()],
            });
        }
        let command_line = format!("{} -c {}", service.executable.display(), service.config.display());
        Err(ServiceError::NoSystemd {
            found: detect::init_system(),
            command_line,
        })
    }

    /// Carries out a command and returns the sentence to print.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing is left half installed.
    pub fn run(
        &self,
        command: ServiceCommand,
        service: &ServiceDefinition,
    ) -> Result<&'static str, ServiceError> {
        match command {
            ServiceCommand::Install => self.install(service).map(|()| "Service installed"),
            ServiceCommand::Uninstall => self.uninstall(service).map(|()| "Service uninstalled"),
            ServiceCommand::Start => self.control("start", service).map(|()| "Service started"),
            ServiceCommand::Stop => self.control("stop", service).map(|()| "Service stopped"),
        }
    }

    fn unit_path(&self, service: &ServiceDefinition) -> PathBuf {
        self.unit_dir.join(unit_name(service))
    }

    fn install(&self, service: &ServiceDefinition) -> Result<(), ServiceError> {
        let path = self.unit_path(service);
        if path.symlink_metadata().is_ok() {
            return Err(ServiceError::Exists(path));
        }
        let config = std::path::absolute(&service.config);
        let config = config.map_err(|error| ServiceError::Io(service.config.clone(), error))?;
        let unit = render(&ServiceDefinition {
            config,
            ..service.clone()
        })?;
        fsutil::atomic_write(&path, unit.as_bytes(), 0o644)
            .map_err(|error| ServiceError::Io(path.clone(), error))?;
        let enabled = self
            .systemctl(&["enable", &unit_name(service)])
            .and_then(|()| self.systemctl(&["daemon-reload"]));
        if enabled.is_err() {
            // Without this a second try would stop at "already exists".
            let _ = std::fs::remove_file(&path);
        }
        enabled
    }

    fn uninstall(&self, service: &ServiceDefinition) -> Result<(), ServiceError> {
        let path = self.installed_unit(service)?;
        // A service that does not run cannot be stopped; what counts is that it is gone afterwards.
        let _ = self.systemctl(&["stop", &unit_name(service)]);
        self.systemctl(&["disable", &unit_name(service)])?;
        std::fs::remove_file(&path).map_err(|error| ServiceError::Io(path, error))?;
        self.systemctl(&["daemon-reload"])
    }

    fn control(&self, verb: &str, service: &ServiceDefinition) -> Result<(), ServiceError> {
        self.systemctl(&[verb, &unit_name(service)])
    }

    fn installed_unit(&self, service: &ServiceDefinition) -> Result<PathBuf, ServiceError> {
        let path = self.unit_path(service);
        if path.symlink_metadata().is_ok() {
            Ok(path)
        } else {
            Err(ServiceError::NotInstalled(path))
        }
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<(), ServiceError> {
        let command_line = format!("systemctl {}", arguments.join(" "));
        let output = Command::new(&self.systemctl[0])
            .args(&self.systemctl[1..])
            .args(arguments)
            .output();
        let output = output.map_err(|error| ServiceError::Systemctl(format!("{command_line}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(ServiceError::Systemctl(format!(
            "{command_line}: {}: {words}",
            output.status
        )))
    }
}

fn unit_name(service: &ServiceDefinition) -> String {
    format!("{}.service", service.name)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;

    fn service() -> ServiceDefinition {
        ServiceDefinition {
            name: "rportd",
            description: "RPort server",
            executable: "/usr/local/bin/rportd".into(),
            config: "/etc/rport/rportd.conf".into(),
            user: "rport".to_owned(),
            open_files: Some(1_048_576),
            notifies: true,
            privileged_ports: true,
        }
    }

    /// A machine in a folder, whose `systemctl` writes down what it was told and fails on the word in `fail`.
    fn machine() -> (TempDir, ServiceManager) {
        let folder = tempfile::tempdir().unwrap();
        let systemctl = folder.path().join("systemctl");
        let script = "cd \"$(dirname \"$0\")\"\necho \"$@\" >> calls\n\
                      if [ -f fail ] && [ \"$1\" = \"$(cat fail)\" ]; then echo 'Unit not found.' >&2; exit 5; fi\n";
        fs::write(&systemctl, script).unwrap();
        // Run by the shell: executing a file that was just written fails when another test forks meanwhile.
        let manager = ServiceManager {
            unit_dir: folder.path().to_owned(),
            systemctl: vec!["sh".into(), systemctl.into()],
        };
        (folder, manager)
    }

    #[test]
    fn installs_once_and_uninstalls() {
        let (folder, manager) = machine();
        let unit = folder.path().join("rportd.service");
        assert_eq!(
            manager.run(ServiceCommand::Install, &service()).unwrap(),
            "Service installed"
        );
        assert_eq!(fs::read_to_string(&unit).unwrap(), render(&service()).unwrap());
        assert_eq!(fs::metadata(&unit).unwrap().permissions().mode() & 0o777, 0o644);
        let again = manager
            .run(ServiceCommand::Install, &service())
            .unwrap_err()
            .to_string();
        assert_eq!(again, format!("Init already exists: {}", unit.display()));
        assert_eq!(
            manager.run(ServiceCommand::Start, &service()).unwrap(),
            "Service started"
        );
        assert_eq!(
            manager.run(ServiceCommand::Stop, &service()).unwrap(),
            "Service stopped"
        );
        assert_eq!(
            manager.run(ServiceCommand::Uninstall, &service()).unwrap(),
            "Service uninstalled"
        );
        assert!(!unit.exists());
        let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
        assert_eq!(
            calls.lines().collect::<Vec<_>>(),
            [
                "enable rportd.service",
                "daemon-reload",
                "start rportd.service",
                "stop rportd.service",
                "stop rportd.service",
                "disable rportd.service",
                "daemon-reload"
            ]
        );
        let gone = manager
            .run(ServiceCommand::Uninstall, &service())
            .unwrap_err()
            .to_string();
        assert!(gone.starts_with("the service is not installed: "), "{gone}");
    }

    #[test]
    fn a_failed_install_leaves_nothing_and_says_why() {
        let (folder, manager) = machine();
        fs::write(folder.path().join("fail"), "enable").unwrap();
        let error = manager
            .run(ServiceCommand::Install, &service())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "systemctl enable rportd.service: exit status: 5: Unit not found."
        );
        assert!(!folder.path().join("rportd.service").exists());
    }

    #[test]
    fn unknown_commands_are_named() {
        let error = "restart".parse::<ServiceCommand>().unwrap_err().to_string();
        assert_eq!(
            error,
            "Unknown service command \"restart\"; allowed: install, uninstall, start, stop"
        );
    }
}
