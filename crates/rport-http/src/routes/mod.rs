//! One file per resource. A route reads its input, calls one service and wraps the answer.

pub(crate) mod api_tokens;
pub(crate) mod attributes;
pub(crate) mod auditlog;
pub(crate) mod auth;
pub(crate) mod client_commands;
pub(crate) mod client_groups;
pub(crate) mod clients;
pub(crate) mod clients_auth;
pub(crate) mod commands;
pub(crate) mod docs;
pub(crate) mod library;
pub(crate) mod login;
pub(crate) mod me;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod plus;
pub(crate) mod scripts;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod sso;
pub(crate) mod status;
pub(crate) mod stored_tunnels;
pub(crate) mod tunnels;
pub(crate) mod user_groups;
pub(crate) mod users;
pub(crate) mod vault;
