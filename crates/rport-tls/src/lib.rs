//! Certificates of listening ports.
