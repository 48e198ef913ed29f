use std::{fmt::Write as _, fs, path::Path};

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;

/// The page; `UPDATE_DOCS=1` writes it.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rportcli.md");
/// The part above this line is written by hand.
const MARK: &str =
    "<!-- Below this line: made from the program by UPDATE_DOCS=1 cargo test -p rport-cli manual -->\n";

#[test]
fn the_page_is_current() {
    let page = fs::read_to_string(PAGE).expect("docs/rportcli.md");
    let (by_hand, _) = page.split_once(MARK).expect("the mark in docs/rportcli.md");
    let fresh = format!("{by_hand}{MARK}{}", generated());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(Path::new(PAGE), &fresh).expect("written");
        return;
    }
    assert!(
        page == fresh,
        "docs/rportcli.md is stale; run: UPDATE_DOCS=1 cargo test -p rport-cli manual"
    );
}

#[test]
fn every_option_explains_itself() {
    let mut silent = Vec::new();
    walk(&Cli::command(), "", &mut |path, command| {
        if command.get_about().is_none() {
            silent.push(path.to_owned());
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if arg.get_help().is_none() {
                silent.push(format!("{path} {}", arg.get_id()));
            }
        }
    });
    assert!(silent.is_empty(), "no help for: {silent:?}");
}

fn walk(command: &Command, above: &str, visit: &mut dyn FnMut(&str, &Command)) {
    let path = format!("{above} {}", command.get_name()).trim().to_owned();
    visit(&path, command);
    for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        walk(below, &path, visit);
    }
}

fn generated() -> String {
    let mut command = Cli::command();
    command.build();
    let mut text = String::from("\n## Global options\n\n");
    options(
        &mut text,
        command.get_arguments().filter(|arg| arg.is_global_set()),
    );
    text.push_str("\n## Commands\n");
    walk(&command, "", &mut |path, command| {
        if path == "rportcli" || command.get_name() == "help" || path.contains(" help ") {
            return;
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = write!(text, "\n### {path}\n\n{about}.\n");
        if command.has_subcommands() {
            return;
        }
        let _ = write!(text, "\n`{usage}`\n\n");
        options(
            &mut text,
            command.get_arguments().filter(|arg| !arg.is_global_set()),
        );
        if let Some(after) = command.get_after_help() {
            let _ = write!(text, "\n```text\n{after}\n```\n");
        }
    });
    text
}

fn options<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    for arg in arguments.filter(|arg| !arg.is_hide_set() && arg.get_id() != "help") {
        let mut names = Vec::new();
        names.extend(arg.get_short().map(|short| format!("-{short}")));
        names.extend(arg.get_long().map(|long| format!("--{long}")));
        let values: Vec<String> = arg
            .get_value_names()
            .filter(|_| arg.get_action().takes_values())
            .unwrap_or_default()
            .iter()
            .map(|name| {
                if names.is_empty() {
                    name.to_string()
                } else {
                    format!(" {name}")
                }
            })
            .collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let env = arg.get_env().map(|name| format!(" [{}]", name.to_string_lossy()));
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = match defaults.as_slice() {
            [] => String::new(),
            _ if !arg.get_action().takes_values() || arg.is_hide_default_value_set() => String::new(),
            defaults => format!(" [default: {}]", defaults.join(" ")),
        };
        let _ = writeln!(
            text,
            "- `{}{}`: {help}{default}{}",
            names.join(", "),
            values.join(" "),
            env.unwrap_or_default()
        );
    }
}
