//! A JSON file `{"id": "password", …}`.
//!
//! Source: storage.md 7.2 and the founding notes: read at start only, changes have no effect on a running server.
//! Differs from RPort, which opens the file only when the first agent comes and then finds it broken: here a broken
//! file stops the start with the place of the error.

use std::collections::HashMap;
use std::path::Path;

use rport_runtime::Secret;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::Provider;
use crate::error::StartError;

/// Larger files are refused: a hundred thousand agents with long passwords fit in a tenth of it.
const LIMIT: u64 = 64 << 20;

pub(crate) struct File {
    passwords: HashMap<String, Secret>,
    /// Compared for unknown ids, so that they take as long as known ones.
    nobody: Secret,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, StartError> {
        let problem = |text: String| StartError::File { path: path.to_owned(), problem: text };
        let length = std::fs::metadata(path).map_err(|error| problem(error.to_string()))?.len();
        if length > LIMIT {
            return Err(problem(format!("{length} bytes are more than the limit of {LIMIT}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
        Self::parse(&text).map_err(|error| problem(format!(
            "{error}; expected a JSON object of client auth ids and passwords: {{\"id\": \"password\", …}}"
        )))
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let Passwords(passwords) = serde_json::from_str(text)?;
        Ok(Self { passwords, nobody: Secret::new(rport_runtime::rng::alphanumeric(24)) })
    }
}

impl Provider for File {
    fn verify(&self, id: &str, password: &[u8]) -> bool {
        let known = self.passwords.get(id);
        let right = known.unwrap_or(&self.nobody).matches(password);
        known.is_some() & right
    }

    fn source_name(&self) -> &'static str {
        "File"
    }

    fn writable(&self) -> bool {
        true
    }
}

/// The checked content: no id twice, nothing empty.
struct Passwords(HashMap<String, Secret>);

impl<'de> Deserialize<'de> for Passwords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = HashMap<String, Secret>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of ids and passwords")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut passwords = HashMap::new();
                while let Some(id) = map.next_key::<String>()? {
                    let password: Secret = map.next_value()?;
                    if id.is_empty() {
                        return Err(A::Error::custom("an id is empty"));
                    }
                    if password.is_empty() {
                        return Err(A::Error::custom(format!("the password of {id:?} is empty")));
                    }
                    // Two passwords for one id mean that one of two admins is about to be surprised.
                    if passwords.contains_key(&id) {
                        return Err(A::Error::custom(format!("the id {id:?} appears twice")));
                    }
                    passwords.insert(id, password);
                }
                Ok(passwords)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(text: &str, expected: &str) {
        let error = File::parse(text).err().expect("an error").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn known_pairs_pass() {
        let file = File::parse("{\n\t\"clientAuth1\": \"1234\",\n\t\"admin\": \"123456\"\n}").expect("valid");
        assert!(file.verify("clientAuth1", b"1234") && file.verify("admin", b"123456"));
        assert!(!file.verify("admin", b"1234") && !file.verify("nobody", b"1234") && !file.verify("", b""));
    }

    #[test]
    fn errors_name_the_place() {
        check_error("{\"a\": \"1\",\n \"b\": 2}", "line 2");
        check_error("{\"a\": \"1\",\n \"a\": \"2\"}", "\"a\" appears twice");
        check_error("{\"a\": \"\"}", "the password of \"a\" is empty");
        check_error("{\"\": \"x\"}", "an id is empty");
        check_error("[]", "an object");
        check_error("", "EOF");
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]{}\":,a-z0-9 \\\\u]{0,80}") {
            let _ = File::parse(&text);
        }

        #[test]
        fn every_written_map_is_understood(pairs in proptest::collection::hash_map("\\PC{1,20}", "\\PC{1,20}", 0..8)) {
            let text = serde_json::to_string(&pairs).expect("serialises");
            let file = File::parse(&text).expect("valid");
            for (id, password) in &pairs {
                proptest::prop_assert!(file.verify(id, password.as_bytes()));
            }
        }
    }
}
