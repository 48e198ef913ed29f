//! `rportd --service …`.

use rport_runtime::service::{ServiceCommand, ServiceDefinition, ServiceError, ServiceManager};
use rport_runtime::toml_config::Document;

use crate::{cli::Invocation, config::Config};

/// Installs, removes, starts or stops the service. Returns the sentence to print.
///
/// # Errors
/// The sentences for the person at the terminal, for install also every mistake of the configuration.
pub fn run(invocation: &Invocation, command: &str, user: &str) -> Result<&'static str, Vec<String>> {
    let one = |error: ServiceError| vec![error.to_string()];
    let command: ServiceCommand = command.parse().map_err(one)?;
    let executable =
        std::env::current_exe().map_err(|error| vec![format!("cannot find this program: {error}")])?;
    let config = match (command, invocation.config_file()) {
        (ServiceCommand::Install, None) => {
            return Err(vec![
                "name the configuration file with -c; the unit needs its path".to_owned(),
            ]);
        }
        (ServiceCommand::Install, Some(path)) => {
            // The unit starts the server without today's flags, so the file must do alone.
            let document = Document::load(&path).map_err(|error| vec![error.to_string()])?;
            let (_, report) = Config::read(document);
            if !report.errors.is_empty() {
                return Err(report
                    .errors
                    .iter()
                    .map(|problem| format!("Invalid config: {problem}"))
                    .collect());
            }
            path
        }
        (_, path) => path.unwrap_or_else(|| "/etc/rport/rportd.conf".into()),
    };
    let service = ServiceDefinition {
        name: "rportd",
        description: "RPort server",
        executable,
        config,
        user: user.to_owned(),
        open_files: Some(1_048_576),
        notifies: true,
        privileged_ports: true,
    };
    ServiceManager::find(&service)
        .and_then(|manager| manager.run(command, &service))
        .map_err(one)
}
