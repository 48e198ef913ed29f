//! What the program can do, one file per verb.

pub mod client_auth;
pub mod config_check;
pub mod config_generate;
pub mod database;
mod prompt;
pub mod service;
pub mod user;
