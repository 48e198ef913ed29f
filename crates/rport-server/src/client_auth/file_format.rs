//! The text of a credentials file: `{"id": "password", …}`. Source: storage.md 7.2.

use std::collections::BTreeMap;

use rport_domain::{ClientAuthId, StoredPassword};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::ser::{PrettyFormatter, Serializer};

/// The pairs of a file, in the order they are written in: byte by byte, as the Go server sorts.
pub(super) type Pairs = BTreeMap<ClientAuthId, StoredPassword>;

/// Reads a whole file or nothing. Errors name line and column, or the id.
pub(super) fn parse(text: &str) -> Result<Pairs, serde_json::Error> {
    let Checked(pairs) = serde_json::from_str(text)?;
    Ok(pairs)
}

/// Writes the file as the Go server does: sorted, one pair per line behind a tab.
pub(super) fn render(pairs: &Pairs) -> Vec<u8> {
    let pairs: BTreeMap<&str, &str> = pairs
        .iter()
        .map(|(id, password)| (id.as_str(), password.expose()))
        .collect();
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    pairs
        .serialize(&mut serializer)
        .expect("texts always serialise into memory");
    text.push(b'\n');
    text
}

/// The checked content: no id twice, nothing empty.
struct Checked(Pairs);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of ids and passwords")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Pairs::new();
                while let Some(id) = map.next_key::<String>()? {
                    let value = map.next_value();
                    let Text(password) = value
                        .map_err(|error| A::Error::custom(format_args!("the password of {id:?}: {error}")))?;
                    if id.is_empty() {
                        return Err(A::Error::custom("an id is empty"));
                    }
                    if password.is_empty() {
                        return Err(A::Error::custom(format_args!("the password of {id:?} is empty")));
                    }
                    let id = ClientAuthId::from(id);
                    // Two passwords for one id mean that one of two admins is about to be surprised.
                    if pairs.contains_key(&id) {
                        return Err(A::Error::custom(format_args!("the id {id:?} appears twice")));
                    }
                    pairs.insert(id, StoredPassword::new(password));
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}

/// A text whose errors do not repeat the value that stands there: it may be a password without quotes.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Password;
        impl Visitor<'_> for Password {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a password in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Text, E> {
                Err(E::custom("expected a password in quotes"))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Text, E> {
                Err(E::custom("expected a password in quotes"))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Text, E> {
                Err(E::custom("expected a password in quotes"))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Text, E> {
                Err(E::custom("expected a password in quotes"))
            }
        }
        deserializer.deserialize_any(Password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(text: &str, expected: &str) {
        let error = parse(text).expect_err("an error").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn the_documented_file_is_understood_and_written_like_the_go_server_does() {
        let text =
            r#"{ "clientAuth1": "1234", "client2": "ieRi1Noo2", "admin": "123456", "client1": "yienei5Ch" }"#;
        let pairs = parse(text).expect("valid");
        let written = String::from_utf8(render(&pairs)).expect("text");
        let expected = "{\n\t\"admin\": \"123456\",\n\t\"client1\": \"yienei5Ch\",\n\t\"client2\": \"ieRi1Noo2\",\n\t\"clientAuth1\": \"1234\"\n}\n";
        assert_eq!(written, expected);
        assert_eq!(parse("{}").expect("valid").len(), 0);
        assert_eq!(render(&Pairs::new()), b"{}\n");
    }

    #[test]
    fn errors_name_the_place() {
        check_error("{\"a\": \"1\",\n \"b\": 2}", "line 2");
        check_error("{\"a\": \"1\",\n \"a\": \"2\"}", "\"a\" appears twice");
        check_error("{\"a\": \"\"}", "the password of \"a\" is empty");
        check_error("{\"\": \"x\"}", "an id is empty");
        check_error(
            "{\"a\": [\"x\"]}",
            "the password of \"a\": invalid type: sequence",
        );
        check_error("{\"a\": \"1\",\n \"b\": nothing}", "the password of \"b\"");
        check_error("[]", "an object");
        check_error("null", "an object");
        check_error("", "EOF");
    }

    #[test]
    fn errors_do_not_repeat_a_password() {
        let error = parse("{\"a\": 47110815}").expect_err("an error").to_string();
        assert_eq!(
            error,
            "the password of \"a\": expected a password in quotes at line 1 column 14"
        );
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]{}\":,a-z0-9 \\\\u]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(pairs in proptest::collection::btree_map("\\PC{1,20}", "\\PC{1,20}", 0..8)) {
            let pairs: Pairs = pairs.into_iter().map(|(id, text)| (id.into(), StoredPassword::new(text))).collect();
            let text = String::from_utf8(render(&pairs)).expect("text");
            proptest::prop_assert_eq!(parse(&text).expect("valid"), pairs);
        }
    }
}
