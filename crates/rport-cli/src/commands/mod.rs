//! One file per noun.

pub(crate) mod api;
pub(crate) mod audit;
pub(crate) mod client_auth;
pub(crate) mod client_groups;
pub(crate) mod clients;
pub(crate) mod completion;
pub(crate) mod context;
pub(crate) mod forward;
pub(crate) mod jobs;
pub(crate) mod library;
pub(crate) mod login;
pub(crate) mod logout;
mod order;
pub(crate) mod rdp;
pub(crate) mod run;
pub(crate) mod schedules;
pub(crate) mod scp;
pub(crate) mod sessions;
pub(crate) mod ssh;
pub(crate) mod status;
pub(crate) mod stored_tunnels;
pub(crate) mod tokens;
pub(crate) mod totp;
pub(crate) mod tunnels;
pub(crate) mod user_groups;
pub(crate) mod users;
pub(crate) mod vault;
pub(crate) mod whoami;

use serde_json::Value;

/// A member that is a text; empty when it is something else.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list; none when it is something else.
fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Splits `KEY=VALUE`.
fn pair(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{word}' is not KEY=VALUE")),
    }
}
