//! Configuration files of both programs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rport_runtime::toml_config::Document;

fuzz_target!(|text: &str| {
    let _ = rport_agent::config::from_toml(text);
    if let Ok(document) = Document::parse(text, "fuzz.conf") {
        let _ = rportd::config::Config::read(document);
    }
});
