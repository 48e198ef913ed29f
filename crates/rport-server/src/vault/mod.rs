//! The vault: values that are kept encrypted, under a key that is only in memory. Source: rest-api.md 16.
//!
//! `service.rs` decides who may do what, `crypto.rs` makes keys and ciphers, `throttle.rs` slows down guessing.

mod crypto;
mod service;
mod throttle;

use std::str::FromStr;

use crate::client_auth::UnknownWord;

pub use service::{Vault, VaultOptions, VaultValue};

/// How the key of a new vault is made from its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VaultKeyDerivation {
    /// As the Go server does: one SHA-256. Such a vault can go back to it.
    #[default]
    Go,
    /// With Argon2id. The Go server cannot open such a vault.
    Argon2id,
}

impl FromStr for VaultKeyDerivation {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "go" => Ok(Self::Go),
            "argon2id" => Ok(Self::Argon2id),
            _ => Err(UnknownWord::new("\"go\" or \"argon2id\"", text)),
        }
    }
}
