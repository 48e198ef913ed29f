//! The map of `docs/ARCHITECTURE.md`: which crate may name which.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Row of the map for each crate. A crate names only crates of smaller rows, and of its own row those listed in
/// [`NEIGHBOURS`].
const ROWS: [(&str, u8); 15] = [
    ("rport-protocol", 0),
    ("rport-runtime", 0),
    ("rport-ui", 0),
    ("rport-domain", 1),
    ("rport-transport", 1),
    ("rport-tls", 1),
    ("rport-store", 2),
    ("rport-tunnel", 2),
    ("rport-api-types", 2),
    ("rport-agent", 2),
    ("rport-server", 3),
    ("rport-http", 4),
    ("rport-cli", 3),
    ("rportd", 5),
    ("rport-testkit", 5),
];

/// The harness sees everything, the server program included.
const NEIGHBOURS: [(&str, &str); 1] = [("rport-testkit", "rportd")];

/// What a crate never names, with the reason, beyond what the rows say.
const NEVER: [(&str, &[&str], &str); 10] = [
    (
        "rport-protocol",
        &["tokio", "hyper", "http", "rusqlite", "rport-runtime"],
        "it is types and bytes, without I/O and without a clock",
    ),
    (
        "rport-domain",
        &["tokio", "hyper", "http", "axum", "rusqlite", "rport-runtime"],
        "it is pure rules",
    ),
    (
        "rport-api-types",
        &["tokio", "axum", "rusqlite"],
        "it is the shapes of the API",
    ),
    (
        "rport-store",
        &["axum", "hyper", "http", "rport-transport"],
        "it knows neither sessions nor HTTP",
    ),
    (
        "rport-tunnel",
        &["axum", "rusqlite"],
        "it carries bytes and knows neither SQL nor the API",
    ),
    (
        "rport-tls",
        &["rport-domain", "rport-protocol", "axum", "rusqlite"],
        "it serves certificates to any listener and knows none of our nouns",
    ),
    (
        "rport-cli",
        &[
            "rport-store",
            "rport-server",
            "rport-http",
            "rport-transport",
            "rusqlite",
        ],
        "an operator's program speaks the API and nothing else",
    ),
    (
        "rport-agent",
        &[
            "rport-domain",
            "rport-store",
            "rport-tunnel",
            "rport-server",
            "rport-http",
            "rusqlite",
            "axum",
        ],
        "the agent must stay small and know nothing of the server",
    ),
    (
        "rport-server",
        &["axum", "rusqlite"],
        "services do not know that HTTP and SQL exist",
    ),
    (
        "rport-http",
        &["rport-store", "rport-transport"],
        "routes ask services, never the store or a link",
    ),
];

/// The direct dependencies of each crate of the workspace, those of its tests left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"]
                .as_array()
                .expect("a list of dependencies");
            let shipped = all.iter().filter(|dependency| dependency["kind"] != "dev");
            (
                text(&package["name"]),
                shipped.map(|dependency| text(&dependency["name"])).collect(),
            )
        })
        .collect()
}

#[test]
fn every_crate_is_on_the_map() {
    let on_map: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    for name in dependencies().keys() {
        assert!(
            on_map.contains(&name.as_str()),
            "{name} has no row here; docs/ARCHITECTURE.md needs one too"
        );
    }
}

#[test]
fn crates_name_only_crates_of_earlier_rows() {
    let rows: BTreeMap<&str, u8> = ROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for (name, dependencies) in dependencies() {
        let Some(row) = rows.get(name.as_str()) else {
            continue;
        };
        for dependency in dependencies {
            let Some(other) = rows.get(dependency.as_str()) else {
                continue;
            };
            if other >= row && !NEIGHBOURS.contains(&(name.as_str(), dependency.as_str())) {
                wrong.push(format!("{name} (row {row}) names {dependency} (row {other})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_do_not_name_what_they_must_not_know() {
    let dependencies = dependencies();
    let mut wrong = Vec::new();
    for (name, never, reason) in NEVER {
        let Some(named) = dependencies.get(name) else {
            continue;
        };
        wrong.extend(
            named
                .iter()
                .filter(|other| never.contains(&other.as_str()))
                .map(|other| format!("{name} names {other}, but {reason}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_in_the_documentation_has_the_same_rows() {
    let map = include_str!("../../../../docs/ARCHITECTURE.md");
    for (name, row) in ROWS {
        assert!(
            map.contains(&format!("| {row} | `{name}` |")),
            "docs/ARCHITECTURE.md: no row {row} for {name}"
        );
    }
}
