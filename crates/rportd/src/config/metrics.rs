//! `[metrics]`: ours, the Go server has none.

use rport_runtime::toml_config::Document;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSection {
    /// Whether the API port serves `/metrics`.
    pub enabled: bool,
}

impl MetricsSection {
    pub(super) fn read(document: &Document) -> Self {
        Self {
            enabled: document.section("metrics").boolean("enabled", false),
        }
    }

    pub(super) fn check(&self, document: &Document, api_address: &str) {
        if self.enabled && api_address.is_empty() {
            document.warn(
                "metrics.enabled",
                "has no effect without '[api] address': the page is on the API port",
            );
        }
    }
}
