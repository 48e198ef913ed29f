//! Certificates of listening ports: from files that are read again when they change, or from an ACME authority.
//!
//! [`Certificates`] is what a TLS port asks for its certificate at every handshake, so a new one is in use at once and
//! no connection is lost. [`Acme`] obtains and renews certificates by itself; its files are those of the Go server's
//! library, so that a data directory moves over with its account and certificates.
//!
//! Everything here uses one cryptographic provider, aws-lc-rs. Start reading at `certificates.rs`.

mod acme;
mod certificates;
mod client;
mod der;
mod error;
mod files;
mod min;

pub use acme::{Acme, AcmeError, AcmeHost, AcmeOptions, LETS_ENCRYPT};
pub use certificates::Certificates;
pub use client::{RootsError, client_config};
pub use error::TlsError;
pub use min::TlsMin;

/// ALPN word of a TLS-ALPN-01 validation (RFC 8737, section 4). A connection that chose it carries nothing: close it.
pub const ACME_ALPN: &[u8] = b"acme-tls/1";

/// The one provider.
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
