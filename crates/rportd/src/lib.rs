//! The server program `rportd`: configuration file, command line, and the wiring of the parts.
//!
//! Nothing is decided here that a service could decide. Start reading at [`config`] for the file, at [`cli`] for the
//! command line, at `wire.rs` for how the parts are put together.

pub mod cli;
pub mod commands;
pub mod config;
