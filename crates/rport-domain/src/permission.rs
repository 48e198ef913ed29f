//! What user groups may grant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of the eight function permissions, in the order the API lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Open and close tunnels, keep stored tunnels.
    Tunnels,
    /// Run scripts.
    Scripts,
    /// Run commands.
    Commands,
    /// Use the vault.
    Vault,
    /// Keep schedules.
    Scheduler,
    /// Read measurements.
    Monitoring,
    /// Push files to clients.
    Uploads,
    /// Read the audit log.
    Auditlog,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 8] = [
        Self::Tunnels,
        Self::Scripts,
        Self::Commands,
        Self::Vault,
        Self::Scheduler,
        Self::Monitoring,
        Self::Uploads,
        Self::Auditlog,
    ];

    /// Returns the name used in texts and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tunnels => "tunnels",
            Self::Scripts => "scripts",
            Self::Commands => "commands",
            Self::Vault => "vault",
            Self::Scheduler => "scheduler",
            Self::Monitoring => "monitoring",
            Self::Uploads => "uploads",
            Self::Auditlog => "auditlog",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// A word that is no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown permission {0:?}")]
pub struct UnknownPermission(pub String);

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);

    /// Every permission; what users have where groups grant nothing individually.
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Tells whether a permission is part of the set.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Adds a permission.
    pub fn insert(&mut self, permission: Permission) {
        self.0 |= bit(permission);
    }

    /// Returns what either set grants; a user has what any of the groups grants.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the permissions in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |permission| self.contains(*permission))
    }
}

fn bit(permission: Permission) -> u8 {
    1 << permission as u8
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |bits, permission| bits | bit(permission)),
        )
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let mut set = Permissions::NONE;
        set.insert(Permission::Vault);
        let set = set.union([Permission::Tunnels].into_iter().collect());
        assert_eq!(format!("{set:?}"), "{Tunnels, Vault}");
        assert!(set.contains(Permission::Vault) && !set.contains(Permission::Auditlog));
        assert_eq!(Permissions::all().iter().count(), 8);
    }

    #[test]
    fn names_read_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.to_string().parse(), Ok(permission));
            assert_eq!(serde_json::json!(permission), permission.as_str());
        }
        assert!("Tunnels".parse::<Permission>().is_err());
    }
}
