//! `[api]`: users, logins, the API port.

use std::{path::PathBuf, time::Duration};

use http::Uri;
use ipnet::IpNet;
use rport_runtime::{Secret, toml_config::Document};
use rport_server::UserHash;
use rport_tls::{Certificates, TlsMin};

use super::{check, server::ServerSection, server::warn_deprecated};

/// The section as written, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSection {
    /// Where the API listens; empty switches it off.
    pub address: String,
    /// The API's address as users see it.
    pub base_url: String,
    /// Whether the API gets a certificate by ACME.
    pub enable_acme: bool,
    /// One administrator.
    pub auth: Secret,
    /// JSON file of users.
    pub auth_file: String,
    /// Table of users.
    pub auth_user_table: String,
    /// Table of their groups.
    pub auth_group_table: String,
    /// Table of permissions of groups.
    pub auth_group_details_table: String,
    /// Header of a proxy that has authenticated the user.
    pub auth_header: String,
    /// Header with the user's name.
    pub user_header: String,
    /// Whether users that come by header are created.
    pub create_missing_users: bool,
    /// Group of users that come by header; empty for none. Differs from RPort, which makes them administrators.
    pub default_user_group: String,
    /// How codes for a second factor reach the user; empty for none.
    pub two_fa_token_delivery: String,
    /// How long a code is valid, in seconds.
    pub two_fa_token_ttl_seconds: i64,
    /// How long delivery may take.
    pub two_fa_send_timeout: Duration,
    /// How `two_fa_send_to` of users is checked with script delivery.
    pub two_fa_send_to_type: String,
    /// The pattern for type `regex`.
    pub two_fa_send_to_regex: String,
    /// Whether users need an authenticator app.
    pub totp_enabled: bool,
    /// How long setting it up may take.
    pub totp_login_session_ttl: Duration,
    /// Name shown in the app.
    pub totp_account_name: String,
    /// Key of the tokens; empty makes a new one at every start.
    pub jwt_secret: Secret,
    /// Longest life of a token, in hours.
    pub max_token_lifetime: i64,
    /// Folder of a user interface.
    pub doc_root: String,
    /// Certificate.
    pub cert_file: String,
    /// Its key.
    pub key_file: String,
    /// Log of requests in Apache's combined format.
    pub access_log_file: String,
    /// How long a user name is refused after a wrong password, in seconds.
    pub user_login_wait: f64,
    /// Failures until an address is banned; 0 never bans.
    pub max_failed_login: i64,
    /// Length of a ban in seconds; 0 never bans.
    pub ban_time: i64,
    /// Whether actions are recorded.
    pub enable_audit_log: bool,
    /// Whether recorded addresses are shortened.
    pub use_ip_obfuscation: bool,
    /// How often the audit log starts a new file.
    pub audit_log_rotation: String,
    /// Days for which old files of the audit log are kept; 0 keeps them for ever. Ours.
    pub audit_log_keep: i64,
    /// Least length of new passwords in bytes.
    pub password_min_length: i64,
    /// Least strength of new passwords; -1 does not check.
    pub password_zxcvbn_minscore: i64,
    /// How new passwords of users in a table are kept. Ours.
    pub password_hash: UserHash,
    /// Lowest TLS version.
    pub tls_min: String,
    /// Limit of request bodies in bytes.
    pub max_request_bytes: i64,
    /// Limit of uploads in bytes.
    pub max_filepush_size: i64,
    /// Origins whose pages may call the API.
    pub cors: Vec<String>,
    /// Whether test pages for WebSockets are served.
    pub enable_ws_test_endpoints: bool,
    /// Senders of `X-Forwarded-For` that are believed on the API port. Ours.
    pub trusted_proxies: Vec<IpNet>,
}

/// How codes for a second factor reach the user.
#[derive(Clone, Debug, PartialEq)]
pub enum CodeDelivery {
    /// By mail.
    Smtp,
    /// By Pushover.
    Pushover,
    /// By a program.
    Script(PathBuf),
    /// By a request to a web service.
    Url(Uri),
}

impl ApiSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("api");
        let secs = Duration::from_secs;
        let mut api = Self {
            address: section.string("address", ""),
            base_url: section.string("base_url", ""),
            enable_acme: section.boolean("enable_acme", false),
            auth: section.secret("auth"),
            auth_file: section.string("auth_file", ""),
            auth_user_table: section.string("auth_user_table", ""),
            auth_group_table: section.string("auth_group_table", ""),
            auth_group_details_table: section.string("auth_group_details_table", ""),
            auth_header: section.string("auth_header", ""),
            user_header: section.string("user_header", "Authentication-User"),
            create_missing_users: section.boolean("create_missing_users", false),
            default_user_group: section.string("default_user_group", ""),
            two_fa_token_delivery: section.string("two_fa_token_delivery", ""),
            two_fa_token_ttl_seconds: section.integer("two_fa_token_ttl_seconds", 600),
            two_fa_send_timeout: section.duration("two_fa_send_timeout", secs(10)),
            two_fa_send_to_type: section.string("two_fa_send_to_type", "none"),
            two_fa_send_to_regex: section.string("two_fa_send_to_regex", ""),
            totp_enabled: section.boolean("totp_enabled", false),
            totp_login_session_ttl: section.duration("totp_login_session_ttl", secs(600)),
            totp_account_name: section.string("totp_account_name", "RPort"),
            jwt_secret: section.secret("jwt_secret"),
            max_token_lifetime: section.integer("max_token_lifetime", 0),
            doc_root: section.string("doc_root", ""),
            cert_file: section.string("cert_file", ""),
            key_file: section.string("key_file", ""),
            access_log_file: section.string("access_log_file", ""),
            user_login_wait: section.float("user_login_wait", 2.0),
            max_failed_login: section.integer("max_failed_login", 10),
            ban_time: section.integer("ban_time", 600),
            enable_audit_log: section.boolean("enable_audit_log", true),
            use_ip_obfuscation: section.boolean("use_ip_obfuscation", false),
            audit_log_rotation: section.string("audit_log_rotation", "monthly"),
            audit_log_keep: section.integer("audit_log_keep", 0),
            password_min_length: section.integer("password_min_length", 14),
            password_zxcvbn_minscore: section.integer("password_zxcvbn_minscore", 0),
            password_hash: check::word(&section, "password_hash", "bcrypt").unwrap_or(UserHash::Bcrypt),
            tls_min: section.string("tls_min", "1.3"),
            max_request_bytes: section.integer("max_request_bytes", 10 * 1024),
            max_filepush_size: section.integer("max_filepush_size", 10 * 1024 * 1024),
            cors: check::origins(&section, "cors"),
            enable_ws_test_endpoints: section.boolean("enable_ws_test_endpoints", false),
            trusted_proxies: check::networks(&section, "trusted_proxies"),
        };
        api.apply_deprecated(document);
        api
    }

    /// Three keys moved here from `[server]`; there they win when they hold something, as in the Go server.
    fn apply_deprecated(&mut self, document: &Document) {
        let section = document.section("server");
        let bytes = section.integer("max_request_bytes", 0);
        let push = section.integer("max_filepush_size", 0);
        let endpoints = section.boolean("enable_ws_test_endpoints", false);
        if bytes > 0 {
            self.max_request_bytes = bytes;
            warn_deprecated(&section, "max_request_bytes", "[api] max_request_bytes");
        }
        if push > 0 {
            self.max_filepush_size = push;
            warn_deprecated(&section, "max_filepush_size", "[api] max_filepush_size");
        }
        if endpoints {
            self.enable_ws_test_endpoints = true;
            warn_deprecated(
                &section,
                "enable_ws_test_endpoints",
                "[api] enable_ws_test_endpoints",
            );
        }
    }

    /// Lowest TLS version as checked.
    pub fn tls_min(&self) -> TlsMin {
        check::tls_min(&self.tls_min, TlsMin::V1_3).unwrap_or_default()
    }

    /// Whether there is an API at all.
    pub fn enabled(&self) -> bool {
        !self.address.is_empty()
    }

    pub(super) fn check_users(&self, document: &Document, db_type: &str) -> Option<check::Source> {
        let (auth, file) = (!self.auth.is_empty(), !self.auth_file.is_empty());
        let table = !self.auth_user_table.is_empty();
        let both = |one: &str, other: &str| {
            let text = format!("'{one}' and '{other}' are both set: expected only one of them");
            api_error(document, one, &text);
        };
        let source = match (auth, file, table) {
            (false, false, false) => {
                let text =
                    "authentication must be enabled: set either 'auth', 'auth_file' or 'auth_user_table'";
                api_error(document, "auth", text);
                None
            }
            (true, true, _) => {
                both("auth_file", "auth");
                None
            }
            (true, _, true) => {
                both("auth_user_table", "auth");
                None
            }
            (_, true, true) => {
                both("auth_user_table", "auth_file");
                None
            }
            (true, ..) => {
                let pair = check::pair(&self.auth).map(check::Source::Pair);
                if pair.is_none() {
                    api_error(
                        document,
                        "auth",
                        "invalid user credentials, expected '<user>:<password>', got \"***\"",
                    );
                }
                pair
            }
            (_, true, _) => Some(check::Source::File(PathBuf::from(&self.auth_file))),
            (.., true) => {
                if self.auth_group_table.is_empty() {
                    let text = "when 'auth_user_table' is set, 'auth_group_table' must be set as well";
                    api_error(document, "auth_user_table", text);
                }
                if db_type.is_empty() {
                    api_error(
                        document,
                        "auth_user_table",
                        "'db_type' must be set when 'auth_user_table' is set",
                    );
                }
                Some(check::Source::Table(self.auth_user_table.clone()))
            }
        };
        if !self.auth_header.is_empty() {
            if auth {
                api_error(
                    document,
                    "auth_header",
                    "'auth_header' cannot be used with single user 'auth'",
                );
            }
            if self.user_header.is_empty() {
                api_error(
                    document,
                    "user_header",
                    "'user_header' must be set when 'auth_header' is set",
                );
            }
        }
        source
    }

    pub(super) fn check_base_url(&self, document: &Document) {
        if !self.base_url.is_empty()
            && let Err(text) = check::http_url(&self.base_url)
        {
            api_error(
                document,
                "base_url",
                &format!("base_url must be a valid url: {text}"),
            );
        }
    }

    pub(super) fn check_https(&self, document: &Document) {
        let (cert, key) = (&self.cert_file, &self.key_file);
        match (cert.is_empty(), key.is_empty()) {
            (false, true) => {
                api_error(
                    document,
                    "cert_file",
                    "when 'cert_file' is set, 'key_file' must be set as well",
                );
            }
            (true, false) => {
                api_error(
                    document,
                    "key_file",
                    "when 'key_file' is set, 'cert_file' must be set as well",
                );
            }
            (false, false) => {
                if let Err(error) = Certificates::from_files(cert.as_ref(), key.as_ref()) {
                    api_error(
                        document,
                        "cert_file",
                        &format!("invalid 'cert_file', 'key_file': {error}"),
                    );
                }
            }
            (true, true) => {}
        }
        if self.enable_acme {
            if !(cert.is_empty() && key.is_empty()) {
                api_error(
                    document,
                    "enable_acme",
                    "cert_file, key_file and enable_acme cannot be used together",
                );
            }
            let base_url = check::http_url(&self.base_url);
            let host = base_url.as_ref().ok().and_then(http::Uri::host);
            match host.map(check::is_ip) {
                Some(false) => {}
                Some(true) => api_error(
                    document,
                    "enable_acme",
                    "certificates are issued for names: base_url must have a name and no address as its host",
                ),
                None => api_error(
                    document,
                    "enable_acme",
                    "base_url must have a host when acme is enabled",
                ),
            }
        }
    }

    /// Checks the second factor by codes. Differs from RPort: mail servers and vendors are not asked at start.
    pub(super) fn check_two_fa(&self, document: &Document) -> Option<CodeDelivery> {
        let key = "two_fa_token_delivery";
        let method = self.two_fa_token_delivery.as_str();
        if method.is_empty() {
            return None;
        }
        if !self.auth.is_empty() {
            api_error(
                document,
                key,
                "2FA is not available if you use a single static user-password pair",
            );
        }
        match method {
            "smtp" => Some(CodeDelivery::Smtp),
            "pushover" => Some(CodeDelivery::Pushover),
            program if check::is_executable(program) => {
                self.check_send_to(document);
                Some(CodeDelivery::Script(program.into()))
            }
            text => {
                let Ok(url) = check::http_url(text) else {
                    api_error(
                        document,
                        key,
                        &format!("unknown 2fa token delivery method: {text}; {DELIVERY_METHODS}"),
                    );
                    return None;
                };
                if self.base_url.is_empty() {
                    api_error(
                        document,
                        key,
                        "base_url is required for url two_fa_token_delivery",
                    );
                }
                Some(CodeDelivery::Url(url))
            }
        }
    }

    fn check_send_to(&self, document: &Document) {
        match self.two_fa_send_to_type.as_str() {
            "none" | "email" => {}
            "regex" => {
                if let Err(error) = regex::Regex::new(&self.two_fa_send_to_regex) {
                    let text = error.to_string().replace('\n', " ");
                    api_error(
                        document,
                        "two_fa_send_to_regex",
                        &format!("invalid api.two_fa_send_to_regex: {text}"),
                    );
                }
            }
            other => {
                let text = format!("invalid api.two_fa_send_to_type: {other:?}; allowed: none, email, regex");
                api_error(document, "two_fa_send_to_type", &text);
            }
        }
    }

    pub(super) fn check_totp(&self, document: &Document) {
        if self.totp_enabled && !self.two_fa_token_delivery.is_empty() {
            let text = "conflicting 2FA configuration, two factor auth and totp_enabled options cannot be both enabled";
            api_error(document, "totp_enabled", text);
        }
    }

    pub(super) fn check_limits(&self, document: &Document) {
        if let Err(text) = check::tls_min(&self.tls_min, TlsMin::V1_3) {
            api_error(document, "tls_min", &text);
        }
        if !(0..=2160).contains(&self.max_token_lifetime) {
            let text = "max_token_lifetime outside allowable ranges. must be between 0 and 2160";
            api_error(document, "max_token_lifetime", text);
        }
        let numbers = [
            ("max_failed_login", self.max_failed_login),
            ("ban_time", self.ban_time),
            ("max_request_bytes", self.max_request_bytes),
            ("max_filepush_size", self.max_filepush_size),
            ("two_fa_token_ttl_seconds", self.two_fa_token_ttl_seconds),
            ("password_min_length", self.password_min_length),
        ];
        for (key, value) in numbers {
            if value < 0 {
                api_error(document, key, "must not be negative");
            }
        }
        if self.user_login_wait < 0.0 {
            api_error(
                document,
                "user_login_wait",
                "must not be negative; 0 switches it off",
            );
        }
        if !(-1..=4).contains(&self.password_zxcvbn_minscore) {
            api_error(
                document,
                "password_zxcvbn_minscore",
                "must be between -1 (off) and 4",
            );
        }
    }

    pub(super) fn check_audit(&self, document: &Document) {
        let rotation = self.audit_log_rotation.as_str();
        if self.enable_audit_log && !["daily", "weekly", "monthly", "yearly"].contains(&rotation) {
            let text = format!(
                "invalid api.audit_log_rotation: {rotation:?}; allowed: daily, weekly, monthly, yearly"
            );
            api_error(document, "audit_log_rotation", &text);
        }
        if self.audit_log_keep < 0 {
            api_error(
                document,
                "audit_log_keep",
                "must not be negative; 0 keeps old files for ever",
            );
        }
    }

    /// The whole section in the order of the original. Returns the users and the delivery of codes.
    pub(super) fn check(
        &self,
        document: &Document,
        server: &ServerSection,
        db_type: &str,
    ) -> (Option<check::Source>, Option<CodeDelivery>) {
        if !self.enabled() {
            if !self.doc_root.is_empty() {
                api_error(
                    document,
                    "doc_root",
                    "to use document root you need to specify API address",
                );
            }
            return (None, None);
        }
        if let Err(text) = check::listen_address(&self.address) {
            api_error(document, "address", &text);
        } else if self.address == server.address && !self.address.ends_with(":0") {
            api_error(
                document,
                "address",
                "is the same as '[server] address'; agents and the API need two ports",
            );
        }
        let users = self.check_users(document, db_type);
        self.check_base_url(document);
        self.check_https(document);
        if self.jwt_secret.is_empty() {
            document.warn("api.jwt_secret", "is not set; every restart ends all logins");
        }
        let delivery = self.check_two_fa(document);
        self.check_totp(document);
        self.check_limits(document);
        (users, delivery)
    }
}

const DELIVERY_METHODS: &str = "allowed: smtp, pushover, a program, an http(s) URL";

fn api_error(document: &Document, key: &str, text: &str) {
    document.error(&format!("api.{key}"), format!("API: {text}"));
}
