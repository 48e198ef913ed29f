//! The shipped `rport.conf` against the code.

use super::*;

/// The shipped example, with every commented-out setting switched on.
fn example() -> String {
    include_str!("../../../../../examples/rport.conf")
        .lines()
        .map(|line| match line.trim_start().strip_prefix('#') {
            // Explanations have a blank after the sign, settings do not.
            Some(setting) if !setting.starts_with([' ', '#']) && setting.contains(['=', '[']) => setting,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_example_starts_as_it_is_shipped() {
    let document = Document::parse(include_str!("../../../../../examples/rport.conf"), "rport.conf").unwrap();
    let loaded = resolve(document, &CommandLine::default(), &Surroundings::default()).unwrap();
    assert_eq!(loaded.warnings, []);
    let defaults = ok(SERVER);
    assert_eq!(
        loaded.config.connection.keep_alive,
        defaults.connection.keep_alive
    );
    assert_eq!(loaded.config.client.data_dir, defaults.client.data_dir);
}

#[test]
fn the_example_shows_every_key_and_no_other() {
    let document = Document::parse(&example(), "rport.conf").unwrap();
    let sections = Sections::read(&document);
    for key in document.known_keys() {
        // Options of remotes are flags; their keys exist for the sake of existing files only.
        if !key.starts_with("tunnels.") && !key.starts_with("interpreter-aliases.") {
            assert!(document.has(&key), "the example lacks {key}");
        }
    }
    assert!(
        !sections.interpreter_aliases.is_empty(),
        "the example lacks an interpreter alias"
    );
    check(&sections, &Surroundings::default()).unwrap();
    let report = document.finish();
    assert_eq!((report.errors, report.warnings), (vec![], vec![]));
}

#[test]
fn the_example_shows_the_defaults() {
    let shown = Sections::read(&Document::parse(&example(), "rport.conf").unwrap());
    let defaults = Sections::read(&Document::empty());
    assert_eq!(shown.connection.keep_alive, defaults.connection.keep_alive);
    assert_eq!(
        shown.connection.keep_alive_timeout,
        defaults.connection.keep_alive_timeout
    );
    assert_eq!(
        shown.connection.max_retry_interval,
        defaults.connection.max_retry_interval
    );
    assert_eq!(shown.remote_commands, defaults.remote_commands);
    assert_eq!(shown.remote_scripts, defaults.remote_scripts);
    assert_eq!(shown.file_reception, defaults.file_reception);
    assert_eq!(
        shown.monitoring.fs_type_include,
        defaults.monitoring.fs_type_include
    );
    assert_eq!(shown.monitoring.interval, defaults.monitoring.interval);
    assert_eq!(shown.client.updates_interval, defaults.client.updates_interval);
    assert_eq!(shown.client.data_dir, defaults.client.data_dir);
}

/// Installers edit the example with `sed`. The expressions are those of the published installer.
#[test]
fn the_example_keeps_the_lines_installers_look_for() {
    let text = include_str!("../../../../../examples/rport.conf");
    for line in [
        "server = ",
        "auth = ",
        "#fingerprint = ",
        "#allow = ",
        "#deny = ",
        "#id = ",
        "#name = ",
        "use_system_id = true",
        "use_hostname = true",
        "#attributes_file_path = \"/var/",
        "#updates_interval = '4h'",
        "#max_retry_interval",
        "[remote-commands]",
        "[remote-scripts]",
        "[monitoring]",
        "[file-reception]",
        "[interpreter-aliases]",
    ] {
        let found = text.lines().filter(|l| l.trim_start().starts_with(line)).count();
        assert!(found >= 1, "the example lacks a line that starts with {line}");
    }
}
