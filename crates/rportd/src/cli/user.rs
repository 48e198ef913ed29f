//! The words of `rportd user`.

use clap::{Arg, ArgAction, ArgMatches, Command};

/// What to do with the users of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCommand {
    /// Name them all.
    List,
    /// Add one.
    Add {
        /// The name.
        name: String,
        /// All groups.
        groups: Vec<String>,
        /// Where codes of the second factor go; empty for nowhere.
        two_fa_send_to: String,
        /// Make a password and print it instead of reading one.
        generate: bool,
        /// Whether the user has to choose another password at the first login.
        expired: bool,
    },
    /// Change one.
    Change {
        /// The name.
        name: String,
        /// A new name.
        rename: Option<String>,
        /// All groups from now on.
        groups: Option<Vec<String>>,
        /// Where codes of the second factor go.
        two_fa_send_to: Option<String>,
        /// Whether the password is to be changed, and where the new one comes from.
        password: Option<PasswordFrom>,
        /// Whether the user has to choose another password.
        expired: Option<bool>,
    },
    /// Remove one.
    Delete {
        /// The name.
        name: String,
    },
    /// Forget the authenticator app of one.
    TotpReset {
        /// The name.
        name: String,
    },
}

/// Where a new password comes from. Never from the command line, where others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The terminal, or a line of standard input.
    Input,
    /// It is made and printed.
    Generator,
}

pub(super) fn user_command() -> Command {
    let list = Command::new("list").about("Name all users with their groups");
    let add = with_name(Command::new("add"))
        .about("Add a user; the password is asked for twice, or read from standard input, one line")
        .arg(groups("Groups of the user, separated by commas"))
        .arg(send_to())
        .arg(generate())
        .arg(switch(
            "expired",
            "Have the user choose another password at the first login",
        ));
    let change = with_name(Command::new("change"))
        .about("Change a user; what is not given stays")
        .arg(option("rename", "NAME", "A new name"))
        .arg(groups(
            "All groups from now on, separated by commas; empty for none",
        ))
        .arg(send_to())
        .arg(
            switch(
                "password",
                "Ask for a new password, or read it from standard input, one line",
            )
            .short('p'),
        )
        .arg(generate())
        .arg(
            switch(
                "expired",
                "Have the user choose another password at the next login",
            )
            .conflicts_with("not-expired"),
        )
        .arg(switch("not-expired", "Let the user keep the password"));
    let password = with_name(Command::new("password"))
        .about("Give a user a new password, asked for twice, or read from standard input, one line")
        .arg(generate());
    let delete = with_name(Command::new("delete")).about("Remove a user");
    let totp_reset = with_name(Command::new("totp-reset"))
        .about("Forget the authenticator app of a user, who sets up a new one at the next login");
    Command::new("user")
        .about("Manage the users of the API, wherever the configuration keeps them")
        .after_help(
            "Works while the server runs, too. A server that reads auth_file takes notice at SIGHUP, one that reads \
             auth_user_table within seconds.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([list, add, change, password, delete, totp_reset])
}

/// The name stands by itself, or behind `-u` as with the Go server.
fn with_name(command: Command) -> Command {
    command
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required_unless_present("username")
                .conflicts_with("username")
                .help("Name of the user"),
        )
        .arg(option("username", "NAME", "Name of the user; the same as NAME").short('u'))
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_hyphen_values(true)
        .help(help)
}

fn groups(help: &'static str) -> Arg {
    option("group", "GROUPS", help)
        .short('g')
        .action(ArgAction::Append)
}

fn send_to() -> Arg {
    option(
        "2fa-sendto",
        "ADDRESS",
        "Where codes of the second factor are sent",
    )
}

fn generate() -> Arg {
    switch(
        "generate",
        "Make a strong password and print it instead of asking for one",
    )
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// What the words behind `user` ask for.
pub(super) fn user(matches: &ArgMatches) -> Option<UserCommand> {
    let (verb, matches) = matches.subcommand()?;
    let text = |key: &str| matches.get_one::<String>(key).cloned();
    let name = || text("name").or_else(|| text("username"));
    let groups = || {
        let given = matches.get_many::<String>("group")?;
        let names = given.flat_map(|list| list.split(',')).map(str::trim);
        Some(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
    };
    let from = |input: bool| match (matches.get_flag("generate"), input) {
        (true, _) => Some(PasswordFrom::Generator),
        (_, true) => Some(PasswordFrom::Input),
        _ => None,
    };
    Some(match verb {
        "add" => UserCommand::Add {
            name: name()?,
            groups: groups().unwrap_or_default(),
            two_fa_send_to: text("2fa-sendto").unwrap_or_default(),
            generate: matches.get_flag("generate"),
            expired: matches.get_flag("expired"),
        },
        "change" => UserCommand::Change {
            name: name()?,
            rename: text("rename"),
            groups: groups(),
            two_fa_send_to: text("2fa-sendto"),
            password: from(matches.get_flag("password")),
            expired: match (matches.get_flag("expired"), matches.get_flag("not-expired")) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
        },
        "password" => UserCommand::Change {
            name: name()?,
            rename: None,
            groups: None,
            two_fa_send_to: None,
            password: from(true),
            expired: None,
        },
        "delete" => UserCommand::Delete { name: name()? },
        "totp-reset" => UserCommand::TotpReset { name: name()? },
        _ => UserCommand::List,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Action, parse};
    use super::*;

    fn words(text: &str) -> impl Iterator<Item = OsString> {
        ["rportd"].into_iter().chain(text.split(' ')).map(OsString::from)
    }

    fn check(text: &str, expected: UserCommand) {
        let action = parse(words(text)).expect("sound").action;
        assert_eq!(action, Action::User(expected), "{text}");
    }

    #[test]
    fn words_become_commands() {
        let ann = || "ann".to_owned();
        check("user list", UserCommand::List);
        check("user delete ann", UserCommand::Delete { name: ann() });
        check("user totp-reset -u ann", UserCommand::TotpReset { name: ann() });
        check(
            "-c x user add -u ann -g ops,dev --group Administrators --2fa-sendto a@example.com",
            UserCommand::Add {
                name: ann(),
                groups: vec!["ops".into(), "dev".into(), "Administrators".into()],
                two_fa_send_to: "a@example.com".into(),
                generate: false,
                expired: false,
            },
        );
        check(
            "user change ann --rename bob -p --not-expired",
            UserCommand::Change {
                name: ann(),
                rename: Some("bob".into()),
                groups: None,
                two_fa_send_to: None,
                password: Some(PasswordFrom::Input),
                expired: Some(false),
            },
        );
        check(
            "user password ann --generate",
            UserCommand::Change {
                name: ann(),
                rename: None,
                groups: None,
                two_fa_send_to: None,
                password: Some(PasswordFrom::Generator),
                expired: None,
            },
        );
    }

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "user",
            "user add",
            "user add ann -u bob",
            "user change ann --expired --not-expired",
            "user add ann --password secret",
            "user nonsense",
        ] {
            assert!(parse(words(text)).is_err(), "{text}");
        }
    }
}
