//! `[plus-plugin]`, `[plus-license]`: settings of the closed add-on of the Go server. Its `[plus-oauth]` is read in
//! `sso.rs`.
//!
//! The keys are known, so that a file with them loads without complaints about typing mistakes; the add-on is a Go
//! library and cannot be loaded.

use rport_runtime::toml_config::Document;

/// Whether the file asks for the add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlusSections {
    /// Path of the add-on; empty for none.
    pub plugin_path: String,
}

const LICENSE: [&str; 3] = ["id", "key", "proxy_url"];
impl PlusSections {
    pub(super) fn read(document: &Document) -> Self {
        let license = document.section("plus-license");
        LICENSE.iter().for_each(|key| license.accept(key));
        Self {
            plugin_path: document.section("plus-plugin").string("plugin_path", ""),
        }
    }

    pub(super) fn check(&self, document: &Document) {
        if !self.plugin_path.is_empty() {
            let text = "plus plugins are not loaded: this server cannot run them and starts without";
            document.warn("plus-plugin.plugin_path", text);
        }
    }
}
