//! The command line of `rport`.
//!
//! Parsing knows nothing of the meaning of a value: what a flag says is laid over the configuration file as text and
//! read by the same code, so that a key and its flag can never differ in what they accept.

mod flags;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

pub use flags::{FLAGS, Flag, FlagKind};

/// What the command line said.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// Service command: `install`, `uninstall`, `start` or `stop`.
    pub service: Option<String>,
    /// User the installed service runs as.
    pub service_user: String,
    /// What the flags and positional arguments override.
    pub overrides: Vec<Override>,
}

/// A value from outside the configuration file.
#[derive(Clone, PartialEq, Eq)]
pub struct Override {
    /// `section.key`.
    pub key: &'static str,
    /// Where it comes from, for error texts: `--auth`, `RPORT_AUTH`, `<server>`.
    pub origin: String,
    /// The value.
    pub value: OverrideValue,
}

/// The value may be a secret.
impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Override")
            .field("key", &self.key)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The value of an [`Override`].
#[derive(Clone, PartialEq, Eq)]
pub enum OverrideValue {
    /// A single text, to be read like a string in the file.
    One(String),
    /// A list.
    Many(Vec<String>),
}

const USAGE: &str = "rport [options] [<server> [remote]...]";

const AFTER_HELP: &str = "\
Remotes are ports the server makes reachable:
    [[<local-host>:]<local-port>:][<remote-host>:]<remote-port>[/tcp|/udp|/tcp+udp]
  local is the side of the server, remote the side of this machine. Without a local port the server picks one.

Examples:
  rport rport.example.com:8080 2222:127.0.0.1:22    port 2222 of the server leads to the SSH port here
  rport rport.example.com:8080 3389                 a free port of the server leads to port 3389 here
  rport -c /etc/rport/rport.conf                    everything from the file

What a flag says goes before the configuration file, and the file before RPORT_AUTH and RPORT_FINGERPRINT.

Signals:
  SIGHUP       ends a pause between two attempts to connect, and opens the log file anew
  SIGTERM      stops";

/// Builds the parser.
#[must_use]
pub fn command() -> Command {
    let own = [
        Arg::new("config")
            .long("config")
            .short('c')
            .value_name("FILE")
            .help("Configuration file"),
        Arg::new("service")
            .long("service")
            .value_name("COMMAND")
            .help("Manage the system service: install, uninstall, start or stop"),
        Arg::new("service-user")
            .long("service-user")
            .value_name("USER")
            .default_value("rport")
            .help("User the installed service runs as"),
        Arg::new("server")
            .value_name("server")
            .help("Address of the server: host:port or a URL"),
        Arg::new("remotes")
            .value_name("remote")
            .num_args(0..)
            .help("Ports to make reachable"),
    ];
    Command::new("rport")
        .version(crate::VERSION)
        // Installers take the second word.
        .help_template("Usage: {usage}\n\n{all-args}\n\n{after-help}\n")
        .override_usage(USAGE)
        .after_help(AFTER_HELP)
        .disable_version_flag(true)
        .args(own)
        .args(FLAGS.iter().map(argument))
        .arg(
            Arg::new("version")
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print the version and exit"),
        )
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name).long(flag.name).help(flag.help);
    let argument = match flag.kind {
        FlagKind::Value => argument.value_name(flag.value_name).allow_hyphen_values(true),
        FlagKind::List => argument
            .value_name(flag.value_name)
            .action(ArgAction::Append)
            .allow_hyphen_values(true),
        FlagKind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL")
            .hide_possible_values(true),
    };
    match flag.short {
        Some(letter) => argument.short(letter),
        None => argument,
    }
}

/// What the program was asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// Run or manage the service.
    Run(CommandLine),
    /// Print the version.
    Version,
}

/// Parses the arguments, the program's name first.
///
/// # Errors
/// A usage error or the help text, both ready to print.
pub fn parse<I, T>(arguments: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = command().try_get_matches_from(arguments)?;
    if matches.get_flag("version") {
        return Ok(Invocation::Version);
    }
    Ok(Invocation::Run(CommandLine {
        config: matches.get_one::<String>("config").map(PathBuf::from),
        service: matches.get_one::<String>("service").cloned(),
        service_user: matches
            .get_one::<String>("service-user")
            .cloned()
            .unwrap_or_default(),
        overrides: overrides(&matches),
    }))
}

fn overrides(matches: &ArgMatches) -> Vec<Override> {
    let mut overrides: Vec<Override> = FLAGS
        .iter()
        .filter_map(|flag| {
            let mut values = matches.get_many::<String>(flag.name)?.cloned();
            let value = match flag.kind {
                FlagKind::List => OverrideValue::Many(values.collect()),
                FlagKind::Value | FlagKind::Switch => OverrideValue::One(values.next_back()?),
            };
            Some(Override {
                key: flag.key,
                origin: format!("--{}", flag.name),
                value,
            })
        })
        .collect();
    if let Some(server) = matches.get_one::<String>("server") {
        overrides.push(Override {
            key: "client.server",
            origin: "<server>".to_owned(),
            value: OverrideValue::One(server.clone()),
        });
    }
    if let Some(remotes) = matches.get_many::<String>("remotes") {
        overrides.push(Override {
            key: "client.remotes",
            origin: "<remote>".to_owned(),
            value: OverrideValue::Many(remotes.cloned().collect()),
        });
    }
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> CommandLine {
        match parse(std::iter::once(&"rport").chain(arguments)).unwrap() {
            Invocation::Run(line) => line,
            Invocation::Version => panic!("asked for the version"),
        }
    }

    /// The texts of an override; `None` without one.
    fn value(line: &CommandLine, key: &str) -> Option<Vec<String>> {
        let found = line.overrides.iter().find(|change| change.key == key)?;
        Some(match &found.value {
            OverrideValue::One(text) => vec![format!("one {text}")],
            OverrideValue::Many(texts) => texts.clone(),
        })
    }

    fn one(text: &str) -> Option<Vec<String>> {
        Some(vec![format!("one {text}")])
    }

    fn many(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn positional_server_and_remotes_are_taken() {
        let line = run(&["--auth", "a:b", "example.com:8080", "2222:22", "3389"]);
        assert_eq!(value(&line, "client.server"), one("example.com:8080"));
        assert_eq!(value(&line, "client.remotes"), many(&["2222:22", "3389"]));
        assert_eq!(value(&line, "client.auth"), one("a:b"));
        assert!(!format!("{line:?}").contains("a:b"), "a password was printed");
        assert_eq!(value(&run(&["host"]), "client.remotes"), None);
    }

    #[test]
    fn switches_take_an_optional_value_behind_an_equals_sign() {
        assert_eq!(value(&run(&["--allow-root"]), "client.allow_root"), one("true"));
        let line = run(&["--use-hostname=false", "server"]);
        assert_eq!(value(&line, "client.use_hostname"), one("false"));
        assert_eq!(value(&line, "client.server"), one("server"));
        assert_eq!(
            value(&run(&["--allow-root", "server"]), "client.server"),
            one("server")
        );
    }

    #[test]
    fn repeated_flags_add_up_and_may_start_with_a_dash() {
        let line = run(&["-t", "one", "--tag=two", "--max-retry-count", "-1"]);
        assert_eq!(value(&line, "client.tags"), many(&["one", "two"]));
        assert_eq!(value(&line, "connection.max_retry_count"), one("-1"));
    }

    #[test]
    fn service_and_config_are_not_keys() {
        let line = run(&[
            "--service",
            "install",
            "--service-user",
            "me",
            "-c",
            "/etc/rport/rport.conf",
        ]);
        assert_eq!(line.service.as_deref(), Some("install"));
        assert_eq!(line.service_user, "me");
        assert_eq!(line.config, Some(PathBuf::from("/etc/rport/rport.conf")));
        assert!(line.overrides.is_empty());
        assert_eq!(run(&[]).service_user, "rport");
    }

    #[test]
    fn version_and_errors() {
        assert!(matches!(
            parse(["rport", "--version"]).unwrap(),
            Invocation::Version
        ));
        assert!(parse(["rport", "--no-such-flag"]).is_err());
        let help = parse(["rport", "--help"]).unwrap_err().to_string();
        assert!(
            help.contains("RPORT_FINGERPRINT") && help.contains("[<server> [remote]...]"),
            "{help}"
        );
    }
}
