//! Reads request bodies the way the original server's JSON decoder does.
//!
//! Scripts written against the original rely on four of its habits: only the first JSON value counts, keys match in any
//! case, `null` means "not given", and an unknown key is refused with a text that names it.
//! The texts follow Go's `encoding/json` where a caller can act on them; Go's type names are left out.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, Visitor};
use serde_json::{Map, Value};

/// Why a body was not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// There is no JSON value in the body.
    #[error("EOF")]
    Empty,
    /// The body is not what the endpoint takes; the text says where it fails.
    #[error("{0}")]
    Invalid(String),
}

/// Reads the first JSON value of `body` as a `T`. A body of `null` leaves all fields unset.
pub(crate) fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = match values.next() {
        None => return Err(BodyError::Empty),
        Some(Ok(value)) => value,
        Some(Err(error)) if error.is_eof() => return Err(BodyError::Invalid("unexpected EOF".to_owned())),
        Some(Err(error)) => return Err(BodyError::Invalid(error.to_string())),
    };
    let value = if value.is_null() {
        Value::Object(Map::new())
    } else {
        value
    };
    T::deserialize(Lenient { value, field: "" }).map_err(|error: serde_json::Error| {
        let text = error.to_string();
        BodyError::Invalid(if text.starts_with("json: ") {
            text
        } else {
            format!("json: {text}")
        })
    })
}

/// A JSON value that matches keys like Go does.
struct Lenient {
    value: Value,
    /// The key it stands under, for messages.
    field: &'static str,
}

impl Lenient {
    fn mismatch(&self, expected: &dyn de::Expected) -> serde_json::Error {
        let found = match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = if self.field.is_empty() {
            String::new()
        } else {
            format!(" into field \"{}\"", self.field)
        };
        serde_json::Error::custom(format!(
            "json: cannot unmarshal {found}{place}: expected {expected}"
        ))
    }
}

macro_rules! scalars {
    ($($method:ident $pattern:pat),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.value {
                $pattern => self.value.$method(visitor).map_err(|error| {
                    let place = if self.field.is_empty() { String::new() } else { format!(" in field \"{}\"", self.field) };
                    serde_json::Error::custom(format!("json: cannot unmarshal{place}: {error}"))
                }),
                _ => Err(self.mismatch(&visitor)),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Lenient {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.value.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.value {
            Value::Object(members) => visitor.visit_map(Members::new(members, fields)?),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let field = self.field;
        match self.value {
            Value::Array(items) => {
                let items = items.into_iter().map(|value| Lenient { value, field });
                visitor.visit_seq(de::value::SeqDeserializer::new(items))
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    scalars! {
        deserialize_bool Value::Bool(_),
        deserialize_i8 Value::Number(_), deserialize_i16 Value::Number(_),
        deserialize_i32 Value::Number(_), deserialize_i64 Value::Number(_),
        deserialize_u8 Value::Number(_), deserialize_u16 Value::Number(_),
        deserialize_u32 Value::Number(_), deserialize_u64 Value::Number(_),
        deserialize_f32 Value::Number(_), deserialize_f64 Value::Number(_),
        deserialize_str Value::String(_), deserialize_string Value::String(_),
        deserialize_map Value::Object(_),
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of an object, under the names the struct knows them by.
struct Members {
    known: std::vec::IntoIter<(&'static str, Value)>,
    value: Option<Lenient>,
}

impl Members {
    fn new(members: Map<String, Value>, fields: &'static [&'static str]) -> Result<Self, serde_json::Error> {
        let mut known: Vec<(&'static str, Value)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            let exact = fields.iter().find(|field| **field == key);
            let Some(field) = exact.or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(&key)))
            else {
                let key = Value::String(key);
                return Err(serde_json::Error::custom(format!("json: unknown field {key}")));
            };
            if value.is_null() {
                continue;
            }
            match known.iter_mut().find(|(name, _)| name == field) {
                Some(member) => member.1 = value, // the same key in another case
                None => known.push((field, value)),
            }
        }
        Ok(Self {
            known: known.into_iter(),
            value: None,
        })
    }
}

impl<'de> de::MapAccess<'de> for Members {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let Some((field, value)) = self.known.next() else {
            return Ok(None);
        };
        self.value = Some(Lenient { value, field });
        let key: StrDeserializer<'_, Self::Error> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        let value = self
            .value
            .take()
            .ok_or_else(|| serde_json::Error::custom("value asked for before its key"))?;
        seed.deserialize(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Body {
        username: String,
        count: Option<i64>,
        tags: Vec<String>,
        nested: Option<Nested>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Nested {
        enabled: bool,
    }

    fn check(body: &str, expected: Body) {
        assert_eq!(from_slice::<Body>(body.as_bytes()), Ok(expected), "{body}");
    }

    fn check_error(body: &str, expected: &str) {
        let error = from_slice::<Body>(body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), expected, "{body}");
    }

    #[test]
    fn reads_like_the_original() {
        let user = |name: &str| Body {
            username: name.to_owned(),
            ..Body::default()
        };
        check(r#"{"username":"a"}"#, user("a"));
        check(r#"{"UserName":"a"}"#, user("a"));
        check(r#"{"username":"a"} trailing rubbish"#, user("a"));
        check("null", Body::default());
        check(r#"{"username":null,"tags":null,"count":null}"#, Body::default());
        check(r#"{"username":"a","USERNAME":"b"}"#, user("a"));
        check(
            r#"{"nested":{"Enabled":true}}"#,
            Body {
                nested: Some(Nested { enabled: true }),
                ..Body::default()
            },
        );
        check(
            r#"{"tags":["x"],"count":3}"#,
            Body {
                tags: vec!["x".to_owned()],
                count: Some(3),
                ..Body::default()
            },
        );
    }

    #[test]
    fn refuses_like_the_original() {
        check_error("", "EOF");
        check_error(" \n", "EOF");
        check_error(r#"{"username":"#, "unexpected EOF");
        check_error(r#"{"x":1}"#, r#"json: unknown field "x""#);
        check_error(r#"{"nested":{"y":1}}"#, r#"json: unknown field "y""#);
        check_error(
            r#"{"username":1}"#,
            r#"json: cannot unmarshal number into field "username": expected a string"#,
        );
        check_error(
            r#"{"tags":"x"}"#,
            r#"json: cannot unmarshal string into field "tags": expected a sequence"#,
        );
        check_error("[1]", "json: cannot unmarshal array: expected struct Body");
        let text = from_slice::<Body>(br#"{"count":1.5}"#)
            .expect_err("not an integer")
            .to_string();
        assert!(
            text.starts_with(r#"json: cannot unmarshal in field "count": "#),
            "{text}"
        );
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            from_slice::<Body>(deep.as_bytes()),
            Err(BodyError::Invalid(_))
        ));
    }

    proptest! {
        #[test]
        fn never_panics(body: Vec<u8>) {
            let _ = from_slice::<Body>(&body);
        }

        #[test]
        fn any_case_of_a_key_is_taken(upper in proptest::collection::vec(any::<bool>(), 8)) {
            let key: String = "username".chars().zip(upper)
                .map(|(c, up)| if up { c.to_ascii_uppercase() } else { c }).collect();
            let body = format!(r#"{{"{key}":"x"}}"#);
            prop_assert_eq!(from_slice::<Body>(body.as_bytes()).map(|b| b.username), Ok("x".to_owned()));
        }
    }
}
