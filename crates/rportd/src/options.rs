//! From the checked configuration to the options of the parts. Nothing can fail here but what needs a file.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rport_http::ApiOptions;
use rport_server::{
    About, AuditOptions, AuditRotation, BanOptions, ClientAuthOptions, ClientAuthSource, ClientsOptions,
    CodeChannel, DatabaseOptions, DatabaseServer, Deadlines, HeaderLoginOptions, JobsOptions,
    ListenerOptions, LoginOptions, MailOptions, MailTls, Options, PurgeOptions, PushoverOptions,
    SecondFactorOptions, SsoMapping, SsoOptions, SsoProvider, TunnelProxyOptions, TunnelsOptions,
    UserOptions, UserSource, UserTableNames, VaultOptions,
};

use crate::config::{ApiSection, CodeDelivery, Config, Source, SsoProviderSection, SsoSection};
use regex::Regex;
use rport_domain::{PasswordRules, SendToRule};
use rport_tls::{AcmeHost, AcmeOptions, Certificates};

/// Folder of ACME's files below the data directory, as the Go server names it.
const ACME_FOLDER: &str = "acme";

/// Longest wait after a wrong password; a larger number in the file means "very long" anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Options of the server.
pub(crate) fn server(config: &Config) -> Options {
    let server = &config.server;
    Options {
        listener: ListenerOptions {
            reverse_proxy: config.proxy.clone(),
            max_request_bytes: positive(server.max_request_bytes_client),
            max_concurrent_handshakes: positive(server.max_concurrent_ssh_handshakes),
            login_wait: wait(server.client_login_wait),
            ban: ban(server.max_failed_login, server.ban_time),
            deadlines: Deadlines {
                handshake: server.handshake_timeout,
                ..Deadlines::default()
            },
            ..ListenerOptions::default()
        },
        client_auth: ClientAuthOptions {
            source: client_auth(config),
            write: server.auth_write,
            hash: server.auth_hash,
            reveal: server.auth_reveal,
            binding: server.client_id_binding,
        },
        audit: AuditOptions {
            enabled: config.api.enable_audit_log,
            obfuscate_addresses: config.api.use_ip_obfuscation,
            // Anything else was refused, or the log is off.
            rotation: config
                .api
                .audit_log_rotation
                .parse()
                .unwrap_or(AuditRotation::Monthly),
            keep_days: u64::try_from(config.api.audit_log_keep)
                .ok()
                .filter(|days| *days > 0),
        },
        clients: ClientsOptions {
            auth_multiuse: server.auth_multiuse_creds,
            equate_auth_id: server.equate_clientauthid_clientid,
            purge: server.purge_disconnected_clients.then(|| PurgeOptions {
                keep: nanoseconds(server.keep_disconnected_clients),
                interval: nanoseconds(server.purge_disconnected_clients_interval),
            }),
            check_interval: server.check_clients_connection_interval,
            check_timeout: server.check_clients_connection_timeout,
            ..ClientsOptions::default()
        },
        tunnels: TunnelsOptions {
            ports: config.ports.clone(),
            check_port_timeout: server.check_port_timeout,
            // Needs certificates: see `tunnel_proxy`.
            proxy: None,
        },
        jobs: JobsOptions {
            default_timeout: Duration::from_secs(
                u64::try_from(server.run_remote_cmd_timeout_sec)
                    .unwrap_or_default()
                    .max(1),
            ),
            max_results: positive(server.jobs_max_results),
            ..JobsOptions::default()
        },
        users: users(config),
        login: LoginOptions {
            jwt_secret: config.api.jwt_secret.clone(),
            user_wait: wait(config.api.user_login_wait),
            ban: ban(config.api.max_failed_login, config.api.ban_time),
            trusted_proxies: config.api.trusted_proxies.clone(),
            max_token_lifetime: max_token_lifetime(config.api.max_token_lifetime),
            second_factor: second_factor(config),
            sso: config.sso.as_ref().map(sso),
            header: header_login(&config.api),
        },
        trusted_proxies: server.trusted_proxies.clone(),
        about: about(config),
        vault: VaultOptions {
            key_derivation: config.vault.key_derivation,
        },
    }
}

/// Options of single sign-on. The pattern was compiled once before, when it was checked.
fn sso(section: &SsoSection) -> SsoOptions {
    let provider = match section.provider.clone() {
        SsoProviderSection::Oidc {
            issuer_url,
            scopes,
            username_claim,
            groups_claim,
        } => SsoProvider::Oidc {
            issuer_url,
            scopes,
            username_claim,
            groups_claim,
        },
        SsoProviderSection::Github { base_url, api_url } => SsoProvider::Github { base_url, api_url },
    };
    let pattern = section.permitted_user_match.as_str();
    SsoOptions {
        provider,
        client_id: section.client_id.clone(),
        client_secret: section.client_secret.clone(),
        redirect_url: section.redirect_url.clone(),
        ca_file: path(&section.ca_file),
        mapping: SsoMapping {
            required_group: section.required_group.clone(),
            group_map: section.groups().collect(),
            group_prefix: section.group_prefix.clone(),
            permitted_users: (!pattern.is_empty())
                .then(|| Regex::new(pattern).expect("the pattern was checked")),
        },
        create_missing_users: section.create_missing_users,
        sync_groups: section.sync_groups,
        password_login: section.password_login,
    }
}

/// Options of the API on an address that is resolved already. The page of metrics is added by who installs it.
pub(crate) fn api(
    config: &Config,
    address: std::net::SocketAddr,
    certificates: Option<&Arc<Certificates>>,
) -> ApiOptions {
    let api = &config.api;
    let mut options = ApiOptions::new(address);
    options.tls = certificates.map(|certificates| certificates.server_config(api.tls_min()));
    options.max_request_bytes = positive(api.max_request_bytes);
    options.cors = api.cors.clone();
    options.doc_root = path(&api.doc_root);
    options.access_log_file = path(&api.access_log_file);
    options.max_token_lifetime_hours = api.max_token_lifetime.unsigned_abs();
    options
}

/// The name the API gets a certificate for, if it shall get one.
pub(crate) fn api_acme_host(config: &Config) -> Option<AcmeHost> {
    let api = &config.api;
    if !(api.enabled() && api.enable_acme) {
        return None;
    }
    let url: http::Uri = api.base_url.parse().ok()?;
    Some(AcmeHost {
        name: url.host()?.to_ascii_lowercase(),
        https_port: url.port_u16().filter(|port| *port != 443),
    })
}

/// The name tunnels get a certificate for, if they shall get one.
pub(crate) fn tunnel_acme_host(config: &Config) -> Option<String> {
    let server = &config.server;
    // The port was never part of a name; the Go server cuts it off as well.
    let name = server.tunnel_host.split(':').next().unwrap_or_default();
    (server.tunnel_enable_acme && !name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// What is needed to obtain certificates; `None` when nobody wants one.
pub(crate) fn acme(config: &Config) -> Option<AcmeOptions> {
    let server = &config.server;
    let mut hosts: Vec<AcmeHost> = api_acme_host(config).into_iter().collect();
    if let Some(name) = tunnel_acme_host(config)
        && hosts.iter().all(|host| host.name != name)
    {
        hosts.push(AcmeHost {
            name,
            https_port: None,
        });
    }
    if hosts.is_empty() {
        return None;
    }
    let mut options = AcmeOptions::new(server.data_dir.join(ACME_FOLDER));
    options.directory_url = server.acme_directory_url.clone();
    options.ca_file = path(&server.acme_ca_file);
    options.hosts = hosts;
    options.http = server.acme_http_port != 0;
    Some(options)
}

/// The HTTPS front of tunnels with these certificates.
pub(crate) fn tunnel_proxy(config: &Config, certificates: &Arc<Certificates>) -> TunnelProxyOptions {
    let server = &config.server;
    TunnelProxyOptions {
        tls: certificates.server_config(server.tls_min()),
        cors: server.tunnel_cors.clone(),
        trusted_proxies: server.trusted_proxies.clone(),
    }
}

fn about(config: &Config) -> About {
    let (server, api) = (&config.server, &config.api);
    About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        connect_url: server.url.clone(),
        pairing_url: server.pairing_url.clone(),
        tunnel_host: server.tunnel_host.clone(),
        auth_header: api.auth_header.clone(),
        tunnel_proxy_enabled: !server.tunnel_proxy_cert_file.is_empty() || tunnel_acme_host(config).is_some(),
        monitoring_enabled: config.monitoring.enabled,
        audit_log_enabled: api.enable_audit_log,
        audit_log_rotation: api.audit_log_rotation.clone(),
        used_ports: server.used_ports.clone(),
        excluded_ports: server.excluded_ports.clone(),
        password_min_length: positive(api.password_min_length),
    }
}

pub(crate) fn client_auth(config: &Config) -> ClientAuthSource {
    match &config.client_auth {
        Source::Pair(pair) => ClientAuthSource::Single {
            id: pair.name.clone(),
            password: pair.password.clone(),
        },
        Source::File(path) => ClientAuthSource::File(path.clone()),
        Source::Table(table) => ClientAuthSource::Table {
            database: database(config),
            table: table.clone(),
        },
    }
}

pub(crate) fn database(config: &Config) -> DatabaseOptions {
    let database = &config.database;
    let server = || DatabaseServer {
        host: database.db_host.clone(),
        user: database.db_user.clone(),
        password: database.db_password.clone(),
        name: database.db_name.clone(),
    };
    match database.db_type.as_str() {
        "mysql" => DatabaseOptions::MySql(server()),
        "postgres" => DatabaseOptions::Postgres(server()),
        _ => DatabaseOptions::Sqlite(database.db_name.clone().into()),
    }
}

/// Where the users of the API come from; `None` when the API is off.
pub(crate) fn users(config: &Config) -> Option<UserOptions> {
    let api = &config.api;
    let source = match config.users.as_ref()? {
        Source::Pair(pair) => UserSource::Single {
            name: pair.name.clone(),
            password: pair.password.clone(),
        },
        Source::File(path) => UserSource::File(path.clone()),
        Source::Table(users) => UserSource::Table {
            database: database(config),
            tables: UserTableNames {
                users: users.clone(),
                groups: api.auth_group_table.clone(),
                details: Some(api.auth_group_details_table.clone()).filter(|name| !name.is_empty()),
                two_fa_send_to: config.code_delivery.is_some(),
                totp_secret: api.totp_enabled,
            },
        },
    };
    Some(UserOptions {
        source,
        rules: PasswordRules {
            min_length: positive(api.password_min_length),
            zxcvbn_min_score: i8::try_from(api.password_zxcvbn_minscore).unwrap_or(i8::MAX),
        },
        hash: api.password_hash,
        send_to: config
            .code_delivery
            .as_ref()
            .map(|delivery| send_to(api, delivery)),
        totp: api.totp_enabled,
    })
}

/// What the address for codes must be like. Source: rest-api.md 6.2.
fn send_to(api: &ApiSection, delivery: &CodeDelivery) -> SendToRule {
    match delivery {
        CodeDelivery::Smtp | CodeDelivery::Url(_) => SendToRule::Email,
        CodeDelivery::Pushover => SendToRule::Any,
        CodeDelivery::Script(_) => match api.two_fa_send_to_type.as_str() {
            "email" => SendToRule::Email,
            // The pattern was checked when the file was read.
            "regex" => Regex::new(&api.two_fa_send_to_regex).map_or(SendToRule::Any, SendToRule::Pattern),
            _ => SendToRule::Any,
        },
    }
}

fn ban(max_failed: i64, seconds: i64) -> Option<BanOptions> {
    let max_failed = u32::try_from(max_failed).ok().filter(|count| *count > 0)?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    Some(BanOptions {
        max_failed,
        duration: Duration::from_secs(seconds),
    })
}

fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(LONGEST_WAIT)
        .min(LONGEST_WAIT)
}

fn header_login(api: &ApiSection) -> Option<HeaderLoginOptions> {
    let group = &api.default_user_group;
    (!api.auth_header.is_empty()).then(|| HeaderLoginOptions {
        auth_header: api.auth_header.clone(),
        user_header: api.user_header.clone(),
        create_missing: api.create_missing_users,
        default_group: (!group.is_empty()).then(|| group.clone()),
    })
}

fn second_factor(config: &Config) -> SecondFactorOptions {
    let api = &config.api;
    if api.totp_enabled {
        return SecondFactorOptions::Totp {
            account_name: api.totp_account_name.clone(),
            login_ttl: api.totp_login_session_ttl,
        };
    }
    let Some(delivery) = &config.code_delivery else {
        return SecondFactorOptions::Off;
    };
    let channel = match delivery {
        CodeDelivery::Smtp => {
            let smtp = &config.smtp;
            let (host, port) = smtp.server.rsplit_once(':').unwrap_or((&smtp.server, "25"));
            CodeChannel::Mail(MailOptions {
                host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
                port: port.parse().unwrap_or(25),
                sender: smtp.sender_email.clone(),
                username: smtp.auth_username.clone(),
                password: smtp.auth_password.clone(),
                tls: if smtp.secure {
                    MailTls::Implicit
                } else {
                    MailTls::StartTls
                },
                extra_ca: None,
            })
        }
        CodeDelivery::Pushover => {
            CodeChannel::Pushover(PushoverOptions::new(config.pushover.api_token.clone()))
        }
        CodeDelivery::Script(path) => CodeChannel::Script(path.clone()),
        CodeDelivery::Url(url) => CodeChannel::Url {
            url: url.to_string(),
            base_url: api.base_url.clone(),
        },
    };
    SecondFactorOptions::Codes {
        channel,
        ttl: Duration::from_secs(api.two_fa_token_ttl_seconds.unsigned_abs()),
        send_timeout: api.two_fa_send_timeout,
    }
}

/// Hours; zero is no limit of its own.
fn max_token_lifetime(hours: i64) -> Option<Duration> {
    let hours = u64::try_from(hours).ok().filter(|hours| *hours > 0)?;
    Some(Duration::from_secs(hours.saturating_mul(3600)))
}

fn nanoseconds(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn positive(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use rport_runtime::toml_config::Document;
    use rport_server::{ClientIdBinding, PasswordHashing};

    use super::*;

    fn config(text: &str) -> Config {
        let (config, report) = Config::read(Document::parse(text, "rportd.conf").expect("sound TOML"));
        config.unwrap_or_else(|| panic!("{:?}", report.errors))
    }

    #[test]
    fn settings_arrive_in_the_options() {
        let config = config(
            "[server]\nauth_file = 'f.json'\nproxy = 'http://backend'\nmax_failed_login = 0\nclient_login_wait = 0.5\n\
             purge_disconnected_clients = true\nkeep_disconnected_clients = 0\nhandshake_timeout = '7s'\n\
             trusted_proxies = ['10.0.0.0/8']\n[api]\naddress = ':1'\nauth = 'admin:pass'\nmax_failed_login = 3\n\
             ban_time = 9\ndoc_root = '/docs'\ncors = ['*']\ntrusted_proxies = '127.0.0.1'\n",
        );
        let options = server(&config);
        assert!(options.listener.ban.is_none() && options.listener.reverse_proxy.is_some());
        assert_eq!(options.listener.login_wait, Duration::from_millis(500));
        assert_eq!(options.listener.deadlines.handshake, Duration::from_secs(7));
        assert!(matches!(options.client_auth.source, ClientAuthSource::File(_)));
        // An existing configuration keeps what agents and scripts rely on.
        assert_eq!(options.client_auth.hash, PasswordHashing::None);
        assert_eq!(options.client_auth.binding, ClientIdBinding::Warn);
        assert!(options.client_auth.reveal && options.client_auth.write);
        assert!(
            options
                .users
                .is_some_and(|users| matches!(users.source, UserSource::Single { .. }))
        );
        assert_eq!(
            options.clients.purge.map(|purge| purge.keep),
            Some(Duration::ZERO)
        );
        assert!(
            options
                .login
                .ban
                .is_some_and(|ban| ban.max_failed == 3 && ban.duration.as_secs() == 9)
        );
        assert_eq!(
            (options.trusted_proxies.len(), options.login.trusted_proxies.len()),
            (1, 1)
        );
        let api = api(&config, ([127, 0, 0, 1], 1).into(), None);
        assert!(api.tls.is_none() && acme(&config).is_none());
        assert_eq!(
            (api.doc_root, api.access_log_file, api.cors.len()),
            (Some("/docs".into()), None, 1)
        );
        assert_eq!(api.max_request_bytes, 10_240);
    }

    #[test]
    fn settings_of_client_auth_arrive_in_the_options() {
        let config = config(
            "[server]\nauth_table = 't'\nauth_write = false\nauth_hash = 'argon2id'\nauth_reveal = false\n\
             client_id_binding = 'enforce'\n[database]\ndb_type = 'postgres'\ndb_host = 'socket:/run'\n",
        );
        let options = server(&config).client_auth;
        assert_eq!(
            (options.hash, options.binding),
            (PasswordHashing::Argon2id, ClientIdBinding::Enforce)
        );
        assert!(!options.reveal && !options.write);
        let ClientAuthSource::Table {
            database: DatabaseOptions::Postgres(database),
            table,
        } = options.source
        else {
            panic!("a table")
        };
        assert_eq!((table.as_str(), database.host.as_str()), ("t", "socket:/run"));
    }

    #[test]
    fn names_for_certificates_come_from_the_addresses() {
        let config = config(
            "[server]\nauth = 'a:b'\ndata_dir = '/data'\ntunnel_enable_acme = true\ntunnel_host = 'T.example.com'\n\
             acme_http_port = 80\n[api]\naddress = ':1'\nauth = 'a:b'\nenable_acme = true\n\
             base_url = 'https://API.example.com:8443/x'\n",
        );
        let options = acme(&config).expect("wanted");
        let host = |name: &str, https_port| AcmeHost {
            name: name.to_owned(),
            https_port,
        };
        let expected = [host("api.example.com", Some(8443)), host("t.example.com", None)];
        assert_eq!(options.hosts, expected);
        assert_eq!((options.folder, options.http), ("/data/acme".into(), true));
    }

    #[test]
    fn absurd_numbers_are_tamed() {
        assert_eq!(wait(f64::MAX), LONGEST_WAIT);
        assert_eq!(wait(0.0), Duration::ZERO);
        assert!(ban(5, 0).is_none() && ban(0, 5).is_none());
        assert!(ban(i64::MAX, 5).is_none());
    }
}
