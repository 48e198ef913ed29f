//! What the program can do, one file per verb.

pub mod config_check;
pub mod config_generate;
pub mod service;
