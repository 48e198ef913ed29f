//! `[logging]`.

use rport_runtime::{
    telemetry::{LogLevel, Output},
    toml_config::Document,
};

/// The section as written, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggingSection {
    /// Where lines go; an empty `log_file` is standard output.
    pub output: Output,
    /// What is worth a line.
    pub level: LogLevel,
}

impl LoggingSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("logging");
        let file = section.string("log_file", "");
        Self {
            output: if file.is_empty() {
                Output::Stdout
            } else {
                Output::File(file.into())
            },
            level: section.parsed("log_level", LogLevel::Info, str::parse),
        }
    }
}
