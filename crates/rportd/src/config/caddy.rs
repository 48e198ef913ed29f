//! `[caddy-integration]`: tunnels under sub-domains, served by caddy.
//!
//! The section is checked, so that a file made for the Go server shows its mistakes, and nothing more: this server
//! does not start caddy. As in the original no mistake here stops the server, except the clash of ports with the API.

use rport_runtime::toml_config::Document;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaddySection {
    /// The program.
    pub caddy: String,
    /// Where tunnels are served.
    pub address: String,
    /// Domain above the names of tunnels.
    pub subdomain_prefix: String,
    /// Certificate of the domain.
    pub cert_file: String,
    /// Its key.
    pub key_file: String,
    /// Host name of the API, if caddy fronts it.
    pub api_hostname: String,
    /// Port of the API, if caddy fronts it.
    pub api_port: String,
    /// Certificate of the API.
    pub api_cert_file: String,
    /// Its key.
    pub api_key_file: String,
    /// Lowest TLS version.
    pub tls_min: String,
}

impl CaddySection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("caddy-integration");
        let text = |key| section.string(key, "");
        Self {
            caddy: text("caddy"),
            address: text("address"),
            subdomain_prefix: text("subdomain_prefix"),
            cert_file: text("cert_file"),
            key_file: text("key_file"),
            api_hostname: text("api_hostname"),
            api_port: text("api_port"),
            api_cert_file: text("api_cert_file"),
            api_key_file: text("api_key_file"),
            tls_min: text("tls_min"),
        }
    }

    fn required(&self) -> [(&'static str, &str); 5] {
        [
            ("caddy", &self.caddy),
            ("address", &self.address),
            ("subdomain_prefix", &self.subdomain_prefix),
            ("cert_file", &self.cert_file),
            ("key_file", &self.key_file),
        ]
    }

    /// Whether anything is configured at all.
    pub fn is_used(&self) -> bool {
        self.required().iter().any(|(_, value)| !value.is_empty())
    }

    pub(super) fn check(&self, document: &Document) {
        if !self.is_used() {
            return;
        }
        let warn = |key: &str, text: &str| document.warn(&format!("caddy-integration.{key}"), text);
        for (key, value) in self.required() {
            if value.is_empty() {
                warn(key, "must be set for sub-domain tunnels");
            }
        }
        if self.api_hostname.is_empty() != self.api_port.is_empty() {
            warn("api_hostname", "api_hostname and api_port must be set together");
        }
        if !matches!(self.tls_min.as_str(), "" | "1.2" | "1.3") {
            warn("tls_min", "TLS must be either 1.2 or 1.3");
        }
        warn(
            "caddy",
            "sub-domain tunnels are not available: this server does not start caddy",
        );
    }

    pub(super) fn check_port_clash(&self, document: &Document, api_address: &str) {
        let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
        let fronts_api = !self.api_hostname.is_empty() || !self.api_port.is_empty();
        let same =
            !self.address.is_empty() && !api_address.is_empty() && port(&self.address) == port(api_address);
        if same && !fronts_api {
            let text = "API: API and tunnel subdomains are on the same port. The api_hostname and api_port must be configured";
            document.error("caddy-integration.address", text);
        }
    }
}
