//! Patterns in which `*` stands for any text, compared without regard to case.

/// Stands for one character of any kind. No byte of UTF-8 has this value.
const ANY: u8 = 0xFF;

/// Characters that mean something in an expression and are not understood here.
const EXPRESSION: &[char] = &['\\', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$'];

/// A prepared pattern. A pattern without `*` matches equal texts.
///
/// Matching compares bytes in place: the usual text, which is ASCII, is neither copied nor folded beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars, in lower case. One part: no star.
    parts: Vec<Vec<u8>>,
    ascii: bool,
}

impl Glob {
    /// Prepares a pattern in which nothing but `*` is special.
    pub fn new(pattern: &str) -> Self {
        let folded = pattern.to_lowercase();
        Self {
            parts: folded.split('*').map(|part| part.as_bytes().to_vec()).collect(),
            ascii: pattern.is_ascii(),
        }
    }

    /// Prepares a pattern whose other expression characters keep their meaning, as far as that is simple: the dot
    /// stands for any one character. `None` if it takes an expression engine.
    pub(crate) fn of_expression(pattern: &str) -> Option<Self> {
        if !pattern.is_ascii() || pattern.contains(EXPRESSION) {
            return None;
        }
        let mut glob = Self::new(pattern);
        for byte in glob.parts.iter_mut().flatten().filter(|byte| **byte == b'.') {
            *byte = ANY;
        }
        Some(glob)
    }

    /// Tells whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        if text.is_ascii() {
            return self.matches_bytes(text.as_bytes());
        }
        self.matches_bytes(text.to_lowercase().as_bytes())
    }

    /// The same for a pattern made by [`Glob::of_expression`]; `None` if the text takes an expression engine.
    pub(crate) fn matches_simple(&self, text: &str) -> Option<bool> {
        // In an expression a dot stands for a whole character, and never for the end of a line.
        let simple = text.is_ascii() && !text.as_bytes().contains(&b'\n');
        (simple && self.ascii).then(|| self.matches_bytes(text.as_bytes()))
    }

    fn matches_bytes(&self, text: &[u8]) -> bool {
        let (first, last, middle) = match self.parts.as_slice() {
            [] => return text.is_empty(),
            [only] => return only.len() == text.len() && starts_with(text, only),
            [first, middle @ .., last] => (first, last, middle),
        };
        if text.len() < first.len() + last.len()
            || !starts_with(text, first)
            || !starts_with(&text[text.len() - last.len()..], last)
        {
            return false;
        }
        let mut rest = &text[first.len()..text.len() - last.len()];
        for part in middle {
            let Some(at) = find(rest, part) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

fn same(byte: u8, wanted: u8) -> bool {
    wanted == ANY || byte.to_ascii_lowercase() == wanted
}

/// Whether `text` begins with `part`; both are long enough or it does not.
fn starts_with(text: &[u8], part: &[u8]) -> bool {
    text.len() >= part.len() && text.iter().zip(part).all(|(byte, wanted)| same(*byte, *wanted))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let Some(first) = part.first() else { return Some(0) };
    let last = text.len().checked_sub(part.len())?;
    // Nearly every place is ruled out by its first byte.
    text[..=last]
        .iter()
        .enumerate()
        .filter(|(_, byte)| same(**byte, *first))
        .map(|(at, _)| at)
        .find(|at| starts_with(&text[*at..], part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::RegexBuilder;

    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
    }

    #[test]
    fn stars_stand_for_any_text() {
        check("abc", "ABC", true);
        check("abc", "abcd", false);
        check("", "", true);
        check("*", "", true);
        check("a*", "Abc", true);
        check("*c", "abC", true);
        check("a*a", "a", false);
        check("a*b*c", "a-b-b-c", true);
        check("*ab*ab*", "ab", false);
        check("1.2.*", "1x2.3", false);
        check("ä*", "Äther", true);
    }

    proptest! {
        #[test]
        fn literal_patterns_match_like_expressions(pattern in "[ab*.]{0,8}", text in "[abAB.c]{0,10}") {
            let escaped = regex::escape(&pattern).replace(r"\*", ".*");
            let expected = RegexBuilder::new(&format!("^(?:{escaped})$")).case_insensitive(true).build().expect("simple");
            prop_assert_eq!(Glob::new(&pattern).matches(&text), expected.is_match(&text));
        }

        #[test]
        fn expressions_match_like_the_engine(pattern in "[ab*.-]{0,8}", text in "[abAB.c-]{0,10}") {
            let live = pattern.replace('*', ".*");
            let expected = RegexBuilder::new(&format!("^(?:{live})$")).case_insensitive(true).build().expect("simple");
            let glob = Glob::of_expression(&pattern).expect("simple");
            prop_assert_eq!(glob.matches_simple(&text), Some(expected.is_match(&text)));
        }

        #[test]
        fn never_panics(pattern in ".{0,20}", text in ".{0,20}") {
            let _ = Glob::new(&pattern).matches(&text);
            let _ = Glob::of_expression(&pattern).map(|glob| glob.matches_simple(&text));
        }
    }
}
