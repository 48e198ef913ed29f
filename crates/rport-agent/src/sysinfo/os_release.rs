//! Which distribution this is.

use std::collections::HashMap;

use super::UNKNOWN;
use super::files::SystemFiles;

/// Name, version and family of the operating system's distribution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// Lower-case name, such as `ubuntu`.
    pub(super) platform: String,
    pub(super) version: String,
    pub(super) family: String,
}

impl Release {
    /// Returns the name with each word capitalised, a blank, and the version.
    pub(super) fn full_name(&self) -> String {
        format!("{} {}", title_case(&self.platform), self.version)
    }
}

/// Families in the words of the Go agent's library, which servers show and users filter by.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "debian",
        &[
            "debian",
            "ubuntu",
            "linuxmint",
            "raspbian",
            "kali",
            "pop",
            "devuan",
        ],
    ),
    (
        "rhel",
        &[
            "redhat",
            "rhel",
            "centos",
            "rocky",
            "almalinux",
            "oracle",
            "amazon",
            "scientific",
            "cloudlinux",
        ],
    ),
    ("fedora", &["fedora"]),
    (
        "suse",
        &[
            "suse",
            "sles",
            "sled",
            "opensuse",
            "opensuse-leap",
            "opensuse-tumbleweed",
        ],
    ),
    ("arch", &["arch", "manjaro", "endeavouros", "antergos"]),
    ("alpine", &["alpine"]),
    ("gentoo", &["gentoo"]),
    ("slackware", &["slackware"]),
    ("coreos", &["coreos"]),
    ("solus", &["solus"]),
];

pub(super) fn read(files: &SystemFiles) -> Release {
    let text = files
        .read("etc/os-release")
        .or_else(|| files.read("usr/lib/os-release"));
    let Some(text) = text else {
        let platform = super::uname::kernel().to_owned();
        return Release {
            family: platform.clone(),
            platform,
            version: UNKNOWN.to_owned(),
        };
    };
    let mut release = parse(&text);
    // os-release of Debian knows only the major number; the point release stands in its own file. On testing that
    // file holds a code name, which is no version.
    if release.platform == "debian"
        && let Some(version) = files.read("etc/debian_version")
        && is_version(version.trim())
    {
        version.trim().clone_into(&mut release.version);
    }
    release
}

pub(super) fn parse(os_release: &str) -> Release {
    let values: HashMap<&str, String> = os_release
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(key, value)| (key, unquote(value)))
        .collect();
    let get = |key: &str| {
        values
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let id = get("ID").unwrap_or("linux").to_lowercase();
    // The Go agent derives these three from other files and knows them by other names.
    let platform = match id.as_str() {
        "rhel" => "redhat",
        "amzn" => "amazon",
        "ol" => "oracle",
        other => other,
    };
    let like = get("ID_LIKE").unwrap_or_default().to_lowercase();
    let family = std::iter::once(platform)
        .chain(like.split_whitespace())
        .find_map(family_of)
        .unwrap_or(platform);
    Release {
        family: family.to_owned(),
        platform: platform.to_owned(),
        version: get("VERSION_ID").unwrap_or(UNKNOWN).to_owned(),
    }
}

fn family_of(platform: &str) -> Option<&'static str> {
    FAMILIES
        .iter()
        .find(|(_, members)| members.contains(&platform))
        .map(|(family, _)| *family)
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Strips the shell quoting that os-release(5) allows.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        // A backslash at the very end protects nothing and is dropped.
        match c {
            '\\' => out.extend(chars.next()),
            other => out.push(other),
        }
    }
    out
}

fn title_case(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = start && c.is_lowercase();
            start = !c.is_alphanumeric();
            if upper {
                c.to_uppercase().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}
