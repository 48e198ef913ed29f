//! The configuration: `rport.conf`, flags and environment become one checked [`AgentConfig`].
//!
//! Three steps, each in its own place: [`sections`] reads every key with the weak typing of the loader; the files
//! named after sections check the values, with the texts and in the order of the Go agent (reference `config.md`,
//! section 8); [`wire`] reports the result to the server.
//!
//! A value is looked for on the command line first, then in the file, then (credentials and fingerprint only) in the
//! environment. Differs from RPort, where a service sees neither flags nor environment. Between file and environment,
//! credentials may stand in a file of their own, see [`auth_file`].

mod auth_file;
mod client;
mod connection;
mod features;
mod glob;
mod go_regex;
mod interpreters;
mod sections;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rport_runtime::Secret;
use rport_runtime::telemetry::LogLevel;
use rport_runtime::toml_config::{Document, LoadError, Problem, Value, find_in_current_dir};

pub use client::ClientOptions;
pub use connection::{ConnectionOptions, StepTimeouts};
pub use features::{
    FileReceptionOptions, FilterOrder, MonitoringOptions, NetworkCard, Pattern, RemoteCommandsOptions,
};
pub use interpreters::{InterpreterAlias, InterpreterEncoding};

use crate::cli::{CommandLine, OverrideValue};
use sections::Sections;

/// Name of the configuration file looked for in the current directory when none is given.
const DEFAULT_FILE: &str = "rport.conf";

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Who we are and where we connect to.
    pub client: ClientOptions,
    /// How we connect.
    pub connection: ConnectionOptions,
    /// Where the log goes.
    pub logging: LoggingOptions,
    /// Remote commands.
    pub remote_commands: RemoteCommandsOptions,
    /// Whether the server may run scripts.
    pub remote_scripts_enabled: bool,
    /// Monitoring.
    pub monitoring: MonitoringOptions,
    /// File reception.
    pub file_reception: FileReceptionOptions,
    /// Short names of interpreters.
    pub interpreter_aliases: BTreeMap<String, InterpreterAlias>,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingOptions {
    /// File; the standard output if none.
    pub file: Option<PathBuf>,
    /// What is worth a line.
    pub level: LogLevel,
}

/// What the configuration is made from besides the file.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whether an init system started us; some defaults depend on it.
    pub service: bool,
    /// `RPORT_AUTH`.
    pub auth: Option<Secret>,
    /// `RPORT_FINGERPRINT`.
    pub fingerprint: Option<String>,
    /// `CREDENTIALS_DIRECTORY`, where systemd puts the credentials of a unit.
    pub credentials_dir: Option<PathBuf>,
}

impl Surroundings {
    /// Looks at the process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            service: rport_runtime::service::started_by_init(),
            auth: text("RPORT_AUTH").map(Secret::new),
            fingerprint: text("RPORT_FINGERPRINT"),
            credentials_dir: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        }
    }
}

/// A checked configuration, and what is strange about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: AgentConfig,
    /// Lines for the log.
    pub warnings: Vec<Problem>,
}

/// Why there is no configuration. The texts go to the person who started the program.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read at all.
    #[error("invalid config: {0}")]
    Load(LoadError),
    /// Values cannot be read.
    #[error("invalid config: {}", lines(.0))]
    Unreadable(Vec<Problem>),
    /// A value is not allowed.
    #[error("config validation failed: {}", lines(.0))]
    Invalid(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value that is not allowed, with the key to find it by.
#[derive(Debug)]
struct Invalid {
    key: String,
    text: String,
}

impl Invalid {
    fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
        }
    }
}

/// Loads the configuration for a command line.
///
/// # Errors
/// The file cannot be read, or something in it is not allowed.
pub fn load(line: &CommandLine, surroundings: &Surroundings) -> Result<Loaded, ConfigError> {
    let path = line.config.clone().or_else(|| find_in_current_dir(DEFAULT_FILE));
    let document = match path {
        Some(path) => Document::load(&path).map_err(ConfigError::Load)?,
        None => Document::empty(),
    };
    resolve(document, line, surroundings)
}

/// Makes a configuration from a text in the form of `rport.conf`, as if the agent was started by hand without flags.
///
/// # Errors
/// As [`load`].
pub fn from_toml(text: &str) -> Result<AgentConfig, ConfigError> {
    let document = Document::parse(text, DEFAULT_FILE).map_err(ConfigError::Load)?;
    resolve(document, &CommandLine::default(), &Surroundings::default()).map(|loaded| loaded.config)
}

fn resolve(
    mut document: Document,
    line: &CommandLine,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigError> {
    if let Some(fingerprint) = &surroundings.fingerprint {
        document.set_default("client.fingerprint", fingerprint.as_str(), "RPORT_FINGERPRINT");
    }
    for change in &line.overrides {
        let value = match &change.value {
            OverrideValue::One(text) => Value::String(text.clone()),
            OverrideValue::Many(texts) => Value::List(texts.iter().cloned().map(Value::String).collect()),
        };
        document.set(change.key, value, &change.origin);
    }
    let sections = Sections::read(&document);
    if document.has_errors() {
        return Err(ConfigError::Unreadable(document.finish().errors));
    }
    match check(&sections, surroundings) {
        Ok(config) => Ok(Loaded {
            config,
            warnings: document.finish().warnings,
        }),
        Err(Invalid { key, text }) => {
            document.error(&key, text);
            Err(ConfigError::Invalid(document.finish().errors))
        }
    }
}

/// Checks the values in the documented order, so that of several mistakes the same one is named first.
fn check(sections: &Sections, surroundings: &Surroundings) -> Result<AgentConfig, Invalid> {
    let section = &sections.client;
    let headers = connection::headers(&sections.connection)?;
    let server = client::server(section)?;
    let fallback_servers = client::fallback_servers(section)?;
    let proxy = client::proxy(section)?;
    client::tunnels_section(&sections.tunnels)?;
    let tunnel_allowed = client::tunnel_allowed(section)?;
    let tunnels = client::remotes(section, &sections.tunnels, &tunnel_allowed)?;
    let interpreter_aliases = interpreters::resolve(&sections.interpreter_aliases)?;
    let data_dir = client::data_dir(section)?;
    let remote_commands = features::remote_commands(&sections.remote_commands)?;
    let remote_scripts_enabled = features::remote_scripts(&sections.remote_scripts, &remote_commands)?;
    let monitoring = features::monitoring(&sections.monitoring)?;
    let file_reception = features::file_reception(&sections.file_reception)?;
    connection::watchdog(&sections.connection)?;
    client::ip_api_url(section)?;
    // The Go agent compares the fingerprint only when it connects, and takes any text for the beginning of one.
    let fingerprint = client::fingerprint(section)?;
    let credentials = client::credentials(section, surroundings)?;
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    Ok(AgentConfig {
        client: ClientOptions {
            server,
            fallback_servers,
            server_switchback_interval: section.server_switchback_interval,
            fingerprint,
            fingerprint_text: section.fingerprint.clone(),
            credentials,
            proxy,
            use_system_id: section.use_system_id.unwrap_or(!surroundings.service),
            id: section.id.clone(),
            use_hostname: section.use_hostname.unwrap_or(!surroundings.service),
            name: section.name.clone(),
            attributes: client::attributes(section),
            attributes_file: path(&section.attributes_file_path),
            remotes: section.remotes.clone(),
            tunnels,
            tunnel_allowed,
            tunnel_allowed_texts: section.tunnel_allowed.clone(),
            allow_root: section.allow_root,
            updates_interval: section.updates_interval,
            data_dir,
            bind_interface: section.bind_interface.clone(),
            ip_api_url: section.ip_api_url.clone(),
            ip_refresh_min: section.ip_refresh_min,
        },
        connection: connection::resolve(&sections.connection, headers),
        logging: LoggingOptions {
            file: path(&sections.logging.log_file),
            level: sections.logging.log_level,
        },
        remote_commands,
        remote_scripts_enabled,
        monitoring,
        file_reception,
        interpreter_aliases,
    })
}
