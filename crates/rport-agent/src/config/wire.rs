//! The report of the configuration in `new_connection`.
//!
//! Two things differ from a Go agent's report on purpose. It carries no secrets: servers store it and show it to
//! every user who may see the client. And features this version does not offer yet are reported as switched off,
//! whatever the file says, because servers act on it: a server that read `file_reception.enabled: true` would send
//! uploads that can only be refused, and its users would look for the reason on the wrong side.

use std::collections::BTreeMap;

use rport_protocol::{
    CardConfiguration, ClientConfiguration, ClientSection, CommandOrder, ConnectionSection,
    EncodingConfiguration, FileReceptionSection, GoFile, LogFile, LoggingSection, MonitoringSection,
    RegexpList, RemoteCommandsSection, RemoteScriptsSection,
};
use rport_runtime::telemetry::LogLevel;

use super::{AgentConfig, NetworkCard, Pattern};
use crate::attributes::Attributes;

impl AgentConfig {
    /// Makes the report. Tags and labels are those in force, which the server may have replaced since the start.
    #[must_use]
    pub fn report(&self, attributes: &Attributes) -> ClientConfiguration {
        ClientConfiguration {
            client: self.report_client(attributes),
            connection: self.report_connection(),
            logging: LoggingSection {
                log_file: LogFile {
                    file: self.logging.file.as_ref().map(|_| GoFile {}),
                },
                log_level: match self.logging.level {
                    LogLevel::Error => 0,
                    LogLevel::Info => 1,
                    LogLevel::Debug => 2,
                },
            },
            remote_commands: self.report_commands(),
            remote_scripts: RemoteScriptsSection {
                enabled: self.remote_scripts_enabled,
            },
            monitoring: self.report_monitoring(),
            file_reception: FileReceptionSection {
                enabled: false,
                protected: Some(self.file_reception.protected.clone()),
            },
            interpreter_aliases: Some(
                self.interpreter_aliases
                    .iter()
                    .map(|(alias, shell)| (alias.clone(), shell.path.clone()))
                    .collect(),
            ),
            interpreter_aliases_encodings: Some(self.report_encodings()),
        }
        .without_secrets()
    }

    fn report_client(&self, attributes: &Attributes) -> ClientSection {
        let client = &self.client;
        ClientSection {
            server: client.server.to_string(),
            fallback_servers: Some(client.fallback_servers.iter().map(ToString::to_string).collect()),
            server_switchback_interval: client.server_switchback_interval,
            fingerprint: client.fingerprint_text.clone(),
            id: client.id.clone(),
            use_system_id: client.use_system_id,
            name: client.name.clone(),
            use_hostname: client.use_hostname,
            tags: attributes.tags.clone(),
            labels: attributes.labels.clone(),
            remotes: Some(client.remotes.clone()),
            tunnel_allowed: Some(client.tunnel_allowed_texts.clone()),
            allow_root: client.allow_root,
            updates_interval: client.updates_interval,
            data_dir: client.data_dir.display().to_string(),
            bind_interface: client.bind_interface.clone(),
            ip_api_url: client.ip_api_url.clone(),
            ip_refresh_min: client.ip_refresh_min,
            tunnels: Some(client.tunnels.clone()),
            auth_user: client.credentials.user.clone(),
            ..ClientSection::default()
        }
    }

    fn report_connection(&self) -> ConnectionSection {
        let connection = &self.connection;
        let mut http_headers: BTreeMap<String, Option<Vec<String>>> = connection
            .http_headers
            .iter()
            .map(|(name, value)| {
                (
                    canonical_name(name.as_str()),
                    Some(vec![String::from_utf8_lossy(value.as_bytes()).into_owned()]),
                )
            })
            .collect();
        http_headers.insert("User-Agent".to_owned(), Some(vec![connection.user_agent.clone()]));
        if let Some(host) = &connection.host_override {
            http_headers.insert("Host".to_owned(), Some(vec![host.clone()]));
        }
        ConnectionSection {
            keep_alive: connection.keep_alive.unwrap_or_default(),
            keep_alive_timeout: connection.keep_alive_timeout,
            max_retry_count: connection.max_retry_count,
            max_retry_interval: connection.max_retry_interval,
            headers: Some(connection.headers.clone()),
            hostname: connection.hostname.clone(),
            watchdog_integration: connection.watchdog_integration,
            http_headers: Some(http_headers),
        }
    }

    fn report_commands(&self) -> RemoteCommandsSection {
        let commands = &self.remote_commands;
        let texts = |list: &[Pattern]| Some(list.iter().map(|pattern| pattern.text.clone()).collect());
        RemoteCommandsSection {
            enabled: commands.enabled,
            send_back_limit: i64::try_from(commands.send_back_limit).unwrap_or(i64::MAX),
            allow: texts(&commands.allow),
            deny: texts(&commands.deny),
            order: CommandOrder(commands.order.words()),
            allow_regexp: RegexpList,
            deny_regexp: RegexpList,
        }
    }

    fn report_monitoring(&self) -> MonitoringSection {
        let monitoring = &self.monitoring;
        let words = |card: &Option<NetworkCard>| {
            card.as_ref()
                .map(|card| vec![card.name.clone(), card.max_speed.to_string()])
        };
        let card = |card: &Option<NetworkCard>| {
            card.as_ref().map(|card| CardConfiguration {
                name: card.name.clone(),
                max_speed: card.max_speed,
            })
        };
        MonitoringSection {
            enabled: monitoring.enabled,
            interval: monitoring.interval,
            fs_type_include: Some(monitoring.fs_type_include.clone()),
            fs_path_exclude: Some(monitoring.fs_path_exclude.clone()),
            fs_path_exclude_recurse: monitoring.fs_path_exclude_recurse,
            fs_identify_mountpoints_by_device: monitoring.fs_identify_mountpoints_by_device,
            pm_enabled: monitoring.pm_enabled,
            pm_kerneltasks_enabled: monitoring.pm_kerneltasks_enabled,
            pm_max_number_processes: monitoring.pm_max_number_processes,
            net_lan: words(&monitoring.net_lan),
            net_wan: words(&monitoring.net_wan),
            lan_card: card(&monitoring.net_lan),
            wan_card: card(&monitoring.net_wan),
        }
    }

    fn report_encodings(&self) -> BTreeMap<String, EncodingConfiguration> {
        self.interpreter_aliases
            .iter()
            .filter_map(|(alias, shell)| {
                let encoding = shell.encoding.as_ref()?;
                let encoding = EncodingConfiguration {
                    input_encoding: encoding.input.clone(),
                    output_encoding: encoding.output.clone(),
                };
                Some((alias.clone(), encoding))
            })
            .collect()
    }
}

/// Writes a header name as Go does: each word capitalised.
fn canonical_name(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect::<Vec<_>>()
        .join("-")
}
