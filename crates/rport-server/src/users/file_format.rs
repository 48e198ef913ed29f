//! The text of a user file: an array of objects. Source: storage.md 7.1.

use std::collections::HashMap;
use std::sync::Arc;

use rport_domain::{Error, User, UserChange, UserName};
use serde::{Deserialize, Serialize};
use serde_json::ser::{PrettyFormatter, Serializer};

use super::password::is_bcrypt;
use super::provider::{already_exists, not_found};
use crate::kept_file::Content;

/// The users of a file, in its order.
#[derive(Clone, Default)]
pub(super) struct UserList {
    users: Vec<Arc<User>>,
    places: HashMap<UserName, usize>,
}

impl UserList {
    pub(super) fn get(&self, name: &UserName) -> Option<&Arc<User>> {
        self.places.get(name).map(|place| &self.users[*place])
    }

    pub(super) fn all(&self) -> &[Arc<User>] {
        &self.users
    }

    pub(super) fn add(&mut self, user: User) -> Result<(), Error> {
        if self.places.contains_key(&user.name) {
            return Err(already_exists());
        }
        self.places.insert(user.name.clone(), self.users.len());
        self.users.push(Arc::new(user));
        Ok(())
    }

    pub(super) fn change(&mut self, name: &UserName, change: UserChange) -> Result<(), Error> {
        let place = *self.places.get(name).ok_or_else(|| not_found(name))?;
        if let Some(new) = change.name.as_ref().filter(|new| *new != name) {
            if self.places.contains_key(new) {
                return Err(already_exists());
            }
            self.places.remove(name);
            self.places.insert(new.clone(), place);
        }
        self.users[place] = Arc::new(change.applied_to(&self.users[place]));
        Ok(())
    }

    pub(super) fn delete(&mut self, name: &UserName) -> Result<(), Error> {
        let place = self.places.remove(name).ok_or_else(|| not_found(name))?;
        self.users.remove(place);
        for other in self.places.values_mut().filter(|other| **other > place) {
            *other -= 1;
        }
        Ok(())
    }
}

/// One entry as written. Unknown members are allowed: the file is also edited by other tools. They are lost at the
/// first change, as with the Go server.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    password_expired: Option<bool>,
    groups: Option<Vec<String>>,
    two_fa_send_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp_secret: Option<String>,
}

impl Content for UserList {
    const WHAT: &'static str = "user file";
    const SETTING: &'static str = "'auth_file' in [api]";

    /// One bad entry refuses all, so that nobody is locked out by half a file.
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let entries: Option<Vec<Entry>> = serde_json::from_str(text).map_err(|error| problem(&error))?;
        let mut list = Self::default();
        for (index, entry) in entries.unwrap_or_default().into_iter().enumerate() {
            let number = index + 1;
            let user = entry.into_user(number)?;
            list.add(user)
                .map_err(|_| format!("user {number}: this 'username' appears a second time"))?;
        }
        Ok(list)
    }

    /// One blank of indentation, as the Go server writes it.
    fn render(&self) -> Vec<u8> {
        let entries: Vec<Entry> = self.users.iter().map(|user| Entry::of(user)).collect();
        let mut text = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
        entries
            .serialize(&mut serializer)
            .expect("texts always serialise into memory");
        text.push(b'\n');
        text
    }
}

/// What serde says, without the value that stands at the place: it may be a password without quotes.
fn problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof => "it is no JSON",
        _ => "a value has the wrong type",
    };
    format!("{what} (line {line} column {column}); expected a JSON array of users")
}

impl Entry {
    fn into_user(self, number: usize) -> Result<User, String> {
        let name = self.username.unwrap_or_default().trim().to_owned();
        if name.is_empty() {
            return Err(format!("user {number}: 'username' is missing or empty"));
        }
        let hash = self.password.unwrap_or_default().trim().to_owned();
        if hash.is_empty() {
            return Err(format!("user {number} ({name}): 'password' is missing or empty"));
        }
        if !is_bcrypt(&hash) {
            return Err(format!(
                "user {number} ({name}): 'password' is not a bcrypt hash ($2y$, $2a$ or $2b$); make one with `htpasswd -nbB {name} PASSWORD`"
            ));
        }
        Ok(User {
            name: UserName::new(name),
            password_hash: hash,
            groups: self.groups.unwrap_or_default(),
            password_expired: self.password_expired.unwrap_or_default(),
            two_fa_send_to: self.two_fa_send_to.unwrap_or_default(),
            totp_secret: self.totp_secret.unwrap_or_default().trim().to_owned(),
        })
    }

    fn of(user: &User) -> Self {
        // The three prefixes mean the same algorithm, and the Go server refuses the whole file for any but this one.
        let hash = user.password_hash.get(4..).map(|rest| format!("$2y${rest}"));
        Self {
            username: Some(user.name.to_string()),
            password: hash,
            password_expired: Some(user.password_expired),
            groups: Some(user.groups.clone()),
            two_fa_send_to: Some(user.two_fa_send_to.clone()),
            totp_secret: Some(user.totp_secret.clone()).filter(|secret| !secret.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$ezwCZekHE/qxMb4g9n6rU.XIIdCnHnOo.q2wqqA8LyYf3ihonenmu";

    fn parse(text: &str) -> Result<UserList, String> {
        UserList::parse(text)
    }

    fn check_error(text: &str, expected: &str) {
        let error = parse(text).err().expect("an error");
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_as_the_go_server_writes_it() {
        let text = format!(
            "[\n {{\n  \"username\": \" admin \",\n  \"password\": \"{HASH}\",\n  \"password_expired\": null,\n  \"groups\": [\"Administrators\"],\n  \"two_fa_send_to\": \"a@example.com\",\n  \"totp_secret\": \" \",\n  \"more\": 1\n }}\n]"
        );
        let users = parse(&text).expect("valid");
        let admin = users.get(&UserName::new("admin")).expect("the user");
        assert_eq!(admin.groups, ["Administrators"]);
        assert_eq!(admin.password_hash, HASH);
        assert!(!admin.password_expired && admin.totp_secret.is_empty());
        let written = String::from_utf8(users.render()).expect("text");
        let expected = format!(
            "[\n {{\n  \"username\": \"admin\",\n  \"password\": \"{HASH}\",\n  \"password_expired\": false,\n  \"groups\": [\n   \"Administrators\"\n  ],\n  \"two_fa_send_to\": \"a@example.com\"\n }}\n]\n"
        );
        assert_eq!(written, expected);
    }

    #[test]
    fn every_hash_is_written_with_the_prefix_the_go_server_takes() {
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            let text = format!("[{{\"username\":\"a\",\"password\":\"{prefix}{}\"}}]", &HASH[4..]);
            let written = String::from_utf8(parse(&text).expect("valid").render()).expect("text");
            assert!(written.contains(HASH), "{written}");
        }
    }

    #[test]
    fn an_empty_file_has_no_users() {
        for text in ["", " \n", "[]", "null"] {
            assert!(parse(text).expect("valid").all().is_empty());
        }
    }

    #[test]
    fn errors_name_the_user_and_never_what_may_be_a_password() {
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
        let error = parse("[{\"username\":\"a\",\"password\":4711}]")
            .err()
            .expect("an error");
        assert!(!error.contains("4711"), "{error}");
    }

    #[test]
    fn lookups_stay_right_through_changes() {
        let mut list = UserList::default();
        let user = |name: &str| User {
            name: name.into(),
            password_hash: HASH.to_owned(),
            groups: Vec::new(),
            password_expired: false,
            two_fa_send_to: String::new(),
            totp_secret: String::new(),
        };
        for name in ["a", "b", "c"] {
            list.add(user(name)).expect("new");
        }
        assert!(list.add(user("b")).is_err());
        let rename = |name: &str| UserChange {
            name: Some(name.into()),
            ..UserChange::default()
        };
        assert!(list.change(&"a".into(), rename("b")).is_err());
        list.change(&"c".into(), rename("c")).expect("the same name");
        list.change(&"a".into(), rename("d")).expect("free");
        list.delete(&"b".into()).expect("there");
        assert!(list.delete(&"b".into()).is_err() && list.get(&"a".into()).is_none());
        for name in ["c", "d"] {
            assert_eq!(list.get(&name.into()).expect("there").name.as_str(), name);
        }
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]{}\":,a-z0-9 $\\\\u]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(
            names in proptest::collection::btree_set("[^\\s\\x00]{1,20}", 0..6),
            group in "\\PC{0,20}",
            expired: bool,
        ) {
            let mut list = UserList::default();
            for name in &names {
                let user = User {
                    name: UserName::new(name.as_str()),
                    password_hash: HASH.to_owned(),
                    groups: vec![group.clone()],
                    password_expired: expired,
                    two_fa_send_to: group.clone(),
                    totp_secret: String::new(),
                };
                list.add(user).expect("new");
            }
            let text = String::from_utf8(list.render()).expect("text");
            let again = parse(&text).expect("valid");
            proptest::prop_assert_eq!(again.all(), list.all());
        }
    }
}
