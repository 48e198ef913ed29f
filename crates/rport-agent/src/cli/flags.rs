//! The table of flags: each names the configuration key it overrides.

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// One value.
    Value,
    /// One value per use; uses add up.
    List,
    /// Nothing, or `=true` or `=false`.
    Switch,
}

/// A flag that overrides a configuration key.
#[derive(Debug)]
pub struct Flag {
    /// Long name without dashes.
    pub name: &'static str,
    /// One-letter form.
    pub short: Option<char>,
    /// `section.key` it overrides.
    pub key: &'static str,
    /// What it takes.
    pub kind: FlagKind,
    /// Name of the value in the help text.
    pub value_name: &'static str,
    /// What it does.
    pub help: &'static str,
}

const fn flag(
    name: &'static str,
    key: &'static str,
    kind: FlagKind,
    value_name: &'static str,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        short: None,
        key,
        kind,
        value_name,
        help,
    }
}

const fn short(letter: char, flag: Flag) -> Flag {
    Flag {
        short: Some(letter),
        ..flag
    }
}

use FlagKind::{List, Switch, Value};

/// Every flag with a key, in the order of the help text.
///
/// Source: openrport `cmd/rport/cli/params_init.go`, `SetPFlags` and `BindPFlagsToViperConfig`.
pub const FLAGS: &[Flag] = &[
    flag(
        "fingerprint",
        "client.fingerprint",
        Value,
        "TEXT",
        "Accept only the server whose host key has this fingerprint: the MD5 form with colons or a prefix of it, or \
         the SHA256 form. Recommended. [env: RPORT_FINGERPRINT]",
    ),
    flag(
        "auth",
        "client.auth",
        Value,
        "ID:PASSWORD",
        "Credentials to log in to the server with. [env: RPORT_AUTH]",
    ),
    flag(
        "keepalive",
        "connection.keep_alive",
        Value,
        "DURATION",
        "How often to check that the server still answers, such as 30s or 3m; 0 switches the check off",
    ),
    flag(
        "max-retry-count",
        "connection.max_retry_count",
        Value,
        "N",
        "Give up after so many failed attempts in a row; -1 never gives up",
    ),
    flag(
        "max-retry-interval",
        "connection.max_retry_interval",
        Value,
        "DURATION",
        "Longest pause between two attempts",
    ),
    flag(
        "proxy",
        "client.proxy",
        Value,
        "URL",
        "Reach the server through an HTTP CONNECT or SOCKS5 proxy: http://user:pass@host:port or socks://host:port",
    ),
    flag(
        "header",
        "connection.headers",
        List,
        "NAME: VALUE",
        "Send an additional header when connecting; may be repeated",
    ),
    flag(
        "hostname",
        "connection.hostname",
        Value,
        "NAME",
        "Send this Host header instead of the server's address",
    ),
    flag(
        "use-system-id",
        "client.use_system_id",
        Switch,
        "",
        "Use the id of the operating system as client id when no --id is given",
    ),
    flag(
        "id",
        "client.id",
        Value,
        "ID",
        "Client id; the server keeps the client's history under it",
    ),
    flag(
        "use-hostname",
        "client.use_hostname",
        Switch,
        "",
        "Use the host's name as client name when no --name is given",
    ),
    flag(
        "name",
        "client.name",
        Value,
        "NAME",
        "Readable name of this client",
    ),
    short(
        't',
        flag(
            "tag",
            "client.tags",
            List,
            "TAG",
            "Tag for finding this client on the server; may be repeated",
        ),
    ),
    flag(
        "allow-root",
        "client.allow_root",
        Switch,
        "",
        "Allow to run as root",
    ),
    short(
        'l',
        flag(
            "log-file",
            "logging.log_file",
            Value,
            "FILE",
            "Write the log to a file instead of the standard output",
        ),
    ),
    flag(
        "log-level",
        "logging.log_level",
        Value,
        "LEVEL",
        "error, info or debug",
    ),
    flag(
        "data-dir",
        "client.data_dir",
        Value,
        "DIR",
        "Directory for the agent's own files",
    ),
    flag(
        "bind-interface",
        "client.bind_interface",
        Value,
        "NAME",
        "Connect to the server from the first address of this network interface",
    ),
    flag(
        "fallback-server",
        "client.fallback_servers",
        List,
        "SERVER",
        "Server to try when the main one cannot be reached; may be repeated, tried in order",
    ),
    flag(
        "server-switchback-interval",
        "client.server_switchback_interval",
        Value,
        "DURATION",
        "How often to try the main server again while connected to a fallback server",
    ),
    flag(
        "updates-interval",
        "client.updates_interval",
        Value,
        "DURATION",
        "How often to look for pending updates of the system; 0 switches it off",
    ),
    flag(
        "remote-commands-enabled",
        "remote-commands.enabled",
        Switch,
        "",
        "Execute commands sent by the server",
    ),
    flag(
        "remote-commands-send-back-limit",
        "remote-commands.send_back_limit",
        Value,
        "BYTES",
        "Most bytes of output returned to the server, for each of the two output streams",
    ),
    flag(
        "remote-scripts-enabled",
        "remote-scripts.enabled",
        Switch,
        "",
        "Execute scripts sent by the server",
    ),
    flag(
        "monitoring-enabled",
        "monitoring.enabled",
        Switch,
        "",
        "Measure the load of this machine",
    ),
    flag(
        "monitoring-interval",
        "monitoring.interval",
        Value,
        "DURATION",
        "How often to measure; less than 60s counts as 60s",
    ),
    flag(
        "monitoring-fs-type-include",
        "monitoring.fs_type_include",
        List,
        "TYPE",
        "Type of file systems to measure; may be repeated",
    ),
    flag(
        "monitoring-fs-path-exclude",
        "monitoring.fs_path_exclude",
        List,
        "PATH",
        "Mount point to leave out; may be repeated",
    ),
    flag(
        "monitoring-fs-path-exclude-recurse",
        "monitoring.fs_path_exclude_recurse",
        Switch,
        "",
        "Leave out everything mounted below the excluded paths too",
    ),
    flag(
        "monitoring-fs-identify-mountpoints-by-device",
        "monitoring.fs_identify_mountpoints_by_device",
        Switch,
        "",
        "Measure a device that is mounted several times only once",
    ),
    flag(
        "monitoring-pm-enabled",
        "monitoring.pm_enabled",
        Switch,
        "",
        "List the running processes",
    ),
    flag(
        "monitoring-pm-kerneltasks-enabled",
        "monitoring.pm_kerneltasks_enabled",
        Switch,
        "",
        "Include kernel tasks in the list of processes",
    ),
    flag(
        "monitoring-pm-max-number-processes",
        "monitoring.pm_max_number_processes",
        Value,
        "N",
        "Most processes to list",
    ),
    flag(
        "monitoring-net-lan",
        "monitoring.net_lan",
        List,
        "NAME|MBIT",
        "Network card of the local network: give the flag twice, first with the name, then with the speed",
    ),
    flag(
        "monitoring-net-wan",
        "monitoring.net_wan",
        List,
        "NAME|MBIT",
        "Network card of the outer network: give the flag twice, first with the name, then with the speed",
    ),
    flag(
        "file-reception-enabled",
        "file-reception.enabled",
        Switch,
        "",
        "Accept files sent by the server",
    ),
    flag(
        "file-reception-protected",
        "file-reception.protected",
        List,
        "GLOB",
        "Place where no file is written; may be repeated",
    ),
    flag(
        "scheme",
        "tunnels.scheme",
        Value,
        "SCHEME",
        "Mark the remotes given at start with a scheme such as http, vnc or rdp",
    ),
    flag(
        "enable-reverse-proxy",
        "tunnels.reverseproxy",
        Switch,
        "",
        "Ask the server for an HTTPS proxy in front of the remotes given at start",
    ),
    flag(
        "host-header",
        "tunnels.hostheader",
        Value,
        "NAME",
        "Host header that proxy sends; needs --enable-reverse-proxy",
    ),
];
