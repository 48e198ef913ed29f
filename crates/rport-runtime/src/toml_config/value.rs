//! Values and the weak typing between them.

use std::{collections::BTreeMap, fmt};

use super::{duration::parse_duration, load::Entry};

/// Longest piece of a value that an error shows.
const SHOWN: usize = 80;

/// A value of the file, of a flag or of the environment.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text. Everything from a command line or the environment is one.
    String(String),
    /// A list of anything.
    List(Vec<Value>),
    /// A TOML date or time; no setting takes one.
    Datetime(String),
    /// A sub-table.
    Table(BTreeMap<String, Entry>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list.into_iter().map(Self::String).collect())
    }
}

/// The value as an error shows it: shortened, quoted, without control characters.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::String(text) if text.chars().nth(SHOWN).is_some() => {
                write!(f, "{:?}…", text.chars().take(SHOWN).collect::<String>())
            }
            Self::String(text) => write!(f, "{text:?}"),
            Self::List(list) => write!(f, "a list of {}", list.len()),
            Self::Datetime(text) => write!(f, "{text}"),
            Self::Table(_) => write!(f, "a section"),
        }
    }
}

impl Value {
    pub(super) fn to_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Integer(value) => Some(*value != 0),
            Self::Float(value) => Some(*value != 0.0),
            Self::String(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
                "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn to_integer(&self) -> Option<i64> {
        match self {
            Self::Boolean(value) => Some(i64::from(*value)),
            Self::Integer(value) => Some(*value),
            Self::Float(value) => truncate(*value),
            Self::String(text) if text.is_empty() => Some(0),
            Self::String(text) => parse_base_zero(text),
            _ => None,
        }
    }

    pub(super) fn to_float(&self) -> Option<f64> {
        match self {
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value).filter(|value| value.is_finite()),
            Self::String(text) if text.is_empty() => Some(0.0),
            Self::String(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
            _ => None,
        }
    }

    pub(super) fn to_text(&self) -> Option<String> {
        match self {
            Self::Boolean(value) => Some(u8::from(*value).to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The list, or what stands in the way: a bad element or text that is not CSV.
    pub(super) fn to_list(&self) -> Option<Vec<String>> {
        match self {
            Self::List(list) => list.iter().map(Self::to_text).collect(),
            Self::String(text) => split_csv(text),
            scalar => Some(vec![scalar.to_text()?]),
        }
    }

    /// Nanoseconds. A bare number is nanoseconds too, which hardly anyone means.
    pub(super) fn to_nanos(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(value) => truncate(*value),
            Self::String(text) => parse_duration(text),
            _ => None,
        }
    }
}

fn truncate(value: f64) -> Option<i64> {
    // The bounds are exact powers of two, so every value between them fits.
    (value >= i64::MIN as f64 && value < -(i64::MIN as f64)).then_some(value as i64)
}

/// Reads an integer in Go's base-0 notation: `12`, `0x1f`, `0b101`, `0o17`, `017` (octal too), `1_000`.
fn parse_base_zero(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['-', '+']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    // A leading underscore is fine after a base prefix only.
    if base == 10 && digits.starts_with('_') {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), base).ok()
}

/// Splits one line of CSV, with surrounding `[ ]` taken off. Blanks are kept. Only the first line counts.
///
/// Source: Go `encoding/csv`, first record; a quote inside a bare field is an error there too.
fn split_csv(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[').unwrap_or(text);
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    let mut rest = inner.trim_start_matches(['\n', '\r']);
    let mut fields = Vec::new();
    if rest.is_empty() {
        return Some(fields);
    }
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => split_bare(rest)?,
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Some(fields),
        }
    }
}

fn split_bare(text: &str) -> Option<(String, &str)> {
    let end = text.find([',', '\n', '\r']).unwrap_or(text.len());
    let (field, rest) = text.split_at(end);
    (!field.contains('"')).then(|| (field.to_owned(), rest))
}

/// Reads on after an opening quote; `""` inside stands for one quote.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let (mut field, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if after.is_empty() || after.starts_with([',', '\n', '\r']) => return Some((field, after)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::from(text)
    }

    #[test]
    fn booleans() {
        for yes in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(text(yes).to_boolean(), Some(true), "{yes}");
        }
        for no in ["", "0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(text(no).to_boolean(), Some(false), "{no}");
        }
        for bad in ["yes", "on", "tRUE", " true", "2"] {
            assert_eq!(text(bad).to_boolean(), None, "{bad}");
        }
        assert_eq!(Value::Integer(1).to_boolean(), Some(true));
        assert_eq!(Value::Float(0.0).to_boolean(), Some(false));
        assert_eq!(Value::List(vec![]).to_boolean(), None);
    }

    #[test]
    fn integers() {
        for (value, expected) in [
            (Value::Integer(-3), Some(-3)),
            (Value::Float(1.9), Some(1)),
            (Value::Float(-1.9), Some(-1)),
            (Value::Float(1e300), None),
            (Value::Float(f64::NAN), None),
            (Value::Boolean(true), Some(1)),
            (text(""), Some(0)),
            (text("12"), Some(12)),
            (text("-12"), Some(-12)),
            (text("+12"), Some(12)),
            (text("0x10"), Some(16)),
            (text("-0X10"), Some(-16)),
            (text("010"), Some(8)),
            (text("0o17"), Some(15)),
            (text("0b11"), Some(3)),
            (text("0"), Some(0)),
            (text("1_000"), Some(1000)),
            (text("0x_1f"), Some(31)),
            (text("1__0"), None),
            (text("_1"), None),
            (text("1_"), None),
            (text("08"), None),
            (text("--1"), None),
            (text("0x-1"), None),
            (text("1.5"), None),
            (text("ten"), None),
            (text("é"), None),
        ] {
            assert_eq!(value.to_integer(), expected, "{value}");
        }
    }

    #[test]
    fn texts_and_floats() {
        assert_eq!(Value::Integer(5).to_text().as_deref(), Some("5"));
        assert_eq!(Value::Float(2.5).to_text().as_deref(), Some("2.5"));
        assert_eq!(Value::Boolean(true).to_text().as_deref(), Some("1"));
        assert_eq!(Value::Boolean(false).to_text().as_deref(), Some("0"));
        assert_eq!(Value::List(vec![]).to_text(), None);
        assert_eq!(text("0.9").to_float(), Some(0.9));
        assert_eq!(Value::Integer(2).to_float(), Some(2.0));
        assert_eq!(text("inf").to_float(), None);
        assert_eq!(text("two").to_float(), None);
    }

    #[test]
    fn lists() {
        let list = |value: &Value| value.to_list();
        let strings = |items: &[&str]| Some(items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            list(&Value::List(vec![text("a"), Value::Integer(2)])),
            strings(&["a", "2"])
        );
        assert_eq!(list(&Value::List(vec![text("a,b")])), strings(&["a,b"]));
        assert_eq!(list(&Value::List(vec![Value::List(vec![])])), None);
        assert_eq!(list(&Value::Integer(22)), strings(&["22"]));
        for (csv, expected) in [
            ("", strings(&[])),
            ("[]", strings(&[])),
            ("a", strings(&["a"])),
            ("a,b", strings(&["a", "b"])),
            ("[a,b]", strings(&["a", "b"])),
            ("1-2, 9", strings(&["1-2", " 9"])),
            ("a,,b,", strings(&["a", "", "b", ""])),
            (r#""a,b",c"#, strings(&["a,b", "c"])),
            (r#""a ""b""",c"#, strings(&[r#"a "b""#, "c"])),
            ("a,b\nc", strings(&["a", "b"])),
            (r#"a"b"#, None),
            (r#""a"#, None),
            (r#""a"b"#, None),
        ] {
            assert_eq!(list(&text(csv)), expected, "{csv}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(text("2s").to_nanos(), Some(2_000_000_000));
        assert_eq!(text("0").to_nanos(), Some(0));
        assert_eq!(Value::Integer(2).to_nanos(), Some(2));
        assert_eq!(Value::Float(2.9).to_nanos(), Some(2));
        assert_eq!(text("2").to_nanos(), None);
        assert_eq!(text("").to_nanos(), None);
        assert_eq!(Value::Boolean(true).to_nanos(), None);
    }

    #[test]
    fn shown_values_are_short_and_on_one_line() {
        assert_eq!(text("a\nb\u{1b}[31m").to_string(), r#""a\nb\u{1b}[31m""#);
        assert_eq!(text(&"x".repeat(500)).to_string().chars().count(), SHOWN + 3);
    }

    proptest! {
        #[test]
        fn any_text_converts_or_is_refused(any in ".*") {
            let value = text(&any);
            let _ = (value.to_boolean(), value.to_integer(), value.to_float(), value.to_nanos());
            let _ = (value.to_list(), value.to_string());
        }

        #[test]
        fn plain_items_survive_csv(items in proptest::collection::vec("[a-z0-9 ./:-]+", 1..5)) {
            prop_assert_eq!(text(&items.join(",")).to_list(), Some(items));
        }
    }
}
