//! The words of `rportd client-auth` and `rportd db`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use rport_server::PasswordHashing;

/// What to do with the credentials of agents.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientAuthCommand {
    /// Name them all.
    List,
    /// Add one, with a password from standard input or a generated one.
    Add {
        /// Its id.
        id: String,
        /// Make a password and print it.
        generate: bool,
        /// How to keep the password; as the configuration says if not given.
        hash: Option<PasswordHashing>,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: String,
    },
    /// Add all of a file.
    Import {
        /// A file as `auth_file` wants it; `-` for standard input.
        file: PathBuf,
        /// How to keep passwords that are in clear; as the configuration says if not given.
        hash: Option<PasswordHashing>,
        /// What to do with ids that exist.
        existing: Existing,
    },
    /// Write all in the form of `auth_file`.
    Export {
        /// The file to write, which must not exist; standard output if not given.
        output: Option<PathBuf>,
        /// Whether to hash what is in clear on the way.
        hash: PasswordHashing,
    },
}

/// What an import does with ids that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse the whole import.
    Refuse,
    /// Leave them as they are.
    Keep,
    /// Give them the password of the file.
    Replace,
}

/// What to do with the tables of the configured database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseCommand {
    /// Tell whether they are there and have the columns that are needed.
    Check,
    /// Create those that are missing.
    Create,
}

pub(super) fn client_auth_command() -> Command {
    let id = || {
        Arg::new("id")
            .value_name("ID")
            .required(true)
            .allow_hyphen_values(true)
            .help("Id of the credentials, the part before the colon")
    };
    let list = Command::new("list").about("Name all credentials and whether their passwords are hashed");
    let add = Command::new("add")
        .about("Add credentials; the password is read from standard input, one line")
        .arg(id())
        .arg(switch(
            "generate",
            "Make a strong password and print it instead of reading one",
        ))
        .arg(hash("How to keep the password [default: as auth_hash says]"));
    let delete = Command::new("delete")
        .about("Remove credentials; agents that are connected with them stay until they connect again")
        .arg(id());
    let import = Command::new("import")
        .about("Add all credentials of a file, or none if one cannot be added")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("JSON object of ids and passwords or hashes, as in auth_file; - for standard input"),
        )
        .arg(hash(
            "How to keep passwords that are in clear [default: as auth_hash says]",
        ))
        .arg(switch("keep-existing", "Leave ids that exist as they are"))
        .arg(switch(
            "replace-existing",
            "Give ids that exist the password of the file",
        ))
        .group(ArgGroup::new("existing").args(["keep-existing", "replace-existing"]));
    let export = Command::new("export")
        .about("Write all credentials, passwords included, as a JSON object that auth_file and import understand")
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The file to write, readable only for you; it must not exist [default: standard output]"),
        )
        .arg(hash("Hash passwords that are in clear on the way [default: none]"));
    Command::new("client-auth")
        .about("Manage the credentials of agents, wherever the configuration keeps them")
        .after_help(
            "Works while the server runs, too. A server that reads auth_file takes notice at SIGHUP, one that reads \
             auth_table at once.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([list, add, delete, import, export])
}

pub(super) fn database_command() -> Command {
    Command::new("db")
        .about("Check or create the tables of the configured database")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("check").about("Tell whether the configured tables can be used; exit code 1 if not"),
        )
        .subcommand(Command::new("create").about("Create the configured tables that do not exist"))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn hash(help: &'static str) -> Arg {
    Arg::new("hash")
        .long("hash")
        .value_name("none|argon2id")
        .value_parser(|text: &str| text.parse::<PasswordHashing>())
        .help(help)
}

/// What the words behind `client-auth` ask for.
pub(super) fn client_auth(matches: &ArgMatches) -> Option<ClientAuthCommand> {
    let (verb, matches) = matches.subcommand()?;
    let id = |matches: &ArgMatches| matches.get_one::<String>("id").cloned();
    let hash = |matches: &ArgMatches| matches.get_one::<PasswordHashing>("hash").copied();
    Some(match verb {
        "add" => ClientAuthCommand::Add {
            id: id(matches)?,
            generate: matches.get_flag("generate"),
            hash: hash(matches),
        },
        "delete" => ClientAuthCommand::Delete { id: id(matches)? },
        "import" => ClientAuthCommand::Import {
            file: matches.get_one::<PathBuf>("file").cloned()?,
            hash: hash(matches),
            existing: match (
                matches.get_flag("keep-existing"),
                matches.get_flag("replace-existing"),
            ) {
                (true, _) => Existing::Keep,
                (_, true) => Existing::Replace,
                _ => Existing::Refuse,
            },
        },
        "export" => ClientAuthCommand::Export {
            output: matches.get_one::<PathBuf>("output").cloned(),
            hash: hash(matches).unwrap_or(PasswordHashing::None),
        },
        _ => ClientAuthCommand::List,
    })
}

/// What the word behind `db` asks for.
pub(super) fn database(matches: &ArgMatches) -> DatabaseCommand {
    match matches.subcommand_name() {
        Some("create") => DatabaseCommand::Create,
        _ => DatabaseCommand::Check,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Action, parse};
    use super::*;

    fn action(words: &str) -> Action {
        let words = ["rportd"].into_iter().chain(words.split(' ')).map(OsString::from);
        parse(words).expect("sound").action
    }

    #[test]
    fn words_become_commands() {
        let is = |words: &str, expected: ClientAuthCommand| {
            assert_eq!(action(words), Action::ClientAuth(expected), "{words}");
        };
        is("client-auth list", ClientAuthCommand::List);
        is(
            "-c x client-auth delete -odd-id",
            ClientAuthCommand::Delete {
                id: "-odd-id".to_owned(),
            },
        );
        is(
            "client-auth add one --generate --hash argon2id",
            ClientAuthCommand::Add {
                id: "one".to_owned(),
                generate: true,
                hash: Some(PasswordHashing::Argon2id),
            },
        );
        is(
            "--auth= --authfile new.json client-auth import - --replace-existing",
            ClientAuthCommand::Import {
                file: "-".into(),
                hash: None,
                existing: Existing::Replace,
            },
        );
        is(
            "client-auth export -o all.json -c rportd.conf",
            ClientAuthCommand::Export {
                output: Some("all.json".into()),
                hash: PasswordHashing::None,
            },
        );
        assert_eq!(action("db check"), Action::Database(DatabaseCommand::Check));
        assert_eq!(action("db create"), Action::Database(DatabaseCommand::Create));
    }

    #[test]
    fn mistakes_are_refused() {
        for words in [
            "client-auth",
            "client-auth add",
            "client-auth add one two",
            "client-auth add one --hash md5",
            "client-auth import f --keep-existing --replace-existing",
            "client-auth nonsense",
            "db",
            "db nonsense",
        ] {
            let words_of = ["rportd"].into_iter().chain(words.split(' ')).map(OsString::from);
            assert!(parse(words_of).is_err(), "{words}");
        }
    }
}
