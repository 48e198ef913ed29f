//! The flags that stand for keys of the file.

/// What a flag takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A value; the last one counts.
    Text,
    /// Nothing, or `=true`, `=false`.
    Switch,
    /// A value with commas; several flags add up.
    List,
}

use Kind::{List, Switch, Text};

/// Flag, short form, key, kind, help.
pub(super) type Flag = (&'static str, Option<char>, &'static str, Kind, &'static str);

/// Every flag that stands for a key.
pub(super) const FLAGS: &[Flag] = &[
    (
        "addr",
        Some('a'),
        "server.address",
        Text,
        "Where agents connect, host:port",
    ),
    (
        "url",
        None,
        "server.url",
        List,
        "Addresses of this server as agents reach it",
    ),
    ("key", None, "server.key_seed", Text, "Seed of the host key"),
    (
        "authfile",
        None,
        "server.auth_file",
        Text,
        "JSON file with credentials of agents",
    ),
    (
        "auth",
        None,
        "server.auth",
        Text,
        "One pair of credentials for all agents, id:password",
    ),
    (
        "auth-table",
        None,
        "server.auth_table",
        Text,
        "Database table with credentials of agents",
    ),
    (
        "auth-write",
        None,
        "server.auth_write",
        Switch,
        "Let the API change credentials of agents",
    ),
    (
        "auth-multiuse-creds",
        None,
        "server.auth_multiuse_creds",
        Switch,
        "Let several clients use the same credentials",
    ),
    (
        "equate-clientauthid-clientid",
        None,
        "server.equate_clientauthid_clientid",
        Switch,
        "Give an agent without id the id of its credentials",
    ),
    (
        "proxy",
        None,
        "server.proxy",
        Text,
        "Where HTTP requests go that are not from agents",
    ),
    (
        "use-ports",
        None,
        "server.used_ports",
        List,
        "Ports and ranges for tunnels",
    ),
    (
        "exclude-ports",
        Some('e'),
        "server.excluded_ports",
        List,
        "Ports and ranges never used for tunnels",
    ),
    ("data-dir", None, "server.data_dir", Text, "Folder for all state"),
    (
        "max-request-bytes-client",
        None,
        "server.max_request_bytes_client",
        Text,
        "Largest request of an agent",
    ),
    (
        "check-port-timeout",
        None,
        "server.check_port_timeout",
        Text,
        "How long an agent may try a port",
    ),
    (
        "run-remote-cmd-timeout-sec",
        None,
        "server.run_remote_cmd_timeout_sec",
        Text,
        "Time limit of commands that come without one",
    ),
    (
        "allow-root",
        None,
        "server.allow_root",
        Switch,
        "Let the server run as root",
    ),
    (
        "tunnel-proxy-cert-file",
        None,
        "server.tunnel_proxy_cert_file",
        Text,
        "Certificate of tunnel proxies",
    ),
    (
        "tunnel-proxy-key-file",
        None,
        "server.tunnel_proxy_key_file",
        Text,
        "Key of that certificate",
    ),
    ("novnc-root", None, "server.novnc_root", Text, "Folder with noVNC"),
    (
        "guacd-address",
        None,
        "server.guacd_address",
        Text,
        "Address of guacd, host:port",
    ),
    (
        "log-file",
        Some('l'),
        "logging.log_file",
        Text,
        "Log file instead of standard output",
    ),
    (
        "log-level",
        None,
        "logging.log_level",
        Text,
        "error, info or debug",
    ),
    (
        "api-addr",
        None,
        "api.address",
        Text,
        "Where the API listens, host:port",
    ),
    (
        "api-auth",
        None,
        "api.auth",
        Text,
        "One administrator, name:password",
    ),
    (
        "api-authfile",
        None,
        "api.auth_file",
        Text,
        "JSON file with users",
    ),
    (
        "api-auth-user-table",
        None,
        "api.auth_user_table",
        Text,
        "Database table of users",
    ),
    (
        "api-auth-group-table",
        None,
        "api.auth_group_table",
        Text,
        "Database table of their groups",
    ),
    (
        "api-jwt-secret",
        None,
        "api.jwt_secret",
        Text,
        "Secret that signs logins",
    ),
    (
        "api-doc-root",
        None,
        "api.doc_root",
        Text,
        "Folder with a user interface",
    ),
    (
        "api-cert-file",
        None,
        "api.cert_file",
        Text,
        "Certificate of the API",
    ),
    (
        "api-key-file",
        None,
        "api.key_file",
        Text,
        "Key of that certificate",
    ),
    (
        "api-access-log-file",
        None,
        "api.access_log_file",
        Text,
        "Log of API requests",
    ),
    (
        "max-request-bytes",
        None,
        "api.max_request_bytes",
        Text,
        "Largest API request",
    ),
    (
        "max-filepush-bytes",
        None,
        "api.max_filepush_size",
        Text,
        "Largest upload",
    ),
    (
        "db-type",
        None,
        "database.db_type",
        Text,
        "mysql, sqlite or postgres",
    ),
    (
        "db-name",
        None,
        "database.db_name",
        Text,
        "Database, or file of SQLite",
    ),
    (
        "db-host",
        None,
        "database.db_host",
        Text,
        "Database server, host:port or socket:/path",
    ),
    ("db-user", None, "database.db_user", Text, "User of the database"),
    (
        "db-password",
        None,
        "database.db_password",
        Text,
        "Password of that user",
    ),
    (
        "monitoring-data-storage-days",
        None,
        "monitoring.data_storage_days",
        Text,
        "How many days measurements are kept",
    ),
];

/// Flags that a unit file may carry although they never meant anything.
pub(super) const IGNORED: &[&str] = &["save-clients-interval"];
