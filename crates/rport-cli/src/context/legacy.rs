//! What the old `rportcli` (Go) left behind: its JSON file and its variables.

use std::{fs, path::Path};

use rport_runtime::Secret;
use serde_json::Value;

use super::file::Context;

/// Reads the old file; nothing when it is not there or is something else.
///
/// The old program wrote the server's address and the token of a login, in early versions name and password. An address
/// without a scheme and a trailing slash were taken.
pub(super) fn read(path: &Path) -> Option<Context> {
    context(&fs::read(path).ok()?)
}

fn context(json: &[u8]) -> Option<Context> {
    let values: Value = serde_json::from_slice(json).ok()?;
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| values.get(name)?.as_str());
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Some(Context {
        server: text(&["api_url", "server_url", "server"])?,
        user: text(&["api_user", "login"]),
        session: text(&["token"]).map(Secret::new),
        // The API takes a password wherever it takes an API token.
        api_token: text(&["api_token", "api_password", "password"]).map(Secret::new),
        ..Context::default()
    })
}

/// The first of the names whose variable is set and not empty.
pub(super) fn variable(env: &dyn Fn(&str) -> Option<String>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| env(name).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_is_understood() {
        let session = context(br#"{"server_url":"http://localhost:3000","token":"JWT"}"#).expect("a context");
        assert_eq!(session.server, "http://localhost:3000");
        assert_eq!(session.session, Some(Secret::from("JWT")));
        let password =
            context(br#"{"login":"admin","password":"foobaz","server_url":"http://x"}"#).expect("a context");
        assert_eq!(password.user.as_deref(), Some("admin"));
        assert_eq!(password.api_token, Some(Secret::from("foobaz")));
        for other in ["", "[contexts]", "{}", "{\"server_url\":7}", "[]"] {
            assert!(context(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn the_first_variable_wins() {
        let env = |name: &str| (name != "A").then(|| name.to_lowercase());
        assert_eq!(variable(&env, &["A", "B", "C"]).as_deref(), Some("b"));
        assert_eq!(variable(&|_| Some(String::new()), &["A"]), None);
    }
}
