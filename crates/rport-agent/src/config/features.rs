//! Sections of features that act on the machine: commands, scripts, monitoring, file reception.

use std::time::Duration;

use regex::Regex;

use super::Invalid;
use super::glob;
use super::go_regex;
use super::sections::{FileReceptionSection, MonitoringSection, RemoteCommandsSection, RemoteScriptsSection};

/// Which of the two lists of patterns decides first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOrder {
    /// A command must match an allow pattern and no deny pattern.
    AllowDeny,
    /// A command must match an allow pattern, or no deny pattern.
    DenyAllow,
}

impl FilterOrder {
    /// Returns the two words of the configuration file.
    #[must_use]
    pub fn words(self) -> [String; 2] {
        match self {
            Self::AllowDeny => ["allow".to_owned(), "deny".to_owned()],
            Self::DenyAllow => ["deny".to_owned(), "allow".to_owned()],
        }
    }
}

/// A regular expression as configured and compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As configured, in Go's syntax.
    pub text: String,
    /// What it means.
    pub regex: Regex,
}

/// Settings of remote commands.
#[derive(Debug, Clone)]
pub struct RemoteCommandsOptions {
    /// Whether the server may run commands.
    pub enabled: bool,
    /// Most bytes of each output stream to send back.
    pub send_back_limit: u64,
    /// Patterns of allowed commands.
    pub allow: Vec<Pattern>,
    /// Patterns of denied commands.
    pub deny: Vec<Pattern>,
    /// Which list decides first.
    pub order: FilterOrder,
}

/// A network card whose load is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkCard {
    /// Name of the interface.
    pub name: String,
    /// Its speed in Mbit/s.
    pub max_speed: i64,
}

/// Settings of monitoring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitoringOptions {
    /// Whether to measure at all.
    pub enabled: bool,
    /// How often; at least a minute.
    pub interval: Duration,
    /// Types of file systems to measure.
    pub fs_type_include: Vec<String>,
    /// Mount points to leave out.
    pub fs_path_exclude: Vec<String>,
    /// Whether to leave out what is mounted below them too.
    pub fs_path_exclude_recurse: bool,
    /// Whether to measure each device once.
    pub fs_identify_mountpoints_by_device: bool,
    /// Whether to list processes.
    pub pm_enabled: bool,
    /// Whether kernel tasks are among them.
    pub pm_kerneltasks_enabled: bool,
    /// Most processes to list.
    pub pm_max_number_processes: u64,
    /// Card of the local network.
    pub net_lan: Option<NetworkCard>,
    /// Card of the outer network.
    pub net_wan: Option<NetworkCard>,
}

/// Settings of file reception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReceptionOptions {
    /// Whether the server may send files.
    pub enabled: bool,
    /// Patterns of places where nothing is written.
    pub protected: Vec<String>,
}

/// Shortest interval of measurements; shorter ones are raised to it, as they always were.
const MIN_MONITORING_INTERVAL: Duration = Duration::from_secs(60);

pub(super) fn remote_commands(section: &RemoteCommandsSection) -> Result<RemoteCommandsOptions, Invalid> {
    let fail = |key: &str, what: String| {
        Invalid::new(
            format!("remote-commands.{key}"),
            format!("remote commands: {what}"),
        )
    };
    let send_back_limit = u64::try_from(section.send_back_limit).map_err(|_| {
        fail(
            "send_back_limit",
            format!("send back limit can not be negative: {}", section.send_back_limit),
        )
    })?;
    let allow = patterns(&section.allow).map_err(|error| fail("allow", format!("allow regexp: {error}")))?;
    let deny = patterns(&section.deny).map_err(|error| fail("deny", format!("deny regexp: {error}")))?;
    let order = match section.order.each_ref().map(String::as_str) {
        ["allow", "deny"] => FilterOrder::AllowDeny,
        ["deny", "allow"] => FilterOrder::DenyAllow,
        other => {
            let text = "allowed are ['allow','deny'] and ['deny','allow']";
            return Err(fail(
                "order",
                format!("invalid order: [{}]: {text}", other.join(" ")),
            ));
        }
    };
    Ok(RemoteCommandsOptions {
        enabled: section.enabled,
        send_back_limit,
        allow,
        deny,
        order,
    })
}

fn patterns(list: &[String]) -> Result<Vec<Pattern>, String> {
    list.iter()
        .map(|text| match go_regex::compile(text) {
            Ok(regex) => Ok(Pattern {
                text: text.clone(),
                regex,
            }),
            Err(reason) => Err(format!("invalid regular expression \"{text}\": {reason}")),
        })
        .collect()
}

pub(super) fn remote_scripts(
    section: &RemoteScriptsSection,
    commands: &RemoteCommandsOptions,
) -> Result<bool, Invalid> {
    if section.enabled && !commands.enabled {
        return Err(Invalid::new(
            "remote-scripts.enabled",
            "remote scripts execution requires remote commands to be enabled",
        ));
    }
    Ok(section.enabled)
}

pub(super) fn monitoring(section: &MonitoringSection) -> Result<MonitoringOptions, Invalid> {
    let net_lan = card("net_lan", &section.net_lan)?;
    let net_wan = card("net_wan", &section.net_wan)?;
    Ok(MonitoringOptions {
        enabled: section.enabled,
        interval: section.interval.max(MIN_MONITORING_INTERVAL),
        fs_type_include: section.fs_type_include.clone(),
        fs_path_exclude: section.fs_path_exclude.clone(),
        fs_path_exclude_recurse: section.fs_path_exclude_recurse,
        fs_identify_mountpoints_by_device: section.fs_identify_mountpoints_by_device,
        pm_enabled: section.pm_enabled,
        pm_kerneltasks_enabled: section.pm_kerneltasks_enabled,
        pm_max_number_processes: u64::try_from(section.pm_max_number_processes).unwrap_or_default(),
        net_lan,
        net_wan,
    })
}

/// Reads `['eth0', '1000']`; an empty list means no card.
fn card(key: &str, words: &[String]) -> Result<Option<NetworkCard>, Invalid> {
    let fail = |what: String| {
        Err(Invalid::new(
            format!("monitoring.{key}"),
            format!("network card {what}: must be ['name', 'speed in Mbit/s']"),
        ))
    };
    let [name, speed] = match words {
        [] => return Ok(None),
        [name, speed] => [name, speed],
        _ => return fail("description illegal".to_owned()),
    };
    if name.is_empty() {
        return fail("device name missing".to_owned());
    }
    if speed.is_empty() {
        return fail("max speed missing".to_owned());
    }
    let Ok(max_speed) = speed.parse::<i64>() else {
        return fail(format!("max speed illegal: {speed}"));
    };
    if max_speed < 1 {
        return fail(format!("max speed low: {max_speed}"));
    }
    Ok(Some(NetworkCard {
        name: name.clone(),
        max_speed,
    }))
}

pub(super) fn file_reception(section: &FileReceptionSection) -> Result<FileReceptionOptions, Invalid> {
    match section.protected.iter().find(|pattern| !glob::is_sound(pattern)) {
        Some(pattern) => Err(Invalid::new(
            "file-reception.protected",
            format!("invalid glob pattern {pattern}: syntax error in pattern"),
        )),
        None => Ok(FileReceptionOptions {
            enabled: section.enabled,
            protected: section.protected.clone(),
        }),
    }
}
