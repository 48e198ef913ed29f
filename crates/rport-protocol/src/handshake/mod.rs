//! The agent's configuration, as it reports it in `new_connection` and as the server stores and shows it.
//!
//! Source: wire notes, section 6.3. Members this version does not know are dropped, as Go does. Go agents include
//! their credentials in clear text; servers call [`ClientConfiguration::without_secrets`] before they keep it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};

use crate::{json::go_nanos, remote::Remote};

/// The whole effective configuration of an agent. Go servers act on `file_reception.enabled` and on the two network
/// cards; everything else is for people.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientConfiguration {
    /// Section `[client]`.
    pub client: ClientSection,
    /// Section `[connection]`.
    pub connection: ConnectionSection,
    /// Section `[logging]`.
    pub logging: LoggingSection,
    /// Section `[remote-commands]`.
    pub remote_commands: RemoteCommandsSection,
    /// Section `[remote-scripts]`.
    pub remote_scripts: RemoteScriptsSection,
    /// Section `[monitoring]`.
    pub monitoring: MonitoringSection,
    /// Section `[file-reception]`.
    pub file_reception: FileReceptionSection,
    /// Names for interpreters.
    pub interpreter_aliases: Option<BTreeMap<String, String>>,
    /// Encodings of aliased interpreters; from 0.9.7 on.
    pub interpreter_aliases_encodings: Option<BTreeMap<String, EncodingConfiguration>>,
}

impl ClientConfiguration {
    /// Blanks everything a reader could log in with: client auth, proxy user, and passwords of tunnel proxies.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.client.auth.clear();
        self.client.auth_pass.clear();
        blank_user_info(&mut self.client.proxy);
        blank_user_info(&mut self.client.server);
        for server in self.client.fallback_servers.iter_mut().flatten() {
            blank_user_info(server);
        }
        if let Some(url) = &mut self.client.proxy_url {
            url.user = None;
        }
        for tunnel in self.client.tunnels.iter_mut().flatten() {
            tunnel.auth_password.clear();
        }
        // Headers are free text: the ones that carry credentials are known by name.
        for header in self.connection.headers.iter_mut().flatten() {
            if let Some((name, _)) = header.split_once(':').filter(|(name, _)| is_secret_header(name)) {
                *header = format!("{name}:");
            }
        }
        for (name, values) in self.connection.http_headers.iter_mut().flatten() {
            if is_secret_header(name) {
                *values = None;
            }
        }
        self
    }
}

fn is_secret_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].contains(&name.trim().to_ascii_lowercase().as_str())
}

/// Removes `user:password@` from a URL text.
fn blank_user_info(url: &mut String) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    if let Some(at) = url[start..end].rfind('@') {
        url.replace_range(start..=start + at, "");
    }
}

/// Section `[client]` of the agent's configuration.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "every member is the agent's option of the same name, described in its example file"
)]
pub struct ClientSection {
    pub server: String,
    pub fallback_servers: Option<Vec<String>>,
    #[serde(with = "go_nanos")]
    pub server_switchback_interval: Duration,
    pub fingerprint: String,
    pub auth: String,
    pub proxy: String,
    pub id: String,
    pub use_system_id: bool,
    pub name: String,
    pub use_hostname: bool,
    pub tags: Option<Vec<String>>,
    pub labels: Option<BTreeMap<String, String>>,
    pub remotes: Option<Vec<String>>,
    pub tunnel_allowed: Option<Vec<String>>,
    pub allow_root: bool,
    #[serde(with = "go_nanos")]
    pub updates_interval: Duration,
    pub data_dir: String,
    pub bind_interface: String,
    pub ip_api_url: String,
    /// A plain number of minutes, although it is a duration in the file.
    pub ip_refresh_min: i64,
    pub proxy_url: Option<GoUrl>,
    pub tunnels: Option<Vec<Remote>>,
    pub auth_user: String,
    pub auth_pass: String,
}

/// The password and the pair it comes from stay out of logs.
impl std::fmt::Debug for ClientSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSection")
            .field("server", &self.server)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("auth_user", &self.auth_user)
            .field("auth_pass", &"***")
            .finish_non_exhaustive()
    }
}

/// A URL as Go writes its parsed form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the members are those of Go's net/url.URL")]
pub struct GoUrl {
    pub scheme: String,
    pub opaque: String,
    /// `{}` when there is user info, which Go does not write out.
    pub user: Option<GoUserinfo>,
    pub host: String,
    pub path: String,
    pub raw_path: String,
    pub omit_host: bool,
    pub force_query: bool,
    pub raw_query: String,
    pub fragment: String,
    pub raw_fragment: String,
}

/// Stands for user info in a [`GoUrl`]; written as `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GoUserinfo {}

/// Section `[connection]` of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "every member is the agent's option of the same name, described in its example file"
)]
pub struct ConnectionSection {
    #[serde(with = "go_nanos")]
    pub keep_alive: Duration,
    #[serde(with = "go_nanos")]
    pub keep_alive_timeout: Duration,
    pub max_retry_count: i64,
    #[serde(with = "go_nanos")]
    pub max_retry_interval: Duration,
    pub headers: Option<Vec<String>>,
    pub hostname: String,
    pub watchdog_integration: bool,
    pub http_headers: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// Section `[logging]` of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggingSection {
    /// Where the log goes.
    pub log_file: LogFile,
    /// 0 error, 1 info, 2 debug.
    pub log_level: i64,
}

/// A log output as Go writes it: `{"File":{}}` for a file, `{"File":null}` for none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogFile {
    /// Present when there is a file; the name is not part of it.
    pub file: Option<GoFile>,
}

/// Stands for an open file; written as `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GoFile {}

/// Section `[remote-commands]` of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "every member is the agent's option of the same name, described in its example file"
)]
pub struct RemoteCommandsSection {
    pub enabled: bool,
    pub send_back_limit: i64,
    pub allow: Option<Vec<String>>,
    pub deny: Option<Vec<String>>,
    /// `allow`, `deny` in the order of evaluation; two texts, empty ones when unset.
    pub order: CommandOrder,
    pub allow_regexp: RegexpList,
    pub deny_regexp: RegexpList,
}

/// The order in which allow and deny rules are evaluated; a Go array of two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct CommandOrder(pub [String; 2]);

impl<'de> Deserialize<'de> for CommandOrder {
    /// Go fills up a short array and drops what a long one has too much.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut texts = Option::<Vec<String>>::deserialize(deserializer)?
            .unwrap_or_default()
            .into_iter();
        Ok(Self([
            texts.next().unwrap_or_default(),
            texts.next().unwrap_or_default(),
        ]))
    }
}

/// Compiled expressions of a Go peer. Nobody needs them, and their JSON form depends on the Go release the peer was
/// built with: builds before 1.21 write objects and refuse texts, later builds do the opposite, and both refuse the
/// *whole message*. So anything is read, and `null`, which all accept, is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegexpList;

impl Serialize for RegexpList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for RegexpList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Section `[remote-scripts]` of the agent's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteScriptsSection {
    /// Whether scripts may run.
    pub enabled: bool,
}

/// Section `[monitoring]` of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "every member is the agent's option of the same name, described in its example file"
)]
pub struct MonitoringSection {
    pub enabled: bool,
    #[serde(with = "go_nanos")]
    pub interval: Duration,
    pub fs_type_include: Option<Vec<String>>,
    pub fs_path_exclude: Option<Vec<String>>,
    pub fs_path_exclude_recurse: bool,
    pub fs_identify_mountpoints_by_device: bool,
    pub pm_enabled: bool,
    pub pm_kerneltasks_enabled: bool,
    pub pm_max_number_processes: u64,
    pub net_lan: Option<Vec<String>>,
    pub net_wan: Option<Vec<String>>,
    /// The LAN card found for `net_lan`; scales the graphs.
    pub lan_card: Option<CardConfiguration>,
    /// The WAN card found for `net_wan`; scales the graphs.
    pub wan_card: Option<CardConfiguration>,
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CardConfiguration {
    /// Interface name.
    pub name: String,
    /// Speed as configured, in Mbit/s.
    pub max_speed: i64,
}

/// Section `[file-reception]` of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileReceptionSection {
    /// Path patterns that uploads must not touch.
    pub protected: Option<Vec<String>>,
    /// Whether uploads are taken; servers refuse them without asking when not.
    pub enabled: bool,
}

/// Encodings of one interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EncodingConfiguration {
    /// IANA name for script texts.
    pub input_encoding: String,
    /// IANA name for output.
    pub output_encoding: String,
}

#[cfg(test)]
mod tests;
