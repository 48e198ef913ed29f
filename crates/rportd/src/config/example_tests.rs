//! The example file against the code.

use std::{collections::BTreeSet, fs};

use rport_runtime::toml_config::Document;

use super::*;

/// The example as it is shipped, and with its commented settings (`#key = value`) switched on: all of them, or only
/// those whose line does not end in `# example`.
fn example(switched_on: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rportd.conf");
    let text = fs::read_to_string(path).expect("the example");
    let setting = regex::Regex::new(r"^#([a-z_0-9]+ = .*)$").expect("sound");
    let lines = text
        .lines()
        .map(|line| match (switched_on, setting.captures(line)) {
            ("all", Some(found)) => found[1].to_owned(),
            ("defaults", Some(found)) if !line.ends_with("# example") => found[1].to_owned(),
            _ => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn read(switched_on: &str) -> (Option<Config>, Report) {
    Config::read(Document::parse(&example(switched_on), "rportd.conf").expect("sound TOML"))
}

#[test]
fn the_example_names_every_key_and_no_other() {
    let document = Document::parse(&example("all"), "example").expect("sound TOML");
    Config::read_sections(&document);
    let known = document.known_keys();
    let in_example: BTreeSet<String> = known.iter().filter(|key| document.has(key)).cloned().collect();
    // Old names are not advertised, and the settings of the add-on cannot be served.
    let left_out = |key: &str| {
        let old = [
            "cleanup_lost_clients",
            "keep_lost_clients",
            "cleanup_clients_interval",
            "data_storage_days",
        ];
        let moved = [
            "server.max_request_bytes",
            "server.max_filepush_size",
            "server.enable_ws_test_endpoints",
        ];
        key.starts_with("plus-") || moved.contains(&key) || old.iter().any(|old| key.ends_with(old))
    };
    let missing: Vec<_> = known
        .difference(&in_example)
        .filter(|key| !left_out(key))
        .collect();
    assert!(missing.is_empty(), "missing in examples/rportd.conf: {missing:?}");
    let unknown = document
        .finish()
        .warnings
        .into_iter()
        .map(|warning| warning.to_string());
    let unknown: Vec<_> = unknown.filter(|text| text.contains("unknown")).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn commented_settings_of_the_example_are_the_defaults() {
    let shipped = read("none").0;
    let (with_defaults, report) = read("defaults");
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert!(shipped.is_some());
    assert_eq!(with_defaults, shipped);
}
