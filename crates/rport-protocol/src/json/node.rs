//! A JSON tree with Go's reading rules, as a serde deserializer.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer, MapAccess, SeqAccess, Visitor, value},
    forward_to_deserialize_any,
};
use serde_json::Error;

/// One JSON value. Members keep their order and their duplicates, so that Go's rules can be applied when the
/// wanted struct is known.
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

impl Node<'_> {
    /// Leaves out a member of an object.
    pub(super) fn without(self, member: &str) -> Self {
        match self {
            Self::Object(mut members) => {
                members.retain(|(name, _)| !name.eq_ignore_ascii_case(member));
                Self::Object(members)
            }
            other => other,
        }
    }
}

/// An object whose members a struct does not know are kept instead of dropped.
pub(super) struct WithRest<'r, 'de> {
    pub(super) node: Node<'de>,
    pub(super) rest: &'r mut Vec<(Cow<'de, str>, Node<'de>)>,
}

impl<'de> Deserializer<'de> for WithRest<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.node.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.node {
            Node::Object(members) => {
                let known = known_members(members, fields, |name, node| self.rest.push((name, node)));
                visitor.visit_map(value::MapDeserializer::new(known.into_iter()))
            }
            other => other.deserialize_struct(name, fields, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(Node::Object(members))
    }
}

/// A member name, borrowed where the input allows it (`Cow` alone always copies).
///
/// Not derived: a derived newtype cannot be read from the plain texts that a [`Node`] itself hands out as names.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(name.to_owned())))
    }

    fn visit_string<E>(self, name: String) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(name)))
    }
}

impl<'de> IntoDeserializer<'de, Error> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Implements the reading of one builtin: `null` gives its zero value, anything else is left to the visitor.
macro_rules! zero_for_null {
    ($($method:ident => $visit:ident($zero:expr),)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Node::Null => visitor.$visit($zero),
                other => other.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Unsigned(value) => visitor.visit_u64(value),
            Node::Signed(value) => visitor.visit_i64(value),
            Node::Float(value) => visitor.visit_f64(value),
            Node::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Node::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Node::Array(items) => value::SeqDeserializer::new(items.into_iter()).deserialize_any(visitor),
            Node::Object(members) => visitor.visit_map(value::MapDeserializer::new(members.into_iter())),
        }
    }

    zero_for_null! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i64(0),
        deserialize_i16 => visit_i64(0),
        deserialize_i32 => visit_i64(0),
        deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u64(0),
        deserialize_u16 => visit_u64(0),
        deserialize_u32 => visit_u64(0),
        deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f64(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_str => visit_borrowed_str(""),
        deserialize_string => visit_borrowed_str(""),
        deserialize_seq => visit_seq(value::SeqDeserializer::new(std::iter::empty::<Node<'de>>())),
        deserialize_map => visit_map(empty_map()),
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Node::Null => visitor.visit_map(empty_map()),
            Node::Object(members) => {
                let known = known_members(members, fields, |_, _| ());
                visitor.visit_map(value::MapDeserializer::new(known.into_iter()))
            }
            // Derived code would take a list for the members in order.
            Node::Array(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &"an object")),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Node::Text(text) => text.into_deserializer().deserialize_enum(name, variants, visitor),
            _ => Err(de::Error::custom(format_args!("expected one of {variants:?}"))),
        }
    }

    /// What nobody reads is not walked through.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

type Members<'a, K> = Vec<(K, Node<'a>)>;

fn empty_map<'de>() -> value::MapDeserializer<'de, std::vec::IntoIter<(&'static str, Node<'de>)>, Error> {
    value::MapDeserializer::new(Vec::new().into_iter())
}

/// Keeps the members a struct knows, under their exact names, and hands out the others. A later duplicate replaces
/// an earlier one, and `null` counts as absent, so that the struct's default applies.
fn known_members<'a>(
    members: Members<'a, Cow<'a, str>>,
    fields: &'static [&'static str],
    mut unknown: impl FnMut(Cow<'a, str>, Node<'a>),
) -> Members<'a, &'static str> {
    let mut known: Members<'a, &'static str> = Vec::with_capacity(members.len().min(fields.len()));
    // Members usually come in the order of the fields: look at the expected one before searching.
    let mut expected = 0;
    for (name, node) in members {
        let index = if fields.get(expected).is_some_and(|field| *field == name) {
            expected
        } else if let Some(index) = fields
            .iter()
            .position(|field| *field == name)
            .or_else(|| fields.iter().position(|field| field.eq_ignore_ascii_case(&name)))
        {
            index
        } else {
            unknown(name, node);
            continue;
        };
        expected = index + 1;
        let field = fields[index];
        let earlier = known.iter().position(|(other, _)| *other == field);
        match (earlier, node) {
            (_, Node::Null) => {}
            (Some(at), node) => known[at].1 = node,
            (None, node) => known.push((field, node)),
        }
    }
    known
}
