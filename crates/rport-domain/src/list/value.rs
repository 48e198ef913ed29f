//! A member of an item, borrowed for comparing.

use std::{cmp::Ordering, collections::BTreeMap};

use chrono::{DateTime, FixedOffset};

/// The value of one member, as the engine compares it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not set. Matches the text `<nil>`, which is how the Go server prints it.
    Null,
    /// A text.
    Text(&'a str),
    /// A number. Matches its plain form and Go's print form, such as `1e+06`.
    Number(i64),
    /// A truth value, matched as `true` or `false`.
    Bool(bool),
    /// A time. Compared by operators only; without one it never matches.
    Time(DateTime<FixedOffset>),
    /// A list: matches if any element does.
    List(&'a [String]),
    /// An object: matches if any member does, as `key: value`.
    Object(&'a BTreeMap<String, String>),
}

impl<'a> Value<'a> {
    /// Makes the value of a list that may be unset.
    pub fn list(list: Option<&'a Vec<String>>) -> Self {
        list.map_or(Self::Null, |list| Self::List(list))
    }

    /// Makes the value of an object that may be unset.
    pub fn object(object: Option<&'a BTreeMap<String, String>>) -> Self {
        object.map_or(Self::Null, Self::Object)
    }

    /// Tells whether any text form of the value satisfies the test.
    pub(super) fn any_text(&self, test: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Null => test("<nil>"),
            Self::Text(text) => test(text),
            Self::Number(number) => {
                test(&number.to_string())
                    || (number.unsigned_abs() >= LARGE_IN_GO && test(&go_print(*number)))
            }
            Self::Bool(value) => test(if *value { "true" } else { "false" }),
            Self::Time(_) => false,
            Self::List(list) => list.iter().any(|text| test(text)),
            Self::Object(object) => object.iter().any(|(key, value)| test(&format!("{key}: {value}"))),
        }
    }

    pub(super) fn time(&self) -> Option<DateTime<FixedOffset>> {
        if let Self::Time(time) = self {
            Some(*time)
        } else {
            None
        }
    }

    /// Orders texts in any case and unset values first. Lists and objects have no order.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => compare_text(a, b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// Compares without regard to case.
fn compare_text(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        // Sorting compares the same texts over and over: copy nothing for the common case.
        return a
            .bytes()
            .map(|byte| byte.to_ascii_lowercase())
            .cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// Equality without regard to case.
pub(super) fn equal_in_any_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

/// From here on Go prints a float with an exponent.
const LARGE_IN_GO: u64 = 1_000_000;

/// Prints an integer as Go prints a float: from a million on with an exponent of at least two digits.
fn go_print(number: i64) -> String {
    if number.unsigned_abs() < LARGE_IN_GO {
        return number.to_string();
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "Go reads the number from JSON into a float, too"
    )]
    let text = format!("{:e}", number as f64);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{digits}e+{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_go() {
        for (number, text) in [
            (2, "2"),
            (999_999, "999999"),
            (1_000_000, "1e+06"),
            (25_000_000_000, "2.5e+10"),
        ] {
            assert_eq!(go_print(number), text);
        }
        assert_eq!(go_print(-1_500_000), "-1.5e+06");
    }

    #[test]
    fn compares_in_any_case() {
        assert_eq!(compare_text("abc", "ABD"), Ordering::Less);
        assert_eq!(compare_text("abc", "AB"), Ordering::Greater);
        assert_eq!(compare_text("É", "é"), Ordering::Equal);
        assert!(equal_in_any_case("Ärger", "äRGER") && !equal_in_any_case("a", "b"));
    }
}
