//! `[server]`: agents, tunnels, files.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use rport_runtime::{
    Secret,
    toml_config::{Document, Section},
};

use rport_server::{ClientIdBinding, PasswordHashing};
use rport_tls::{Certificates, LETS_ENCRYPT};

use super::check;

/// The section as written, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSection {
    /// Where agents connect.
    pub address: String,
    /// What the API tells as addresses for agents.
    pub url: Vec<String>,
    /// The pairing service; empty for none.
    pub pairing_url: String,
    /// Seed of the SSH host key; empty makes a new key at every start.
    pub key_seed: Secret,
    /// One pair for all agents.
    pub auth: Secret,
    /// JSON file with pairs.
    pub auth_file: String,
    /// Table with pairs.
    pub auth_table: String,
    /// Whether several clients may use one client auth id.
    pub auth_multiuse_creds: bool,
    /// Whether a client auth id becomes the id of an agent without one.
    pub equate_clientauthid_clientid: bool,
    /// Whether the API may change client auth.
    pub auth_write: bool,
    /// How new passwords of client auth are kept. Ours.
    pub auth_hash: PasswordHashing,
    /// Whether the API shows passwords of client auth that are kept in clear. Ours.
    pub auth_reveal: bool,
    /// Whether a client id stays with the client auth it came with. Ours.
    pub client_id_binding: ClientIdBinding,
    /// Where requests go that are no agents.
    pub proxy: String,
    /// Ports for tunnels.
    pub used_ports: Vec<String>,
    /// Ports never used for tunnels.
    pub excluded_ports: Vec<String>,
    /// Folder of all state.
    pub data_dir: PathBuf,
    /// Whether SQLite files use write-ahead logs.
    pub sqlite_wal: bool,
    /// SSH handshakes computed at the same time.
    pub max_concurrent_ssh_handshakes: i64,
    /// Whether disconnected clients are deleted some day.
    pub purge_disconnected_clients: bool,
    /// How long they are kept, in nanoseconds.
    pub keep_disconnected_clients: i64,
    /// How often the clean-up looks, in nanoseconds.
    pub purge_disconnected_clients_interval: i64,
    /// After how much silence an agent is asked for a sign of life.
    pub check_clients_connection_interval: Duration,
    /// How long it has to answer.
    pub check_clients_connection_timeout: Duration,
    /// Limit of requests of agents, in bytes.
    pub max_request_bytes_client: i64,
    /// How long an agent may try a port.
    pub check_port_timeout: Duration,
    /// Default time limit of commands, in seconds.
    pub run_remote_cmd_timeout_sec: i64,
    /// Whether the server may run as root.
    pub allow_root: bool,
    /// How long a client auth id is refused after a wrong password, in seconds.
    pub client_login_wait: f64,
    /// Wrong passwords until an address is banned; 0 never bans.
    pub max_failed_login: i64,
    /// Length of a ban in seconds; 0 never bans.
    pub ban_time: i64,
    /// Host name of tunnels as visitors see it.
    pub tunnel_host: String,
    /// Certificate of tunnel proxies.
    pub tunnel_proxy_cert_file: String,
    /// Its key.
    pub tunnel_proxy_key_file: String,
    /// Whether tunnel proxies get certificates by ACME.
    pub tunnel_enable_acme: bool,
    /// Origins that may use tunnel proxies.
    pub tunnel_cors: Vec<String>,
    /// Folder of noVNC.
    pub novnc_root: String,
    /// Address of guacd.
    pub guacd_address: String,
    /// Lowest TLS version of tunnel proxies.
    pub tls_min: String,
    /// Jobs kept.
    pub jobs_max_results: i64,
    /// Port of the HTTP challenge of ACME; 0 for none.
    pub acme_http_port: i64,
    /// Directory of the authority that issues certificates. Ours.
    pub acme_directory_url: String,
    /// PEM file with further authorities that the directory's own certificate may come from. Ours.
    pub acme_ca_file: String,
    /// Senders of `X-Forwarded-For` that are believed on the agents' port. Ours.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a peer may take from the upgrade to the end of its login. Ours.
    pub handshake_timeout: Duration,
}

const KEEP_MIN: i64 = 1_000_000_000;
const KEEP_MAX: i64 = 7 * 24 * 3600 * 1_000_000_000;
const CHECK_INTERVAL_MIN: Duration = Duration::from_secs(120);
const CHECK_PORT_MAX: Duration = Duration::from_secs(60);

impl ServerSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("server");
        let address = section.string("address", "0.0.0.0:8080");
        let default_url = format!("http://{address}");
        let secs = Duration::from_secs;
        let mut server = Self {
            url: section.list("url", &[default_url.as_str()]),
            address,
            pairing_url: section.string("pairing_url", "https://pairing.openrport.io"),
            key_seed: section.secret("key_seed"),
            auth: section.secret("auth"),
            auth_file: section.string("auth_file", ""),
            auth_table: section.string("auth_table", ""),
            auth_multiuse_creds: section.boolean("auth_multiuse_creds", true),
            equate_clientauthid_clientid: section.boolean("equate_clientauthid_clientid", false),
            auth_write: section.boolean("auth_write", true),
            auth_hash: check::word(&section, "auth_hash", "none").unwrap_or(PasswordHashing::None),
            auth_reveal: section.boolean("auth_reveal", true),
            client_id_binding: check::word(&section, "client_id_binding", "warn")
                .unwrap_or(ClientIdBinding::Warn),
            proxy: section.string("proxy", ""),
            used_ports: section.list("used_ports", &["20000-30000"]),
            excluded_ports: section.list("excluded_ports", &["1-1024"]),
            data_dir: section.string("data_dir", "/var/lib/rport").into(),
            sqlite_wal: section.boolean("sqlite_wal", true),
            max_concurrent_ssh_handshakes: section
                .integer("max_concurrent_ssh_handshakes", default_handshakes()),
            purge_disconnected_clients: section.boolean("purge_disconnected_clients", false),
            keep_disconnected_clients: section.nanoseconds("keep_disconnected_clients", 3600 * 1_000_000_000),
            purge_disconnected_clients_interval: section
                .nanoseconds("purge_disconnected_clients_interval", 60 * 1_000_000_000),
            check_clients_connection_interval: section
                .duration("check_clients_connection_interval", secs(300)),
            check_clients_connection_timeout: section.duration("check_clients_connection_timeout", secs(30)),
            max_request_bytes_client: section.integer("max_request_bytes_client", 512 * 1024),
            check_port_timeout: section.duration("check_port_timeout", secs(2)),
            run_remote_cmd_timeout_sec: section.integer("run_remote_cmd_timeout_sec", 60),
            allow_root: section.boolean("allow_root", false),
            client_login_wait: section.float("client_login_wait", 2.0),
            max_failed_login: section.integer("max_failed_login", 5),
            ban_time: section.integer("ban_time", 3600),
            tunnel_host: section.string("tunnel_host", ""),
            tunnel_proxy_cert_file: section.string("tunnel_proxy_cert_file", ""),
            tunnel_proxy_key_file: section.string("tunnel_proxy_key_file", ""),
            tunnel_enable_acme: section.boolean("tunnel_enable_acme", false),
            tunnel_cors: check::origins(&section, "tunnel_cors"),
            novnc_root: section.string("novnc_root", ""),
            guacd_address: section.string("guacd_address", ""),
            tls_min: section.string("tls_min", "1.3"),
            jobs_max_results: section.integer("jobs_max_results", 10_000),
            acme_http_port: section.integer("acme_http_port", 0),
            acme_directory_url: section.string("acme_directory_url", LETS_ENCRYPT),
            acme_ca_file: section.string("acme_ca_file", ""),
            trusted_proxies: check::networks(&section, "trusted_proxies"),
            handshake_timeout: section.duration("handshake_timeout", secs(15)),
        };
        server.apply_deprecated(&section);
        server
    }

    /// Old names win over the new ones when they hold something, as in the Go server.
    fn apply_deprecated(&mut self, section: &Section<'_>) {
        let purge = section.boolean("cleanup_lost_clients", false);
        let keep = section.nanoseconds("keep_lost_clients", 0);
        let interval = section.nanoseconds("cleanup_clients_interval", 0);
        if purge {
            self.purge_disconnected_clients = true;
            warn_deprecated(section, "cleanup_lost_clients", "purge_disconnected_clients");
        }
        if keep != 0 {
            self.keep_disconnected_clients = keep;
            warn_deprecated(section, "keep_lost_clients", "keep_disconnected_clients");
        }
        if interval != 0 {
            self.purge_disconnected_clients_interval = interval;
            warn_deprecated(
                section,
                "cleanup_clients_interval",
                "purge_disconnected_clients_interval",
            );
        }
    }

    pub(super) fn check_address(&self, document: &Document) {
        if let Err(text) = check::listen_address(&self.address) {
            document.error("server.address", text);
        }
    }

    pub(super) fn check_urls(&self, document: &Document) {
        for url in &self.url {
            // The default follows the address, which is checked by itself.
            if document.has("server.url")
                && let Err(text) = check::http_url(url)
            {
                document.error("server.url", format!("server.URL: {text}"));
            }
        }
        if !self.pairing_url.is_empty()
            && let Err(text) = check::http_url(&self.pairing_url)
        {
            document.error("server.pairing_url", format!("server.pairingURL: {text}"));
        }
    }

    /// Whether tunnels may have an HTTP proxy in front.
    pub fn tunnel_proxy_enabled(&self) -> bool {
        !self.tunnel_proxy_cert_file.is_empty()
            || !self.tunnel_proxy_key_file.is_empty()
            || self.tunnel_enable_acme
    }

    /// Lowest TLS version of tunnel proxies.
    pub fn tls_min(&self) -> rport_tls::TlsMin {
        check::tls_min(&self.tls_min, rport_tls::TlsMin::V1_3).unwrap_or_default()
    }

    pub(super) fn check_tunnel_proxy(&self, document: &Document) {
        if !self.tunnel_proxy_enabled() {
            return;
        }
        let (cert, key) = (&self.tunnel_proxy_cert_file, &self.tunnel_proxy_key_file);
        let tls_min = check::tls_min(&self.tls_min, rport_tls::TlsMin::V1_3);
        match (cert.is_empty(), key.is_empty()) {
            (false, true) => document.error(
                "server.tunnel_proxy_cert_file",
                "when 'tunnel_proxy_cert_file' is set, 'tunnel_proxy_key_file' must be set as well",
            ),
            (true, false) => document.error(
                "server.tunnel_proxy_key_file",
                "when 'tunnel_proxy_key_file' is set, 'tunnel_proxy_cert_file' must be set as well",
            ),
            (false, false) => {
                if let Err(error) = Certificates::from_files(cert.as_ref(), key.as_ref()) {
                    let text = format!("invalid 'tunnel_proxy_cert_file', 'tunnel_proxy_key_file': {error}");
                    document.error("server.tunnel_proxy_cert_file", text);
                }
            }
            (true, true) => {}
        }
        if self.tunnel_enable_acme && !(cert.is_empty() && key.is_empty()) {
            let text = "tunnel_proxy_cert_file, tunnel_proxy_key_file and tunnel_enable_acme cannot be used together";
            document.error("server.tunnel_enable_acme", text);
        }
        if !self.tunnel_host.is_empty() && !check::is_host(&self.tunnel_host) {
            let text = format!(
                "invalid tunnel_host '{}': use IP address or FQDN",
                self.tunnel_host
            );
            document.error("server.tunnel_host", text);
        }
        if self.tunnel_enable_acme && self.tunnel_host.is_empty() {
            document.warn(
                "server.tunnel_host",
                "must be set for tunnel_enable_acme; no certificate can be issued",
            );
        }
        if let Err(text) = tls_min {
            document.error("server.tls_min", text);
        }
        if !self.guacd_address.is_empty()
            && let Err(text) = check::listen_address(&self.guacd_address)
        {
            document.error("server.guacd_address", text);
        }
    }

    pub(super) fn check_data_dir(&self, document: &Document) {
        if self.data_dir.as_os_str().is_empty() {
            document.error("server.data_dir", "'data directory path' cannot be empty");
        }
    }

    pub(super) fn check_keep_disconnected(&self, document: &Document) {
        if !self.purge_disconnected_clients {
            return;
        }
        let keep = self.keep_disconnected_clients;
        if keep != 0 && !(KEEP_MIN..=KEEP_MAX).contains(&keep) {
            let sign = if keep < 0 { "-" } else { "" };
            let actual =
                rport_runtime::toml_config::format_duration(Duration::from_nanos(keep.unsigned_abs()));
            let text = format!(
                "expected 'Keep Lost Clients' can be in range [1s, 168h0m0s], actual: {sign}{actual}"
            );
            document.error("server.keep_disconnected_clients", text);
        }
        if self.purge_disconnected_clients_interval <= 0 {
            document.error(
                "server.purge_disconnected_clients_interval",
                "must be longer than 0, like \"1m\"",
            );
        }
    }

    pub(super) fn check_client_auth(&self, document: &Document, db_type: &str) -> Option<check::Source> {
        let (auth, file, table) = (
            !self.auth.is_empty(),
            !self.auth_file.is_empty(),
            !self.auth_table.is_empty(),
        );
        let both = |one: &str, other: &str| {
            document.error(
                &format!("server.{one}"),
                format!("'{one}' and '{other}' are both set: expected only one of them"),
            );
        };
        match (auth, file, table) {
            (false, false, false) => {
                let text =
                    "client authentication must be enabled: set either 'auth', 'auth_file' or 'auth_table'";
                document.error("server.auth", text);
                None
            }
            (true, true, _) => {
                both("auth_file", "auth");
                None
            }
            (_, true, true) => {
                both("auth_file", "auth_table");
                None
            }
            (true, _, true) => {
                both("auth", "auth_table");
                None
            }
            (true, ..) => {
                let pair = check::pair(&self.auth).map(check::Source::Pair);
                if pair.is_none() {
                    let text =
                        "invalid client auth credentials, expected '<client-id>:<password>', got \"***\"";
                    document.error("server.auth", text);
                }
                pair
            }
            (_, true, _) => Some(check::Source::File(PathBuf::from(&self.auth_file))),
            (.., true) => {
                if db_type.is_empty() {
                    document.error(
                        "server.auth_table",
                        "'db_type' must be set when 'auth_table' is set",
                    );
                }
                Some(check::Source::Table(self.auth_table.clone()))
            }
        }
    }

    pub(super) fn check_proxy(&self, document: &Document) -> Option<http::Uri> {
        if self.proxy.is_empty() {
            return None;
        }
        match check::http_url(&self.proxy) {
            Ok(url) => Some(url),
            Err(text) => {
                document.error("server.proxy", format!("missing protocol: {text}"));
                None
            }
        }
    }

    /// The limits that the Go server did not check, although it crashed or blocked on some of them.
    pub(super) fn check_limits(&self, document: &Document) {
        if self.check_port_timeout > CHECK_PORT_MAX {
            document.error(
                "server.check_port_timeout",
                "'check_port_timeout' can not be more than 1m0s",
            );
        }
        if self.max_request_bytes_client <= 0 {
            document.error(
                "server.max_request_bytes_client",
                "must be larger than 0; no agent could connect",
            );
        }
        if self.client_login_wait < 0.0 {
            document.error(
                "server.client_login_wait",
                "must not be negative; 0 switches it off",
            );
        }
        for (key, value) in [
            ("max_failed_login", self.max_failed_login),
            ("ban_time", self.ban_time),
        ] {
            if value < 0 {
                document.error(
                    &format!("server.{key}"),
                    "must not be negative; 0 switches bans off",
                );
            }
        }
        if !(0..=65535).contains(&self.acme_http_port) {
            document.error(
                "server.acme_http_port",
                "must be a port (1 to 65535), or 0 for none",
            );
        }
        self.check_acme(document);
        if self.handshake_timeout < Duration::from_secs(1) {
            document.error("server.handshake_timeout", "must be at least \"1s\"");
        }
    }

    fn check_acme(&self, document: &Document) {
        let url = &self.acme_directory_url;
        if check::http_url(url)
            .ok()
            .and_then(|url| url.scheme_str().map(|scheme| scheme == "https"))
            != Some(true)
        {
            let text = format!("invalid url {url:?}: must be the https address of an ACME directory");
            document.error("server.acme_directory_url", text);
        }
        if !self.acme_ca_file.is_empty()
            && let Err(error) = rport_tls::client_config(Some(self.acme_ca_file.as_ref()))
        {
            document.error("server.acme_ca_file", error.to_string());
        }
    }

    pub(super) fn check_handshakes(&self, document: &Document) {
        let key = "server.max_concurrent_ssh_handshakes";
        let cpus = cpus();
        if self.max_concurrent_ssh_handshakes < 1 {
            document.error(key, "must be at least 1; no agent could connect");
        } else if self.max_concurrent_ssh_handshakes > 2 * cpus {
            let text =
                format!("is more than twice the number of CPUs ({cpus}); handshakes may starve each other");
            document.warn(key, text);
        }
    }

    pub(super) fn check_interval(&mut self, document: &Document) {
        if self.check_clients_connection_interval < CHECK_INTERVAL_MIN {
            self.check_clients_connection_interval = CHECK_INTERVAL_MIN;
            document.warn(
                "server.check_clients_connection_interval",
                "is below the minimum; 2m is used",
            );
        }
    }
}

pub(super) fn warn_deprecated(section: &Section<'_>, old: &str, new: &str) {
    section.warn(
        old,
        format!("server setting '{old}' is deprecated and will be removed soon. Use '{new}' instead."),
    );
}

fn cpus() -> i64 {
    std::thread::available_parallelism().map_or(1, |cpus| i64::try_from(cpus.get()).unwrap_or(i64::MAX))
}

fn default_handshakes() -> i64 {
    (cpus() / 2).max(1)
}
