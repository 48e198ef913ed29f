//! Keys, texts, precedence, and the report to the server.

mod example;

use std::time::Duration;

use proptest::prelude::*;
use rport_protocol::Request;
use rport_protocol::to_server::NewConnection;
use rport_runtime::telemetry::LogLevel;

use super::*;
use crate::cli::{self, Invocation};

const SERVER: &str = "[client]\nserver = 'rport.example.com:8080'\n";

/// Adds keys to the `[client]` section of a sound file.
fn client(text: &str) -> String {
    format!("{SERVER}{text}\n")
}

fn ok(text: &str) -> AgentConfig {
    from_toml(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = from_toml(text)
        .err()
        .unwrap_or_else(|| panic!("accepted: {text}"));
    assert_eq!(error.to_string(), expected);
}

fn command_line(arguments: &[&str]) -> CommandLine {
    match cli::parse(std::iter::once(&"rport").chain(arguments)).unwrap() {
        Invocation::Run(line) => line,
        Invocation::Version => panic!("asked for the version"),
    }
}

fn with(text: &str, arguments: &[&str], surroundings: &Surroundings) -> AgentConfig {
    let document = Document::parse(text, "rport.conf").unwrap();
    resolve(document, &command_line(arguments), surroundings)
        .unwrap()
        .config
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = ok(SERVER);
    let client = &config.client;
    assert_eq!(client.server.as_str(), "ws://rport.example.com:8080");
    assert_eq!(client.server_switchback_interval, Duration::from_secs(120));
    assert!(client.use_system_id && client.use_hostname, "started by hand");
    assert_eq!(client.updates_interval, Duration::from_secs(4 * 3600));
    assert_eq!(client.data_dir, PathBuf::from("/var/lib/rport"));
    assert_eq!(client.ip_refresh_min, 30);
    assert!(!client.allow_root && client.tunnel_allowed.is_empty() && client.tunnels.is_empty());
    let connection = &config.connection;
    assert_eq!(connection.keep_alive, Some(Duration::from_secs(20)));
    assert_eq!(connection.keep_alive_timeout, Duration::from_secs(10));
    assert_eq!(connection.max_retry_count, -1);
    assert_eq!(connection.max_retry_interval, Duration::from_secs(300));
    assert_eq!(connection.user_agent, format!("rport {}", crate::VERSION));
    assert_eq!(
        config.logging,
        LoggingOptions {
            file: None,
            level: LogLevel::Info
        }
    );
    assert!(config.remote_commands.enabled && !config.remote_scripts_enabled);
    assert_eq!(config.remote_commands.order, FilterOrder::AllowDeny);
    assert!(config.monitoring.enabled && config.file_reception.enabled);
}

#[test]
fn every_mistake_has_its_text_and_its_place() {
    let place = |line: u32, key: &str, text: &str| {
        format!("config validation failed: rport.conf:{line}: key '{key}': {text}")
    };
    refused(
        "[client]\n",
        "config validation failed: rport.conf: key 'client.server': server address is required: set 'server' in the \
         [client] section or name it on the command line",
    );
    for (text, line, key, expected) in [
        (
            "[connection]\nheaders = ['nocolon']",
            4,
            "connection.headers",
            "invalid header \"nocolon\". Should be in the format \"HeaderName: HeaderContent\"",
        ),
        (
            "[connection]\nheaders = ['Upgrade: x']",
            4,
            "connection.headers",
            "invalid header \"Upgrade: x\": this header belongs to the connection itself and cannot be set",
        ),
        (
            "proxy = 'https://proxy:1'",
            3,
            "client.proxy",
            "https proxies not (yet) supported",
        ),
        (
            "[tunnels]\nhostheader = 'x'",
            4,
            "tunnels.hostheader",
            "invalid tunnels config: host-header requires enabled reverse-proxy",
        ),
        (
            "tunnel_allowed = ['bogus']",
            3,
            "client.tunnel_allowed",
            "invalid \"tunnel_allowed\" config: invalid port: \"bogus\"",
        ),
        (
            "remotes = ['host']",
            3,
            "client.remotes",
            "failed to decode remote \"host\": Missing ports",
        ),
        (
            "remotes = ['10.0.0.1:22']\ntunnel_allowed = ['127.0.0.0/8']",
            3,
            "client.remotes",
            "remote \"10.0.0.1:22\" is not allowed by \"tunnel_allowed\" config",
        ),
        (
            "[interpreter-aliases]\nsh = ['/bin/sh', 'klingon']",
            4,
            "interpreter-aliases.sh",
            "interpreter alias \"sh\": invalid input encoding \"klingon\": give an IANA name such as utf-8, \
             windows-1252 or cp437",
        ),
        (
            "data_dir = ''",
            3,
            "client.data_dir",
            "'data directory path' cannot be empty",
        ),
        (
            "[remote-commands]\nsend_back_limit = -1",
            4,
            "remote-commands.send_back_limit",
            "remote commands: send back limit can not be negative: -1",
        ),
        (
            "[remote-commands]\norder = ['allow']",
            4,
            "remote-commands.order",
            "remote commands: invalid order: [allow ]: allowed are ['allow','deny'] and ['deny','allow']",
        ),
        (
            "[remote-commands]\nallow = ['(']",
            4,
            "remote-commands.allow",
            "remote commands: allow regexp: invalid regular expression \"(\": unclosed group",
        ),
        (
            "[remote-commands]\nenabled = false\n[remote-scripts]\nenabled = true",
            6,
            "remote-scripts.enabled",
            "remote scripts execution requires remote commands to be enabled",
        ),
        (
            "[monitoring]\nnet_lan = ['eth0']",
            4,
            "monitoring.net_lan",
            "network card description illegal: must be ['name', 'speed in Mbit/s']",
        ),
        (
            "[monitoring]\nnet_wan = ['eth0', '0']",
            4,
            "monitoring.net_wan",
            "network card max speed low: 0: must be ['name', 'speed in Mbit/s']",
        ),
        (
            "[file-reception]\nprotected = ['/bin', '[']",
            4,
            "file-reception.protected",
            "invalid glob pattern [: syntax error in pattern",
        ),
        (
            "[connection]\nwatchdog_integration = true\nkeep_alive = '0'",
            5,
            "connection.keep_alive",
            "watchdog integration requires 'keep_alive > 0'",
        ),
        (
            "[connection]\nwatchdog_integration = true\nmax_retry_count = 3",
            5,
            "connection.max_retry_count",
            "watchdog integration requires 'max_retry_count = -1' (=disabled)",
        ),
        (
            "ip_api_url = 'ftp://x'",
            3,
            "client.ip_api_url",
            "invalid ip_api_url. only http(s):// supported, 'ftp' given",
        ),
    ] {
        refused(&client(text), &place(line, key, expected));
    }
}

#[test]
fn the_first_mistake_in_the_documented_order_is_named() {
    let text = "[connection]\nheaders = ['nocolon']\nwatchdog_integration = true\nkeep_alive = '0'\n\
                [client]\ndata_dir = ''\nproxy = 'https://x'\n";
    let named = |text: &str| from_toml(text).unwrap_err().to_string();
    assert!(named(text).contains("invalid header"));
    let text = text.replace("'nocolon'", "'a: b'");
    assert!(named(&text).contains("server address is required"));
    let text = format!("{text}server = 'h'\n");
    assert!(named(&text).contains("https proxies"));
    let text = text.replace("'https://x'", "''");
    assert!(named(&text).contains("'data directory path'"));
    let text = text.replace("data_dir = ''", "data_dir = '/d'");
    assert!(named(&text).contains("watchdog integration"));
}

#[test]
fn unreadable_values_are_all_named() {
    let text = client("allow_root = 'yes'\nupdates_interval = '1d'\n[logging]\nlog_level = 'trace'");
    let error = from_toml(&text).unwrap_err().to_string();
    assert!(
        error.starts_with("invalid config: rport.conf:3: key 'client.allow_root': "),
        "{error}"
    );
    assert!(
        error.contains("\nrport.conf:4: key 'client.updates_interval': "),
        "{error}"
    );
    assert!(
        error.contains("\nrport.conf:6: key 'logging.log_level': invalid log level: \"trace\""),
        "{error}"
    );
}

#[test]
fn arguments_go_before_the_file_and_the_file_before_the_environment() {
    let environment = Surroundings {
        auth: Some("env:env".into()),
        fingerprint: Some("aa:bb".to_owned()),
        ..Surroundings::default()
    };
    let user = |config: &AgentConfig| config.client.credentials.user.clone();
    let config = with(SERVER, &[], &environment);
    assert_eq!(
        (user(&config).as_str(), config.client.fingerprint_text.as_str()),
        ("env", "aa:bb")
    );
    let file = client("auth = 'file:file'\nfingerprint = 'cc:dd'");
    let config = with(&file, &[], &environment);
    assert_eq!(
        (user(&config).as_str(), config.client.fingerprint_text.as_str()),
        ("file", "cc:dd")
    );
    let config = with(
        &file,
        &["--auth", "flag:flag", "--fingerprint=ee:ff"],
        &environment,
    );
    assert_eq!(
        (user(&config).as_str(), config.client.fingerprint_text.as_str()),
        ("flag", "ee:ff")
    );
    // The same holds for a service.
    let service = Surroundings {
        service: true,
        ..environment
    };
    let config = with(&file, &["--auth", "flag:flag"], &service);
    assert_eq!(user(&config), "flag");
    let config = with(SERVER, &[], &service);
    assert_eq!(user(&config), "env");
}

#[test]
fn credentials_come_from_the_first_source_that_has_some() {
    let dir = tempfile::tempdir().expect("a directory");
    let private = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("changed");
        path.display().to_string()
    };
    let file = private("own-file", "own:own\n");
    private("rport-auth", "systemd:systemd\n");
    let surroundings = Surroundings {
        auth: Some("env:env".into()),
        credentials_dir: Some(dir.path().to_owned()),
        ..Surroundings::default()
    };
    let user = |toml: &str, flags: &[&str]| with(&client(toml), flags, &surroundings).client.credentials.user;
    let both = format!("auth = 'config:config'\nauth_file_path = '{file}'");
    assert_eq!(user(&both, &["--auth", "flag:flag"]), "flag");
    assert_eq!(user(&both, &[]), "config");
    assert_eq!(user(&format!("auth_file_path = '{file}'"), &[]), "own");
    assert_eq!(user("", &[]), "systemd");
    std::fs::remove_file(dir.path().join("rport-auth")).expect("removed");
    assert_eq!(user("", &[]), "env");
    // A source that does not count is not even looked at.
    assert_eq!(
        user("auth = 'config:config'\nauth_file_path = '/no/such/file'", &[]),
        "config"
    );
}

#[test]
fn positional_arguments_replace_server_and_remotes() {
    let file = client("remotes = ['22']");
    let config = with(
        &file,
        &["wss://other:444/x", "3000", "4000:10.0.0.1:80/udp"],
        &Surroundings::default(),
    );
    assert_eq!(config.client.server.as_str(), "wss://other:444/x");
    let targets: Vec<String> = config
        .client
        .tunnels
        .iter()
        .map(rport_protocol::Remote::target)
        .collect();
    assert_eq!(targets, ["127.0.0.1:3000", "10.0.0.1:80"]);
    let config = with(&file, &["other"], &Surroundings::default());
    assert_eq!(config.client.remotes, ["22"]);
}

#[test]
fn a_service_names_itself_only_when_told_to() {
    let service = Surroundings {
        service: true,
        ..Surroundings::default()
    };
    let config = with(SERVER, &[], &service);
    assert!(!config.client.use_system_id && !config.client.use_hostname);
    let config = with(&client("use_system_id = true"), &["--use-hostname"], &service);
    assert!(config.client.use_system_id && config.client.use_hostname);
    let config = with(SERVER, &["--use-system-id=false"], &Surroundings::default());
    assert!(!config.client.use_system_id && config.client.use_hostname);
}

#[test]
fn options_for_remotes_reach_every_remote() {
    let flags = [
        "--scheme",
        "http",
        "--enable-reverse-proxy",
        "--host-header",
        "intern",
        "host",
        "80",
        "81",
    ];
    let config = with("", &flags, &Surroundings::default());
    for remote in &config.client.tunnels {
        assert_eq!(remote.scheme.as_deref(), Some("http"));
        assert!(remote.http_proxy);
        assert_eq!(remote.host_header, "intern");
    }
    assert_eq!(config.client.tunnels.len(), 2);
}

#[test]
fn a_remote_that_cannot_be_resolved_now_may_resolve_later() {
    let config = ok(&client(
        "remotes = ['no-such-host.invalid:22']\ntunnel_allowed = ['127.0.0.1']",
    ));
    assert_eq!(config.client.tunnels.len(), 1);
}

#[test]
fn headers_of_the_upgrade() {
    let config = ok(&client(
        "[connection]\nheaders = ['X-Foo: a', 'x-foo: b', 'Host: h1', 'User-Agent: me']\nhostname = 'h2'",
    ));
    let connection = &config.connection;
    assert_eq!(
        connection
            .http_headers
            .get_all("X-Foo")
            .iter()
            .collect::<Vec<_>>(),
        ["b"]
    );
    assert_eq!(connection.http_headers.len(), 1);
    assert_eq!(connection.host_override.as_deref(), Some("h2"));
    assert_eq!(connection.user_agent, "me");
}

#[test]
fn small_values_are_raised_and_odd_ones_understood() {
    let config = ok(&client(
        "ip_refresh_min = '30m'\n[connection]\nmax_retry_interval = '500ms'\nkeep_alive = '0s'\n\
         [monitoring]\ninterval = 60\n",
    ));
    assert_eq!(config.client.ip_refresh_min, 30);
    assert_eq!(config.connection.max_retry_interval, Duration::from_secs(300));
    assert_eq!(config.connection.keep_alive, None);
    assert_eq!(config.monitoring.interval, Duration::from_secs(60));
    let credentials = ok(&client("auth = 'a:b:c'")).client.credentials;
    assert_eq!(
        (credentials.user.as_str(), credentials.password.expose()),
        ("a", "b:c")
    );
    let credentials = ok(&client("auth = 'nocolon'")).client.credentials;
    assert_eq!(
        (credentials.user.as_str(), credentials.password.expose()),
        ("", "")
    );
}

#[test]
fn labels_and_aliases_keep_their_values() {
    let config = ok(&client(
        "[client.labels]\nCity = 'Köln'\n[interpreter-aliases]\nbash = '/bin/bash'\n\
         pwsh = ['/usr/bin/pwsh', 'windows-1252', 'CP437']\n",
    ));
    assert_eq!(config.client.attributes.labels.unwrap()["city"], "Köln");
    assert_eq!(
        config.interpreter_aliases["bash"],
        InterpreterAlias {
            path: "/bin/bash".into(),
            encoding: None
        }
    );
    let encoding = config.interpreter_aliases["pwsh"].encoding.clone().unwrap();
    assert_eq!(
        (encoding.input.as_str(), encoding.output.as_str()),
        ("windows-1252", "CP437")
    );
}

#[test]
fn the_report_has_no_secrets_and_promises_what_there_is() {
    let config = ok(&client(
        "auth = 'user:hunter2'\nproxy = 'http://joe:hunter2@proxy:3128'\nremotes = ['22']\n\
         [connection]\nheaders = ['Authorization: Basic hunter2', 'X-Foo: bar']\n\
         [remote-scripts]\nenabled = true\n[monitoring]\nnet_lan = ['eth0', '1000']\n[logging]\nlog_file = '/l'\n",
    ));
    let attributes = config.client.attributes.clone();
    let report = config.report(&attributes);
    assert!(report.remote_commands.enabled && report.remote_scripts.enabled);
    assert!(!report.file_reception.enabled, "no files are received yet");
    assert_eq!(report.monitoring.lan_card.as_ref().unwrap().max_speed, 1000);
    assert!(report.logging.log_file.file.is_some());
    assert_eq!(report.client.auth_user, "user");
    let request = NewConnection {
        client_configuration: Some(report),
        ..NewConnection::default()
    };
    let bytes = request.encode();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("\"allow_regexp\":null"), "{text}");
    assert!(text.contains("\"X-Foo\":[\"bar\"]"), "{text}");
    assert_eq!(NewConnection::decode(&bytes).unwrap(), request);
}

#[test]
fn secrets_do_not_print() {
    let config = ok(&client(
        "auth = 'user:hunter2'\nproxy = 'http://joe:hunter2@proxy:3128'",
    ));
    assert!(!format!("{config:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_file_upsets_the_loader(text in "(\\[(client|connection|monitoring|interpreter-aliases)\\]\n)?([a-z_]{1,12} = ('\\PC{0,9}'|[0-9]{1,20}|\\[\\]|true)\n){0,4}") {
        let _ = from_toml(&text);
    }

    #[test]
    fn no_value_upsets_a_check(
        key in prop::sample::select(vec![
            "server", "fallback_servers", "fingerprint", "auth", "proxy", "remotes", "tunnel_allowed", "ip_api_url",
            "ip_refresh_min", "tags",
        ]),
        value in "[^'\n\r]{0,30}",
    ) {
        let _ = from_toml(&client(&format!("{key} = '{value}'")));
    }
}
