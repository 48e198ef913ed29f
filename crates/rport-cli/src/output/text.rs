//! Text that others chose, made fit for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Replaces whatever could steer a terminal or break a line apart from ordinary line ends.
///
/// Agents choose the names that lists show. An escape sequence in one of them must not rewrite what the operator sees.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// As [`clean`], on one line.
pub(crate) fn clean_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// As [`clean_line`], with tabs.
pub(crate) fn clean_line_but_tabs(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => c,
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Control characters, and marks that turn the direction of the text after them.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// How many columns a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to a width, with a mark where something is missing.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.width() <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if taken + next + 1 > limit {
            break;
        }
        taken += next;
        kept.push(c);
    }
    if limit > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[2Jb\u{202e}c\r\nd"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\nd"
        );
        assert_eq!(clean_line("a\nb\tc\u{7}"), "a b c\u{fffd}");
    }

    #[test]
    fn cuts_by_columns_not_by_letters() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
    }

    proptest! {
        #[test]
        fn never_wider_than_asked(text in "\\PC*", limit in 0_usize..30) {
            prop_assert!(width(&cut(&text, limit)) <= limit);
        }
    }
}
