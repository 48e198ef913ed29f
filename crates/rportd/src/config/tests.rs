//! The texts of the checks.

use std::time::Duration;

use proptest::prelude::*;
use rport_runtime::toml_config::{Document, Report};

use super::*;

/// The least that starts a server with an API.
const LEAST: &str =
    "[server]\nauth = 'agent:secret1'\n[api]\naddress = ':3000'\nauth = 'admin:secret2'\njwt_secret = 'x'\n";

fn read(text: &str) -> (Option<Config>, Report) {
    Config::read(Document::parse(text, "rportd.conf").expect("sound TOML"))
}

/// A configuration of a server section and an API section, with what is needed beside the given lines.
fn with(server: &str, api: &str) -> String {
    let names_auth = |text: &str| {
        let sources = ["auth ", "auth=", "auth_file", "auth_table", "auth_user_table"];
        text.lines()
            .any(|line| sources.iter().any(|source| line.starts_with(source)))
    };
    let server_auth = if names_auth(server) {
        ""
    } else {
        "auth = 'agent:secret1'\n"
    };
    let api_auth = if names_auth(api) {
        ""
    } else {
        "auth = 'admin:secret2'\n"
    };
    let address = if api.contains("address") {
        ""
    } else {
        "address = ':3000'\n"
    };
    format!("[server]\n{server_auth}{server}\n[api]\njwt_secret = 'x'\n{address}{api_auth}{api}\n")
}

/// Checks that the first error of a file contains a text and names a key.
fn check_error(text: &str, key: &str, expected: &str) {
    let (config, report) = read(text);
    assert!(config.is_none(), "accepted: {text}");
    let first = report.errors.first().expect("an error");
    assert!(
        first.text.contains(expected),
        "{expected:?} is not in {:?}",
        first.text
    );
    assert_eq!(first.key, key, "{text}");
    assert!(!first.to_string().contains("secret"), "{first}");
}

fn check_warning(text: &str, expected: &str) -> Config {
    let (config, report) = read(text);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let warnings: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings.iter().any(|warning| warning.contains(expected)),
        "{expected:?} is not in {warnings:?}"
    );
    config.expect("no errors")
}

fn check_fine(text: &str) -> Config {
    let (config, report) = read(text);
    assert!(
        report.errors.is_empty() && report.warnings.is_empty(),
        "{text}\n{report:?}"
    );
    config.expect("no errors")
}

#[test]
fn the_least_configuration_has_the_documented_defaults() {
    let config = check_fine(LEAST);
    let server = &config.server;
    assert_eq!(
        (server.address.as_str(), server.url.as_slice()),
        ("0.0.0.0:8080", &["http://0.0.0.0:8080".to_owned()][..])
    );
    assert_eq!(server.data_dir.to_str(), Some("/var/lib/rport"));
    assert_eq!((config.ports.len(), config.ports.contains(20000)), (10_001, true));
    assert_eq!(server.check_clients_connection_interval, Duration::from_secs(300));
    assert_eq!(server.keep_disconnected_clients, 3_600_000_000_000);
    assert_eq!((server.max_failed_login, server.ban_time), (5, 3600));
    assert_eq!((config.api.max_failed_login, config.api.ban_time), (10, 600));
    assert_eq!(
        config.monitoring.data_storage_duration,
        Duration::from_secs(7 * 24 * 3600)
    );
    assert!(matches!(&config.client_auth, Source::Pair(pair) if pair.name == "agent"));
    assert!(!config.metrics.enabled && config.proxy.is_none());
}

#[test]
fn client_auth_is_one_of_three() {
    let check = |server: &str, expected: &str| {
        let text = format!("[server]\n{server}\n[other]\n");
        let (_, report) = read(&text);
        assert_eq!(
            report.errors.first().map(|error| error.text.as_str()),
            Some(expected),
            "{server}"
        );
    };
    check(
        "",
        "client authentication must be enabled: set either 'auth', 'auth_file' or 'auth_table'",
    );
    check(
        "auth='a:b'\nauth_file='f'",
        "'auth_file' and 'auth' are both set: expected only one of them",
    );
    check(
        "auth_table='t'\nauth_file='f'",
        "'auth_file' and 'auth_table' are both set: expected only one of them",
    );
    check(
        "auth='a:b'\nauth_table='t'",
        "'auth' and 'auth_table' are both set: expected only one of them",
    );
    check("auth_table='t'", "'db_type' must be set when 'auth_table' is set");
    let bad = "invalid client auth credentials, expected '<client-id>:<password>', got \"***\"";
    for auth in ["secret", "secret:", ":secret"] {
        check(&format!("auth='{auth}'"), bad);
    }
}

#[test]
fn users_are_one_of_three() {
    for (api, key, expected) in [
        (
            "auth=''",
            "api.auth",
            "authentication must be enabled: set either 'auth', 'auth_file' or 'auth_user_table'",
        ),
        (
            "auth='a:b'\nauth_file='f'",
            "api.auth_file",
            "'auth_file' and 'auth' are both set: expected only one of them",
        ),
        (
            "auth='a:b'\nauth_user_table='t'",
            "api.auth_user_table",
            "'auth_user_table' and 'auth' are both set: expected only one of them",
        ),
        (
            "auth_file='f'\nauth_user_table='t'",
            "api.auth_user_table",
            "'auth_user_table' and 'auth_file' are both set: expected only one of them",
        ),
        (
            "auth_user_table='t'",
            "api.auth_user_table",
            "when 'auth_user_table' is set, 'auth_group_table' must be set as well",
        ),
        (
            "auth_user_table='t'\nauth_group_table='g'",
            "api.auth_user_table",
            "'db_type' must be set when 'auth_user_table' is set",
        ),
        (
            "auth='a:b'\nauth_header='X'",
            "api.auth_header",
            "'auth_header' cannot be used with single user 'auth'",
        ),
        (
            "auth_file='f'\nauth_header='X'\nuser_header=''",
            "api.user_header",
            "'user_header' must be set when 'auth_header' is set",
        ),
        (
            "auth='secret'",
            "api.auth",
            "invalid user credentials, expected '<user>:<password>', got \"***\"",
        ),
    ] {
        check_error(&with("", api), key, &format!("API: {expected}"));
    }
    let file = check_fine(&with("", "auth_file='users.json'"));
    assert_eq!(file.users, Some(Source::File("users.json".into())));
    let without_api = check_fine("[server]\nauth = 'agent:secret1'\n");
    assert_eq!(without_api.users, None);
}

#[test]
fn texts_of_the_server_section() {
    for (server, key, expected) in [
        (
            "url = 'rport.example.com'",
            "server.url",
            "server.URL: invalid url \"rport.example.com\"",
        ),
        (
            "url = ['https://a.example', 'ftp://b.example']",
            "server.url",
            "server.URL: invalid url \"ftp://b.example\"",
        ),
        (
            "pairing_url = 'x'",
            "server.pairing_url",
            "server.pairingURL: invalid url \"x\"",
        ),
        ("address = '8080'", "server.address", "invalid address \"8080\""),
        (
            "used_ports = ['x']",
            "server.used_ports",
            "can't parse 'used_ports': ",
        ),
        (
            "used_ports = ['70000']",
            "server.used_ports",
            "can't parse 'used_ports': ",
        ),
        (
            "excluded_ports = ['5-1']",
            "server.excluded_ports",
            "can't parse 'excluded_ports': ",
        ),
        (
            "used_ports = ['1-10']",
            "server.used_ports",
            "invalid 'used_ports', 'excluded_ports': at least one port should be available for port assignment",
        ),
        (
            "tunnel_proxy_cert_file = 'c'",
            "server.tunnel_proxy_cert_file",
            "when 'tunnel_proxy_cert_file' is set, 'tunnel_proxy_key_file' must be set as well",
        ),
        (
            "tunnel_proxy_key_file = 'k'",
            "server.tunnel_proxy_key_file",
            "when 'tunnel_proxy_key_file' is set, 'tunnel_proxy_cert_file' must be set as well",
        ),
        (
            "tunnel_proxy_key_file = '/no/k'\ntunnel_proxy_cert_file = '/no/c'",
            "server.tunnel_proxy_cert_file",
            "invalid 'tunnel_proxy_cert_file', 'tunnel_proxy_key_file': ",
        ),
        (
            "tunnel_enable_acme = true\ntunnel_host = 'a b'",
            "server.tunnel_host",
            "invalid tunnel_host 'a b': use IP address or FQDN",
        ),
        (
            "tunnel_enable_acme = true\ntunnel_host = 'a.example'\ntls_min = '1.1'",
            "server.tls_min",
            "TLS must be either 1.2 or 1.3",
        ),
        (
            "data_dir = ''",
            "server.data_dir",
            "'data directory path' cannot be empty",
        ),
        (
            "purge_disconnected_clients = true\nkeep_disconnected_clients = '999ms'",
            "server.keep_disconnected_clients",
            "expected 'Keep Lost Clients' can be in range [1s, 168h0m0s], actual: 999ms",
        ),
        (
            "purge_disconnected_clients = true\nkeep_disconnected_clients = '-168h'",
            "server.keep_disconnected_clients",
            "expected 'Keep Lost Clients' can be in range [1s, 168h0m0s], actual: -168h0m0s",
        ),
        (
            "purge_disconnected_clients = true\npurge_disconnected_clients_interval = '0'",
            "server.purge_disconnected_clients_interval",
            "must be longer than 0",
        ),
        (
            "check_port_timeout = '61s'",
            "server.check_port_timeout",
            "'check_port_timeout' can not be more than 1m0s",
        ),
        ("proxy = 'backend:80'", "server.proxy", "missing protocol: "),
        (
            "max_concurrent_ssh_handshakes = 0",
            "server.max_concurrent_ssh_handshakes",
            "must be at least 1",
        ),
        (
            "max_request_bytes_client = 0",
            "server.max_request_bytes_client",
            "must be larger than 0",
        ),
        (
            "trusted_proxies = ['10.0.0.0/99']",
            "server.trusted_proxies",
            "is no address and no network",
        ),
        (
            "handshake_timeout = '10ms'",
            "server.handshake_timeout",
            "must be at least \"1s\"",
        ),
        (
            "acme_http_port = 70000",
            "server.acme_http_port",
            "must be a port",
        ),
    ] {
        check_error(&with(server, ""), key, expected);
    }
    let exclusive =
        "tunnel_proxy_cert_file, tunnel_proxy_key_file and tunnel_enable_acme cannot be used together";
    let text = with(
        "tunnel_enable_acme = true\ntunnel_proxy_cert_file = 'c'\ntunnel_host = 'a.example'",
        "",
    );
    assert!(read(&text).1.errors.iter().any(|error| error.text == exclusive));
}

#[test]
fn texts_of_the_api_section() {
    let two_fa = "auth_file = 'f'\n";
    for (api, key, expected) in [
        (
            "address = ''\ndoc_root = '/x'",
            "api.doc_root",
            "to use document root you need to specify API address",
        ),
        ("base_url = 'x'", "api.base_url", "base_url must be a valid url: "),
        (
            "enable_acme = true",
            "api.enable_acme",
            "base_url must have a host when acme is enabled",
        ),
        (
            "cert_file = 'c'",
            "api.cert_file",
            "when 'cert_file' is set, 'key_file' must be set as well",
        ),
        (
            "key_file = 'k'",
            "api.key_file",
            "when 'key_file' is set, 'cert_file' must be set as well",
        ),
        (
            "key_file = '/no/k'\ncert_file = '/no/c'",
            "api.cert_file",
            "invalid 'cert_file', 'key_file': ",
        ),
        (
            "auth = 'a:b'\ntwo_fa_token_delivery = 'sh'",
            "api.two_fa_token_delivery",
            "2FA is not available if you use a single static user-password pair",
        ),
        (
            &format!("{two_fa}two_fa_token_delivery = 'no-such-program'"),
            "api.two_fa_token_delivery",
            "unknown 2fa token delivery method: no-such-program",
        ),
        (
            &format!("{two_fa}two_fa_token_delivery = 'https://a.example'"),
            "api.two_fa_token_delivery",
            "base_url is required for url two_fa_token_delivery",
        ),
        (
            &format!("{two_fa}two_fa_token_delivery = 'sh'\ntwo_fa_send_to_type = 'x'"),
            "api.two_fa_send_to_type",
            "invalid api.two_fa_send_to_type: \"x\"",
        ),
        (
            &format!(
                "{two_fa}two_fa_token_delivery = 'sh'\ntwo_fa_send_to_type = 'regex'\ntwo_fa_send_to_regex = '('"
            ),
            "api.two_fa_send_to_regex",
            "invalid api.two_fa_send_to_regex: ",
        ),
        (
            &format!("{two_fa}two_fa_token_delivery = 'sh'\ntotp_enabled = true"),
            "api.totp_enabled",
            "conflicting 2FA configuration, two factor auth and totp_enabled options cannot be both enabled",
        ),
        ("tls_min = '1.1'", "api.tls_min", "TLS must be either 1.2 or 1.3"),
        (
            "max_token_lifetime = 2161",
            "api.max_token_lifetime",
            "max_token_lifetime outside allowable ranges. must be between 0 and 2160",
        ),
        (
            "audit_log_rotation = 'hourly'",
            "api.audit_log_rotation",
            "invalid api.audit_log_rotation: \"hourly\"",
        ),
        (
            "max_request_bytes = -1",
            "api.max_request_bytes",
            "must not be negative",
        ),
        (
            "address = '0.0.0.0:8080'",
            "api.address",
            "is the same as '[server] address'",
        ),
    ] {
        check_error(&with("", api), key, &format!("API: {expected}"));
    }
    check_fine(&with(
        "",
        "enable_audit_log = false\naudit_log_rotation = 'hourly'",
    ));
    let url = check_fine(&with(
        "",
        "auth_file='f'\nbase_url='https://a.example'\ntwo_fa_token_delivery='https://a.example'",
    ));
    assert!(matches!(url.code_delivery, Some(CodeDelivery::Url(_))));
}

#[test]
fn texts_of_the_other_sections() {
    for (text, key, expected) in [
        (
            "[database]\ndb_type = 'oracle'",
            "database.db_type",
            "invalid 'db_type', expected 'mysql' or 'sqlite', got \"oracle\"",
        ),
        (
            "[logging]\nlog_level = 'INFO'",
            "logging.log_level",
            "invalid log level: \"INFO\"",
        ),
        (
            "[monitoring]\ndata_storage_duration = '0h'",
            "monitoring.data_storage_duration",
            "monitoring results must be stored for at least 1 hour",
        ),
        (
            "[monitoring]\ndata_storage_duration = '7'",
            "monitoring.data_storage_duration",
            "'data_storage_duration' must include units of either d (=days) or h (=hours)",
        ),
        (
            "[notifications]\ncleanup_interval = '1x'",
            "notifications.cleanup_interval",
            "invalid duration \"1x\"",
        ),
        (
            "[caddy-integration]\naddress = '0.0.0.0:3000'",
            "caddy-integration.address",
            "API: API and tunnel subdomains are on the same port. The api_hostname and api_port must be configured",
        ),
    ] {
        check_error(&format!("{LEAST}{text}\n"), key, expected);
    }
    for db_type in ["mysql", "sqlite", "postgres"] {
        check_fine(&format!("{LEAST}[database]\ndb_type = '{db_type}'\n"));
    }
    let mail = with("", "auth_file = 'f'\ntwo_fa_token_delivery = 'smtp'");
    check_error(&mail, "smtp.server", "API: smtp.server must be host:port");
    check_fine(&format!(
        "{mail}[smtp]\nserver = 'mail.example:25'\nsender_email = 'rport@a.example'\n"
    ));
    let push = with("", "auth_file = 'f'\ntwo_fa_token_delivery = 'pushover'");
    check_error(&push, "pushover.api_token", "API: pushover.api_token must be set");
}

#[test]
fn weak_forms_and_unreadable_values() {
    let config = check_fine(&with(
        "auth_write = '0'\nmax_failed_login = '0x10'\nused_ports = '2000-2001,3000'",
        "",
    ));
    assert!(!config.server.auth_write);
    assert_eq!((config.server.max_failed_login, config.ports.len()), (16, 3));
    check_error(
        &with("auth_write = 'yes'", ""),
        "server.auth_write",
        "expected true or false, got \"yes\"",
    );
}

#[test]
fn warnings_do_not_stop_the_server() {
    let expected = "server setting 'keep_lost_clients' is deprecated and will be removed soon. \
                    Use 'keep_disconnected_clients' instead.";
    let text = with(
        "cleanup_lost_clients = true\nkeep_lost_clients = '2h'\nkeep_disconnected_clients = '1h'",
        "",
    );
    let config = check_warning(&text, expected);
    assert!(config.server.purge_disconnected_clients);
    assert_eq!(config.server.keep_disconnected_clients, 7200 * 1_000_000_000);

    let config = check_warning(
        &with("max_request_bytes = 77", "max_request_bytes = 5"),
        "'max_request_bytes' is deprecated",
    );
    assert_eq!(config.api.max_request_bytes, 77);

    let config = check_warning(
        &with("check_clients_connection_interval = '1m'", ""),
        "2m is used",
    );
    assert_eq!(
        config.server.check_clients_connection_interval,
        Duration::from_secs(120)
    );

    let config = check_warning(
        &with("", "cors = ['https://a.example', 'nonsense']"),
        "\"nonsense\" is no origin",
    );
    assert_eq!(config.api.cors, ["https://a.example"]);

    check_warning(
        &with("adress = 'x'", ""),
        "unknown key, ignored; did you mean 'address'?",
    );
    check_warning(
        &with("max_concurrent_ssh_handshakes = 100000", ""),
        "more than twice the number of CPUs",
    );
    check_warning(
        &format!("{LEAST}[plus-plugin]\nplugin_path = '/x.so'\n"),
        "plus plugins are not loaded",
    );
    check_warning(
        &format!("{LEAST}[caddy-integration]\ncaddy = '/usr/bin/caddy'\n"),
        "does not start caddy",
    );
    check_warning(
        &LEAST.replace("jwt_secret = 'x'\n", ""),
        "every restart ends all logins",
    );
    check_warning(
        "[server]\nauth = 'a:b'\n[metrics]\nenabled = true\n",
        "has no effect without '[api] address'",
    );
    let days = check_warning(
        &format!("{LEAST}[monitoring]\ndata_storage_days = 3\n"),
        "deprecated",
    );
    assert_eq!(
        days.monitoring.data_storage_duration,
        Duration::from_secs(3 * 24 * 3600)
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_original() {
    let text = with(
        "url = 'x'\nused_ports = 'x'\ndata_dir = ''\nauth = ''",
        "tls_min = '1.1'\nbase_url = 'x'",
    );
    let keys: Vec<_> = read(&text).1.errors.into_iter().map(|error| error.key).collect();
    assert_eq!(
        keys,
        [
            "server.url",
            "server.used_ports",
            "server.data_dir",
            "server.auth",
            "api.base_url",
            "api.tls_min"
        ]
    );
}

proptest! {
    #[test]
    fn any_value_is_accepted_or_named(key in "[a-z_]{3,12}", value in "(true|-?[0-9]{1,20}|\"[ -!#-\\[\\]-~]{0,20}\"|\\[\\]|1\\.5)") {
        for section in ["server", "api", "logging", "monitoring", "notifications"] {
            if let Ok(document) = Document::parse(&format!("[{section}]\n{key} = {value}\n"), "f") {
                let (config, report) = Config::read(document);
                prop_assert_eq!(config.is_none(), !report.errors.is_empty());
            }
        }
    }

    #[test]
    fn every_known_key_takes_any_value(index in 0usize..200, value in "(true|-?[1-9][0-9]{0,17}|\"[ -!#-\\[\\]-~]{0,20}\"|\\[\\]|\\[1, \"x\"\\]|-1\\.5)") {
        let keys: Vec<_> = known_keys().into_iter().collect();
        let (section, key) = keys[index % keys.len()].split_once('.').expect("two parts");
        let text = format!("[{section}]\n{key} = {value}\n");
        let (config, report) = Config::read(Document::parse(&text, "f").expect("sound TOML"));
        prop_assert_eq!(config.is_none(), !report.errors.is_empty());
    }
}

#[test]
fn the_vault_stays_openable_for_the_go_server_unless_asked_otherwise() {
    use rport_server::VaultKeyDerivation;
    assert_eq!(check_fine(LEAST).vault.key_derivation, VaultKeyDerivation::Go);
    let strong = check_fine(&format!("{LEAST}[vault]\nkey_derivation = 'argon2id'\n"));
    assert_eq!(strong.vault.key_derivation, VaultKeyDerivation::Argon2id);
    let unknown = format!("{LEAST}[vault]\nkey_derivation = 'scrypt'\n");
    check_error(
        &unknown,
        "vault.key_derivation",
        "expected \"go\" or \"argon2id\", got \"scrypt\"",
    );
}
