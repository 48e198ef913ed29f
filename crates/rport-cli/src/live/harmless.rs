//! Output of other machines, made fit for this one's terminal.

use crate::output::clean_line_but_tabs;

/// Takes escape sequences out of a line and replaces whatever else could steer the terminal. Programs colour their
/// output, so whole sequences vanish rather than leave their remains.
pub(crate) fn harmless(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match sequence(rest) {
            Some(length) => rest = &rest[length..],
            None => plain.push(char::REPLACEMENT_CHARACTER),
        }
    }
    plain.push_str(rest);
    clean_line_but_tabs(&plain)
}

/// The length of an escape sequence after its first character; `None` if it has no end here.
fn sequence(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let inside = first.len_utf8();
    match first {
        // Control sequences end with a letter or one of a few signs; only digits and punctuation stand before it.
        '[' => {
            let end = text[inside..].find(|c: char| !matches!(c, ' '..='?'))?;
            let last = text[inside + end..].chars().next()?;
            matches!(last, '@'..='~').then_some(inside + end + 1)
        }
        // Titles, links and the like end with a bell or the string terminator.
        ']' | 'P' | 'X' | '^' | '_' => {
            let body = &text[inside..];
            let bell = body.find('\u{7}').map(|at| at + 1);
            let terminator = body.find("\u{1b}\\").map(|at| at + 2);
            let end = [bell, terminator].into_iter().flatten().min()?;
            Some(inside + end)
        }
        ' '..='/' => {
            let end = text.find(|c: char| !matches!(c, ' '..='/'))?;
            let last = text[end..].chars().next()?;
            matches!(last, '0'..='~').then_some(end + 1)
        }
        '0'..='~' => Some(inside),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_vanish_and_broken_ones_do_nothing() {
        for (line, plain) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c", "abc"),
            ("\u{1b}(B\u{1b}=x\u{1b}c", "x"),
            ("half \u{1b}[2", "half \u{fffd}[2"),
            ("\u{1b}]0;no end", "\u{fffd}]0;no end"),
            ("\u{1b}\u{1b}[2J", "\u{fffd}"),
            ("tab\tbell\u{7} \u{9b}2J", "tab\tbell\u{fffd} \u{fffd}2J"),
            ("\u{202e}txt", "\u{fffd}txt"),
        ] {
            assert_eq!(harmless(line), plain, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(line in "([\u{1b}\u{9b}\u{7}\\[\\]a-z0-9;\\\\ä]|\\PC){0,60}") {
            let plain = harmless(&line);
            prop_assert!(!plain.chars().any(|c| c.is_control() && c != '\t'), "{plain:?}");
        }
    }
}
