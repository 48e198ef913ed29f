//! The sections of `rport.conf` as written: every key with its default, read but not checked against each other.
//!
//! Source of names, types and defaults: openrport `share/clientconfig/config.go` and
//! `cmd/rport/cli/params_init.go`, `SetViperConfigDefaults`.

use std::collections::BTreeMap;
use std::time::Duration;

use rport_runtime::Secret;
use rport_runtime::telemetry::LogLevel;
use rport_runtime::toml_config::{Document, parse_duration};

/// All sections.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sections {
    pub(super) client: ClientSection,
    pub(super) connection: ConnectionSection,
    pub(super) logging: LoggingSection,
    pub(super) remote_commands: RemoteCommandsSection,
    pub(super) remote_scripts: RemoteScriptsSection,
    pub(super) monitoring: MonitoringSection,
    pub(super) file_reception: FileReceptionSection,
    pub(super) tunnels: TunnelsSection,
    /// Alias name to path and encodings.
    pub(super) interpreter_aliases: BTreeMap<String, Vec<String>>,
}

/// `[client]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClientSection {
    pub(super) server: String,
    pub(super) fallback_servers: Vec<String>,
    pub(super) server_switchback_interval: Duration,
    pub(super) fingerprint: String,
    pub(super) auth: Secret,
    pub(super) auth_file_path: String,
    /// May contain a password.
    pub(super) proxy: Secret,
    /// Not set: yes when started by hand, no as a service.
    pub(super) use_system_id: Option<bool>,
    pub(super) id: String,
    /// Not set: as `use_system_id`.
    pub(super) use_hostname: Option<bool>,
    pub(super) name: String,
    pub(super) tags: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) attributes_file_path: String,
    pub(super) remotes: Vec<String>,
    pub(super) tunnel_allowed: Vec<String>,
    pub(super) allow_root: bool,
    pub(super) updates_interval: Duration,
    pub(super) data_dir: String,
    pub(super) bind_interface: String,
    pub(super) ip_api_url: String,
    pub(super) ip_refresh_min: i64,
}

/// `[connection]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConnectionSection {
    pub(super) keep_alive: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) max_retry_count: i64,
    pub(super) max_retry_interval: Duration,
    pub(super) headers: Vec<String>,
    pub(super) hostname: String,
    pub(super) watchdog_integration: bool,
}

/// `[logging]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LoggingSection {
    pub(super) log_file: String,
    pub(super) log_level: LogLevel,
}

/// `[remote-commands]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RemoteCommandsSection {
    pub(super) enabled: bool,
    pub(super) send_back_limit: i64,
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
    pub(super) order: [String; 2],
}

/// `[remote-scripts]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RemoteScriptsSection {
    pub(super) enabled: bool,
}

/// `[monitoring]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MonitoringSection {
    pub(super) enabled: bool,
    pub(super) interval: Duration,
    pub(super) fs_type_include: Vec<String>,
    pub(super) fs_path_exclude: Vec<String>,
    pub(super) fs_path_exclude_recurse: bool,
    pub(super) fs_identify_mountpoints_by_device: bool,
    pub(super) pm_enabled: bool,
    pub(super) pm_kerneltasks_enabled: bool,
    pub(super) pm_max_number_processes: i64,
    pub(super) net_lan: Vec<String>,
    pub(super) net_wan: Vec<String>,
}

/// `[file-reception]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FileReceptionSection {
    pub(super) enabled: bool,
    pub(super) protected: Vec<String>,
}

/// `[tunnels]`: options of the remotes given at start. Documented only as flags.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TunnelsSection {
    pub(super) scheme: String,
    pub(super) reverse_proxy: bool,
    pub(super) host_header: String,
}

/// How often a link is probed unless configured.
///
/// Differs from RPort, which probes every 3 minutes and waits up to 3 × 30 s: a link that died without a word must
/// be noticed, and the machine be back, within a minute.
pub(super) const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long to wait for any sign of life after a probe unless configured.
pub(super) const DEFAULT_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest pause between two attempts unless configured.
pub(super) const DEFAULT_MAX_RETRY_INTERVAL: Duration = Duration::from_secs(5 * 60);

const DEFAULT_DATA_DIR: &str = if cfg!(windows) {
    r"C:\Program Files\rport"
} else {
    "/var/lib/rport"
};

const DEFAULT_PROTECTED: &[&str] = if cfg!(windows) {
    &[r"C:\Windows\", r"C:\ProgramData"]
} else {
    &[
        "/bin",
        "/sbin",
        "/boot",
        "/usr/bin",
        "/usr/sbin",
        "/dev",
        "/lib*",
        "/run",
    ]
};

const DEFAULT_ALLOW: &[&str] = &[
    "^/usr/bin/.*",
    "^/usr/local/bin/.*",
    r"^C:\\Windows\\System32\\.*",
];
const DEFAULT_DENY: &[&str] = &[r"(\||<|>|;|,|\n|&)"];
const DEFAULT_FS_TYPES: &[&str] = &[
    "ext3", "ext4", "xfs", "jfs", "ntfs", "btrfs", "hfs", "apfs", "exfat", "smbfs", "nfs",
];

impl Sections {
    /// Reads every key. What cannot be read is recorded in the document, and its default stands in.
    pub(super) fn read(document: &Document) -> Self {
        Self {
            client: ClientSection::read(document),
            connection: ConnectionSection::read(document),
            logging: LoggingSection::read(document),
            remote_commands: RemoteCommandsSection::read(document),
            remote_scripts: RemoteScriptsSection {
                enabled: document.section("remote-scripts").boolean("enabled", false),
            },
            monitoring: MonitoringSection::read(document),
            file_reception: FileReceptionSection::read(document),
            tunnels: TunnelsSection::read(document),
            interpreter_aliases: document
                .section("interpreter-aliases")
                .free_entries()
                .into_iter()
                .map(|entry| (entry.key, entry.values))
                .collect(),
        }
    }
}

impl ClientSection {
    fn read(document: &Document) -> Self {
        let section = document.section("client");
        let switch = |key| {
            let value = section.boolean(key, false);
            section.has(key).then_some(value)
        };
        Self {
            server: section.string("server", ""),
            fallback_servers: section.list("fallback_servers", &[]),
            server_switchback_interval: section
                .duration("server_switchback_interval", Duration::from_secs(2 * 60)),
            fingerprint: section.string("fingerprint", ""),
            auth: section.secret("auth"),
            auth_file_path: section.string("auth_file_path", ""),
            proxy: section.secret("proxy"),
            use_system_id: switch("use_system_id"),
            id: section.string("id", ""),
            use_hostname: switch("use_hostname"),
            name: section.string("name", ""),
            tags: section.list("tags", &[]),
            labels: section.string_map("labels"),
            attributes_file_path: section.string("attributes_file_path", ""),
            remotes: section.list("remotes", &[]),
            tunnel_allowed: section.list("tunnel_allowed", &[]),
            allow_root: section.boolean("allow_root", false),
            updates_interval: section.duration("updates_interval", Duration::from_secs(4 * 3600)),
            data_dir: section.string("data_dir", DEFAULT_DATA_DIR),
            bind_interface: section.string("bind_interface", ""),
            ip_api_url: section.string("ip_api_url", ""),
            ip_refresh_min: section.parsed("ip_refresh_min", 30, minutes),
        }
    }
}

/// A number of minutes. The Go agent's type is a duration, and what people write there is one now and then.
fn minutes(text: &str) -> Result<i64, String> {
    const MINUTE: i64 = 60_000_000_000;
    text.parse::<i64>()
        .ok()
        .or_else(|| parse_duration(text).map(|nanos| nanos / MINUTE))
        .ok_or_else(|| format!("expected a number of minutes, got \"{text}\""))
}

impl ConnectionSection {
    fn read(document: &Document) -> Self {
        let section = document.section("connection");
        Self {
            keep_alive: section.duration("keep_alive", DEFAULT_KEEP_ALIVE),
            keep_alive_timeout: section.duration("keep_alive_timeout", DEFAULT_KEEP_ALIVE_TIMEOUT),
            max_retry_count: section.integer("max_retry_count", -1),
            max_retry_interval: section.duration("max_retry_interval", DEFAULT_MAX_RETRY_INTERVAL),
            headers: section.list("headers", &[]),
            hostname: section.string("hostname", ""),
            watchdog_integration: section.boolean("watchdog_integration", false),
        }
    }
}

impl LoggingSection {
    fn read(document: &Document) -> Self {
        let section = document.section("logging");
        Self {
            log_file: section.string("log_file", ""),
            log_level: section.parsed("log_level", LogLevel::Info, str::parse),
        }
    }
}

impl RemoteCommandsSection {
    fn read(document: &Document) -> Self {
        let section = document.section("remote-commands");
        Self {
            enabled: section.boolean("enabled", true),
            send_back_limit: section.integer("send_back_limit", 4_194_304),
            allow: section.list("allow", DEFAULT_ALLOW),
            deny: section.list("deny", DEFAULT_DENY),
            order: section.pair("order", ["allow", "deny"]),
        }
    }
}

impl MonitoringSection {
    fn read(document: &Document) -> Self {
        let section = document.section("monitoring");
        Self {
            enabled: section.boolean("enabled", true),
            interval: section.duration("interval", Duration::from_secs(60)),
            fs_type_include: section.list("fs_type_include", DEFAULT_FS_TYPES),
            fs_path_exclude: section.list("fs_path_exclude", &[]),
            fs_path_exclude_recurse: section.boolean("fs_path_exclude_recurse", false),
            fs_identify_mountpoints_by_device: section.boolean("fs_identify_mountpoints_by_device", true),
            pm_enabled: section.boolean("pm_enabled", true),
            pm_kerneltasks_enabled: section.boolean("pm_kerneltasks_enabled", true),
            pm_max_number_processes: section.integer("pm_max_number_processes", 500),
            net_lan: section.list("net_lan", &[]),
            net_wan: section.list("net_wan", &[]),
        }
    }
}

impl FileReceptionSection {
    fn read(document: &Document) -> Self {
        let section = document.section("file-reception");
        Self {
            enabled: section.boolean("enabled", true),
            protected: section.list("protected", DEFAULT_PROTECTED),
        }
    }
}

impl TunnelsSection {
    fn read(document: &Document) -> Self {
        let section = document.section("tunnels");
        Self {
            scheme: section.string("scheme", ""),
            reverse_proxy: section.boolean("reverseproxy", false),
            host_header: section.string("hostheader", ""),
        }
    }
}
