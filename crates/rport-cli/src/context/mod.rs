//! Which server is meant and how to log in there: flags, environment, contexts.

mod command;
mod file;
mod legacy;
mod settings;

pub(crate) use file::Context;
pub(crate) use settings::{Global, Settings, parse_server};
