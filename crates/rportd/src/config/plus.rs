//! `[plus-plugin]`, `[plus-license]`, `[plus-oauth]`: settings of the closed add-on of the Go server.
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
const OAUTH: [&str; 17] = [
    "provider",
    "authorize_url",
    "token_url",
    "redirect_uri",
    "client_id",
    "client_secret",
    "required_organization",
    "required_group_id",
    "permitted_user_list",
    "permitted_user_match",
    "device_authorize_url",
    "device_client_id",
    "device_client_secret",
    "jwks_url",
    "role_claim",
    "required_role",
    "username_claim",
];

impl PlusSections {
    pub(super) fn read(document: &Document) -> Self {
        let license = document.section("plus-license");
        LICENSE.iter().for_each(|key| license.accept(key));
        let oauth = document.section("plus-oauth");
        OAUTH.iter().for_each(|key| oauth.accept(key));
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
