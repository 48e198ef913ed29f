//! The server program `rportd`: configuration file, command line, and the wiring of the parts.
//!
//! Nothing is decided here that a service could decide. Start reading at [`start`] for the way from a command line to
//! an exit code, at [`config`] for the file, at [`wire`] for how the parts are put together.

pub mod cli;
pub mod commands;
pub mod config;
mod https;
mod options;
pub mod start;
pub mod wire;
