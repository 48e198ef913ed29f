//! Arbitrary text as configuration: loading and reading every kind of value must never panic.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rport_runtime::toml_config::Document;

fuzz_target!(|text: &str| {
    let Ok(document) = Document::parse(text, "fuzz") else { return };
    for name in ["server", "client", "a"] {
        let section = document.section(name);
        for key in ["address", "labels", "x"] {
            section.boolean(key, false);
            section.integer(key, 0);
            section.float(key, 0.0);
            section.string(key, "");
            section.secret(key);
            section.list(key, &[]);
            section.pair(key, ["", ""]);
            section.duration(key, Duration::ZERO);
            section.string_map(key);
        }
        section.free_entries();
    }
    let report = document.finish();
    for problem in report.errors.iter().chain(&report.warnings) {
        assert!(!problem.to_string().contains('\n'), "a message must stay on one line: {problem:?}");
    }
});
