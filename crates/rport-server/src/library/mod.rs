//! Commands and scripts that are kept for later. Shared by all users who may run such things; nobody owns an entry.

mod service;

pub use service::Library;
