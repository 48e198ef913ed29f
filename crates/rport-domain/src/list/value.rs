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

/// Compares as people count: without regard to case, and digits as the number they make, so that `web-2` comes before
/// `web-10`. What is the same that way (`1` and `01`) is told apart letter by letter.
///
/// Differs from RPort, which compares letters only.
fn compare_text(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        // Sorting compares the same texts over and over: copy nothing for the common case.
        return compare_counting(a.as_bytes(), b.as_bytes());
    }
    compare_counting(a.to_lowercase().as_bytes(), b.to_lowercase().as_bytes())
}

fn compare_counting(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.first(), right.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number, rest) = split_number(left);
            let (other, other_rest) = split_number(right);
            (left, right) = (rest, other_rest);
            number.len().cmp(&other.len()).then_with(|| number.cmp(other))
        } else {
            let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
            (left, right) = (&left[1..], &right[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    let plain = |text: &[u8]| text.to_ascii_lowercase();
    left.len().cmp(&right.len()).then_with(|| plain(a).cmp(&plain(b)))
}

/// The digits at the beginning without leading zeros, and what follows them.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    (&digits[zeros..], rest)
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
    use proptest::prelude::*;

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

    #[test]
    fn counts_as_people_do() {
        let mut names = [
            "web-10",
            "Web-2",
            "web-1",
            "web-02",
            "web",
            "web-1a",
            "ärger-9",
            "ärger-10",
        ];
        names.sort_by(|a, b| compare_text(a, b));
        assert_eq!(
            names,
            [
                "web",
                "web-1",
                "web-1a",
                "web-02",
                "Web-2",
                "web-10",
                "ärger-9",
                "ärger-10"
            ]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_one(a in "[a0-9B]{0,6}", b in "[a0-9B]{0,6}", c in "[a0-9B]{0,6}") {
            prop_assert_eq!(compare_text(&a, &b), compare_text(&b, &a).reverse());
            prop_assert_eq!(compare_text(&a, &b).is_eq(), a.eq_ignore_ascii_case(&b));
            if compare_text(&a, &b).is_le() && compare_text(&b, &c).is_le() {
                prop_assert!(compare_text(&a, &c).is_le());
            }
        }
    }
}
