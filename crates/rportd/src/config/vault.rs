//! `[vault]`: ours, the Go server has none.

use rport_runtime::toml_config::Document;
use rport_server::VaultKeyDerivation;

use super::check;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultSection {
    /// How the keys of new vaults are made.
    pub key_derivation: VaultKeyDerivation,
}

impl VaultSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("vault");
        Self {
            // A configuration that was made for the Go server says nothing, and its data directory shall be able to go
            // back.
            key_derivation: check::word(&section, "key_derivation", "go").unwrap_or_default(),
        }
    }
}
