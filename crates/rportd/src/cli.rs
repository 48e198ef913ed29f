//! The command line.
//!
//! Flags are a table, because they are all alike: each stands for one key of the file and goes before it. Differs from
//! RPort: there the flags were parsed and then forgotten (reference `config.md`, section 2).

mod client_auth;
mod flags;
mod user;

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rport_runtime::toml_config::{Document, LoadError, find_in_current_dir};

pub use client_auth::{ClientAuthCommand, DatabaseCommand, Existing};
pub use user::{PasswordFrom, UserCommand};

use flags::{
    FLAGS, IGNORED,
    Kind::{List, Switch, Text},
};

/// What the command line asks for.
#[derive(Debug)]
pub struct Invocation {
    /// The file given with `-c`.
    pub config: Option<PathBuf>,
    /// Keys that flags set, in the order of the table.
    pub overrides: Vec<Override>,
    /// What to do.
    pub action: Action,
}

/// One flag as given.
#[derive(Debug, PartialEq, Eq)]
pub struct Override {
    /// `section.key`.
    pub key: &'static str,
    /// The flag with its dashes.
    pub flag: String,
    /// Its value.
    pub value: String,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the server.
    Run,
    /// Manage the service of the machine.
    Service {
        /// `install`, `uninstall`, `start` or `stop`.
        command: String,
        /// The user of an installed service.
        user: String,
    },
    /// Check the configuration.
    ConfigCheck,
    /// Write a fresh configuration.
    ConfigGenerate(Generate),
    /// Manage the credentials of agents.
    ClientAuth(ClientAuthCommand),
    /// Manage the users of the API.
    User(UserCommand),
    /// Check or create the tables of the database.
    Database(DatabaseCommand),
}

/// Options of `config generate`.
#[derive(Debug, PartialEq, Eq)]
pub struct Generate {
    /// The file to write.
    pub output: PathBuf,
    /// Folder of the server's state; a folder beside the file if not given.
    pub data_dir: Option<PathBuf>,
    /// Where agents connect.
    pub address: String,
    /// Where the API listens.
    pub api_address: String,
}

fn command() -> Command {
    let mut command = Command::new("rportd")
        .version(concat!("version ", env!("CARGO_PKG_VERSION")))
        .about("RPort server: reach machines behind firewalls through one public machine")
        .after_help("Flags go before the file, the file goes before the defaults. No variable of the environment is read.")
        .args_override_self(true)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("config")
                .short('c')
                .long("config")
                .global(true)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Configuration file; without it rportd.conf in the current folder, if there is one"),
        )
        .arg(
            Arg::new("service")
                .long("service")
                .value_name("COMMAND")
                .help("Manage the service of this machine: install, uninstall, start, stop"),
        )
        .arg(
            Arg::new("service-user")
                .long("service-user")
                .value_name("USER")
                .default_value("rport")
                .help("User of an installed service"),
        )
        .subcommand(config_command())
        .subcommand(client_auth::client_auth_command())
        .subcommand(user::user_command())
        .subcommand(client_auth::database_command());
    for (name, short, key, kind, help) in FLAGS {
        let mut arg = Arg::new(*name)
            .long(*name)
            .help(format!("{help} [{key}]"))
            .value_name("VALUE");
        if let Some(short) = short {
            arg = arg.short(*short);
        }
        arg = match kind {
            Text => arg.action(ArgAction::Set),
            List => arg.action(ArgAction::Append),
            Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("true|false"),
        };
        command = command.arg(arg);
    }
    for name in IGNORED {
        command = command.arg(Arg::new(*name).long(*name).hide(true));
    }
    command
}

fn config_command() -> Command {
    let check =
        Command::new("check").about("Name every mistake of the configuration; exit code 1 if there is one");
    let generate = Command::new("generate")
        .about("Write a configuration with fresh secrets")
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .default_value("rportd.conf")
                .value_parser(value_parser!(PathBuf))
                .help("The file to write; it must not exist"),
        )
        .arg(
            Arg::new("data-dir")
                .long("data-dir")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Folder of the server's state [default: rport-data beside the file]"),
        )
        .arg(
            Arg::new("address")
                .long("address")
                .value_name("HOST:PORT")
                .default_value("0.0.0.0:8080")
                .help("Where agents connect"),
        )
        .arg(
            Arg::new("api-address")
                .long("api-address")
                .value_name("HOST:PORT")
                .default_value("127.0.0.1:3000")
                .help("Where the API listens"),
        );
    Command::new("config")
        .about("Check or write a configuration file")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check)
        .subcommand(generate)
}

/// Reads a command line, its first word being the program.
///
/// # Errors
/// Also for `--help` and `--version`: the error's text is what to print, see [`clap::Error::use_stderr`].
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    let overrides = FLAGS.iter().filter_map(|(name, _, key, kind, _)| {
        let values: Vec<&String> = matches.get_many(name)?.collect();
        let value = match kind {
            List => values.into_iter().cloned().collect::<Vec<_>>().join(","),
            Text | Switch => values.last()?.to_string(),
        };
        Some(Override {
            key,
            flag: format!("--{name}"),
            value,
        })
    });
    Ok(Invocation {
        overrides: overrides.collect(),
        config: config_path(&matches),
        action: action(&matches),
    })
}

/// `-c` may stand before or behind a sub-command.
fn config_path(matches: &ArgMatches) -> Option<PathBuf> {
    matches.get_one::<PathBuf>("config").cloned()
}

fn action(matches: &ArgMatches) -> Action {
    let text =
        |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    if let Some(command) = matches.get_one::<String>("service") {
        return Action::Service {
            command: command.clone(),
            user: text(matches, "service-user"),
        };
    }
    if let Some(command) = matches
        .subcommand_matches("client-auth")
        .and_then(client_auth::client_auth)
    {
        return Action::ClientAuth(command);
    }
    if let Some(command) = matches.subcommand_matches("user").and_then(user::user) {
        return Action::User(command);
    }
    if let Some(command) = matches.subcommand_matches("db") {
        return Action::Database(client_auth::database(command));
    }
    match matches
        .subcommand_matches("config")
        .and_then(ArgMatches::subcommand)
    {
        Some(("generate", generate)) => Action::ConfigGenerate(Generate {
            output: generate.get_one::<PathBuf>("output").cloned().unwrap_or_default(),
            data_dir: generate.get_one::<PathBuf>("data-dir").cloned(),
            address: text(generate, "address"),
            api_address: text(generate, "api-address"),
        }),
        Some(_) => Action::ConfigCheck,
        None => Action::Run,
    }
}

impl Invocation {
    /// The file to read: the given one, or one in the current folder, or none.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| find_in_current_dir("rportd.conf"))
    }

    /// Loads the file and lays the flags over it.
    ///
    /// # Errors
    /// [`LoadError`] when the file cannot be read or is not TOML.
    pub fn document(&self) -> Result<Document, LoadError> {
        let mut document = match self.config_file() {
            Some(path) => Document::load(&path)?,
            None => Document::empty(),
        };
        for given in &self.overrides {
            document.set(given.key, given.value.clone(), &given.flag);
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Config;

    fn parse_words(words: &str) -> Result<Invocation, clap::Error> {
        parse(
            ["rportd"]
                .into_iter()
                .chain(words.split_whitespace())
                .map(OsString::from),
        )
    }

    #[test]
    fn the_table_is_a_sound_command_and_names_known_keys() {
        command().debug_assert();
        let known = crate::config::known_keys();
        for (name, _, key, ..) in FLAGS {
            assert!(known.contains(*key), "--{name} sets {key}, which is no key");
        }
    }

    #[test]
    fn flags_become_keys() {
        let invocation = parse_words(
            "-a :80 --auth a:b -e 1-2,3 --exclude-ports 9 --auth-write=false --allow-root -l x.log --auth c:d",
        )
        .expect("sound");
        let given: Vec<_> = invocation
            .overrides
            .iter()
            .map(|o| (o.key, o.value.as_str()))
            .collect();
        assert_eq!(
            given,
            [
                ("server.address", ":80"),
                ("server.auth", "c:d"),
                ("server.auth_write", "false"),
                ("server.excluded_ports", "1-2,3,9"),
                ("server.allow_root", "true"),
                ("logging.log_file", "x.log"),
            ]
        );
        assert_eq!(invocation.action, Action::Run);
    }

    #[test]
    fn flags_win_over_the_file_and_are_named_when_wrong() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("r.conf");
        fs::write(
            &path,
            "[server]\nauth = 'file:x'\naddress = ':1'\n[api]\naddress = ''\n",
        )
        .expect("written");
        let read = |flags: &str| {
            let words = format!("-c {} {flags}", path.display());
            Config::read(parse_words(&words).expect("sound").document().expect("sound"))
        };
        let config = read("--addr :2 --auth-multiuse-creds=0").0.expect("sound");
        assert_eq!(
            (config.server.address.as_str(), config.server.auth_multiuse_creds),
            (":2", false)
        );
        let report = read("--check-port-timeout 2").1;
        let first = report.errors.first().expect("an error").to_string();
        assert!(
            first.starts_with("--check-port-timeout (key 'server.check_port_timeout'): expected a duration"),
            "{first}"
        );
        let report = read("--auth secret").1;
        let first = report.errors.first().expect("an error").to_string();
        assert!(
            first.starts_with("--auth (key 'server.auth'): invalid client auth") && !first.contains("secret")
        );
    }

    #[test]
    fn help_version_and_mistakes() {
        let version = parse_words("--version").expect_err("prints").to_string();
        assert_eq!(
            version.trim(),
            concat!("rportd version ", env!("CARGO_PKG_VERSION"))
        );
        assert!(!parse_words("--help").expect_err("prints").use_stderr());
        for bad in [
            "--cleanup-clients-interval 1m",
            "--nonsense",
            "nonsense",
            "config nonsense",
        ] {
            assert!(parse_words(bad).expect_err("refused").use_stderr(), "{bad}");
        }
        assert!(parse_words("--save-clients-interval 1s").is_ok());
    }

    #[test]
    fn actions() {
        let action = |words: &str| parse_words(words).expect("sound").action;
        assert_eq!(action("config check"), Action::ConfigCheck);
        let service = Action::Service {
            command: "install".to_owned(),
            user: "rport".to_owned(),
        };
        assert_eq!(action("--service install"), service);
        assert_eq!(
            parse_words("config check -c x").expect("sound").config,
            Some("x".into())
        );
        assert_eq!(
            parse_words("-c x config check").expect("sound").config,
            Some("x".into())
        );
        let Action::ConfigGenerate(generate) = action("config generate -o y --data-dir z") else {
            panic!("generate")
        };
        assert_eq!(
            (generate.output.to_str(), generate.data_dir),
            (Some("y"), Some("z".into()))
        );
        assert_eq!(generate.api_address, "127.0.0.1:3000");
    }
}
