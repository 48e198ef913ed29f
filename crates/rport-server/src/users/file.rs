//! A JSON file of users. Source: storage.md 7.1.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rport_domain::{User, UserName};
use serde::Deserialize;

use super::password::{NOBODY, is_bcrypt};
use super::{Lookup, UserProvider};
use crate::error::StartError;

/// Larger files are refused.
const LIMIT: u64 = 64 << 20;

type Users = HashMap<UserName, Arc<User>>;

pub(crate) struct File {
    path: PathBuf,
    users: RwLock<Users>,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, StartError> {
        Ok(Self {
            path: path.to_owned(),
            users: RwLock::new(load(path)?),
        })
    }
}

impl UserProvider for File {
    fn find<'a>(&'a self, name: &'a UserName) -> Lookup<'a> {
        let found = self.users.read().get(name).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn stand_in(&self) -> &str {
        NOBODY
    }

    fn reload(&self) -> Result<(), StartError> {
        let users = load(&self.path)?;
        tracing::info!(file = %self.path.display(), users = users.len(), "users read again");
        *self.users.write() = users;
        Ok(())
    }

    fn source_name(&self) -> &'static str {
        "File"
    }
}

fn load(path: &Path) -> Result<Users, StartError> {
    let problem = |text: String| StartError::File {
        path: path.to_owned(),
        problem: text,
    };
    let length = std::fs::metadata(path)
        .map_err(|error| problem(error.to_string()))?
        .len();
    if length > LIMIT {
        return Err(problem(format!(
            "{length} bytes are more than the limit of {LIMIT}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    parse(&text).map_err(problem)
}

/// One entry as written. Unknown members are allowed: the file is also edited by other tools.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    password_expired: Option<bool>,
    #[serde(default)]
    groups: Option<Vec<String>>,
    #[serde(default)]
    two_fa_send_to: Option<String>,
    #[serde(default)]
    totp_secret: Option<String>,
}

/// Reads the whole file or nothing: one bad entry refuses all, so that nobody is locked out by half a file.
fn parse(text: &str) -> Result<Users, String> {
    if text.trim().is_empty() {
        return Ok(Users::new());
    }
    let entries: Option<Vec<Entry>> =
        serde_json::from_str(text).map_err(|error| format!("{error}; expected a JSON array of users"))?;
    let mut users = Users::new();
    for (index, entry) in entries.unwrap_or_default().into_iter().enumerate() {
        let number = index + 1;
        let name = entry.username.unwrap_or_default().trim().to_owned();
        if name.is_empty() {
            return Err(format!("user {number}: 'username' is missing or empty"));
        }
        let hash = entry.password.unwrap_or_default().trim().to_owned();
        if hash.is_empty() {
            return Err(format!("user {number} ({name}): 'password' is missing or empty"));
        }
        if !is_bcrypt(&hash) {
            return Err(format!(
                "user {number} ({name}): 'password' is not a bcrypt hash ($2y$, $2a$ or $2b$); make one with `htpasswd -nbB {name} PASSWORD`"
            ));
        }
        let name = UserName::new(name);
        let user = User {
            name: name.clone(),
            password_hash: hash,
            groups: entry.groups.unwrap_or_default(),
            password_expired: entry.password_expired.unwrap_or_default(),
            two_fa_send_to: entry.two_fa_send_to.unwrap_or_default(),
            totp_secret: entry.totp_secret.unwrap_or_default(),
        };
        if users.insert(name, Arc::new(user)).is_some() {
            return Err(format!("user {number}: this 'username' appears a second time"));
        }
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$ezwCZekHE/qxMb4g9n6rU.XIIdCnHnOo.q2wqqA8LyYf3ihonenmu";

    fn check_error(text: &str, expected: &str) {
        let error = parse(text).expect_err("an error");
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_as_the_go_server_writes_it() {
        let text = format!(
            "[\n {{\n  \"username\": \" admin \",\n  \"password\": \"{HASH}\",\n  \"password_expired\": null,\n  \"groups\": [\"Administrators\"],\n  \"two_fa_send_to\": \"a@example.com\",\n  \"more\": 1\n }}\n]"
        );
        let users = parse(&text).expect("valid");
        let admin = users.get(&UserName::new("admin")).expect("the user");
        assert_eq!(admin.groups, ["Administrators"]);
        assert_eq!(admin.password_hash, HASH);
        assert!(!admin.password_expired);
    }

    #[test]
    fn an_empty_file_has_no_users() {
        for text in ["", " \n", "[]", "null"] {
            assert!(parse(text).expect("valid").is_empty());
        }
    }

    #[test]
    fn errors_name_the_user() {
        check_error("[{}]", "user 1: 'username'");
        check_error("[{\"username\":\"a\"}]", "user 1 (a): 'password' is missing");
        check_error(
            "[{\"username\":\"a\",\"password\":\"plain\"}]",
            "not a bcrypt hash",
        );
        let twice = format!(
            "[{{\"username\":\"a\",\"password\":\"{HASH}\"}},{{\"username\":\"a \",\"password\":\"{HASH}\"}}]"
        );
        check_error(&twice, "user 2: this 'username' appears a second time");
        check_error("[\n{\"username\":1}]", "line 2");
        check_error("{}", "expected a JSON array");
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]{}\":,a-z0-9 $\\\\u]{0,80}") {
            let _ = parse(&text);
        }
    }
}
