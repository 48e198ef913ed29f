//! Regular expressions as Go understands them.
//!
//! The files people have were written for Go's RE2 syntax. The library here is close to it, but not equal, and the
//! differences matter where a pattern decides what may run: `\<` is a literal in Go and a word boundary here, `\d`
//! knows other scripts' digits here, `[a&&b]` is an intersection here, and `{x}` is an error. So patterns are
//! rewritten first. Source: Go `regexp/syntax`, as its documentation describes it.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// Compiles a pattern written for Go.
///
/// # Errors
/// One line that says why it is none.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(&translate(pattern)).map_err(|error| {
        // The library draws the pattern over several lines; the reason is the last of them.
        let text = error.to_string();
        text.lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned()
    })
}

/// Rewrites a pattern. What is wrong in Go stays wrong: it is passed on for the library to refuse.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out),
            '[' => class(&mut chars, &mut out),
            '{' if !is_repetition(chars.clone()) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// Rewrites what follows a backslash outside of brackets.
fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    match chars.next() {
        None => out.push('\\'),
        Some('Q') => quoted(chars, out),
        Some('C') => out.push_str("(?s:.)"),
        Some('b') => out.push_str("(?-u:\\b)"),
        Some(c) => match perl_class(c) {
            Some((set, negated)) => {
                let sign = if negated { "^" } else { "" };
                let _ = write!(out, "[{sign}{set}]");
            }
            None => single(c, chars, out),
        },
    }
}

/// Everything up to `\E`, or to the end, stands for itself.
fn quoted(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek() == Some(&'E') {
            chars.next();
            return;
        }
        literal(c, out);
    }
}

/// Go's classes know ASCII only.
fn perl_class(letter: char) -> Option<(&'static str, bool)> {
    Some(match letter {
        'd' => ("0-9", false),
        'D' => ("0-9", true),
        'w' => ("0-9A-Za-z_", false),
        'W' => ("0-9A-Za-z_", true),
        's' => ("\\t\\n\\f\\r ", false),
        'S' => ("\\t\\n\\f\\r ", true),
        _ => return None,
    })
}

/// Rewrites an escape that stands for one character, its backslash taken already.
fn single(c: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    match c {
        // A lone digit other than 0 would be a back-reference, which neither language has.
        '1'..='7' if !matches!(chars.peek(), Some('0'..='7')) => {
            let _ = write!(out, "\\{c}");
        }
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                if let Some(digit) = chars.peek().and_then(|next| next.to_digit(8)) {
                    code = code * 8 + digit;
                    chars.next();
                }
            }
            let _ = write!(out, "\\x{{{code:x}}}");
        }
        c if c.is_ascii_alphanumeric() => {
            let _ = write!(out, "\\{c}");
        }
        c => literal(c, out),
    }
}

fn literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation() && c != '<' && c != '>' {
        out.push('\\');
    }
    out.push(c);
}

/// Rewrites a bracket expression item by item, its opening bracket taken already.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        match chars.next() {
            None => return,
            Some(']') if !first => {
                out.push(']');
                return;
            }
            Some('[') if chars.peek() == Some(&':') && posix_name(chars.clone()).is_some() => {
                let name = posix_name(chars.clone()).unwrap_or_default();
                let _ = write!(out, "[{name}]");
                chars.nth(name.chars().count());
            }
            Some(c) => {
                item(c, chars, out);
                range_end(chars, out);
            }
        }
        first = false;
    }
}

/// A dash makes a range, unless it comes last.
fn range_end(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut ahead = chars.clone();
    if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
        return;
    }
    chars.next();
    out.push('-');
    if let Some(c) = chars.next() {
        item(c, chars, out);
    }
}

fn item(c: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    if c != '\\' {
        return literal(c, out);
    }
    match chars.next() {
        None => out.push('\\'),
        Some(c) => match perl_class(c) {
            Some((set, true)) => {
                let _ = write!(out, "[^{set}]");
            }
            Some((set, false)) => out.push_str(set),
            None => {
                single(c, chars, out);
                // `\pL` and `\x41` go on with plain letters; those with braces must keep them unescaped.
                if matches!(c, 'p' | 'P' | 'x') && chars.peek() == Some(&'{') {
                    for c in chars.by_ref() {
                        out.push(c);
                        if c == '}' {
                            break;
                        }
                    }
                }
            }
        },
    }
}

/// Reads `:name:` of `[:name:]`, the opening bracket taken already.
fn posix_name(chars: Peekable<Chars<'_>>) -> Option<String> {
    let text: String = chars.take(16).collect();
    let end = text.find(":]")?;
    let name = text.get(1..end)?;
    let known = name.strip_prefix('^').unwrap_or(name);
    (!known.is_empty() && known.chars().all(|c| c.is_ascii_lowercase())).then(|| text[..=end].to_owned())
}

/// Returns whether what follows a brace is `n}`, `n,}` or `n,m}`; Go takes any other brace literally.
fn is_repetition(mut chars: Peekable<Chars<'_>>) -> bool {
    let mut digits = 0;
    while chars.next_if(char::is_ascii_digit).is_some() {
        digits += 1;
    }
    if chars.next_if_eq(&',').is_some() {
        while chars.next_if(char::is_ascii_digit).is_some() {}
    }
    digits > 0 && chars.next() == Some('}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for text in matching {
            assert!(regex.is_match(text), "{pattern} ({regex}) misses {text:?}");
        }
        for text in others {
            assert!(!regex.is_match(text), "{pattern} ({regex}) hits {text:?}");
        }
    }

    #[test]
    fn the_defaults_mean_what_they_meant() {
        check(
            r"(\||<|>|;|,|\n|&)",
            &["a|b", "a>b", "a<b", "a;b", "a,b", "a\nb", "a&b"],
            &["ls -l"],
        );
        check(
            "^/usr/bin/.*",
            &["/usr/bin/id"],
            &["x/usr/bin/id", "/usr/sbin/id"],
        );
        check(
            r"^C:\\Windows\\System32\\.*",
            &[r"C:\Windows\System32\x.exe"],
            &["C:/Windows/System32/x"],
        );
    }

    #[test]
    fn literals_that_are_none_here() {
        check(r"a\<b", &["a<b"], &["a", "ab"]);
        check(r"\>", &[">"], &["a"]);
        check("{foo}", &["{foo}"], &["foo"]);
        check("a{,5}", &["a{,5}"], &["aaa"]);
        check("^a{2}$", &["aa"], &["a", "a{2}"]);
        check("^a{2,}$", &["aaa"], &["a"]);
        check(r"\Qa.b|c\E+", &["a.b|cc"], &["axb"]);
        check(r"\Q[", &["["], &["]"]);
        check(r"\_\%", &["_%"], &[]);
    }

    #[test]
    fn classes_know_ascii_only() {
        check(r"^\d+$", &["123"], &["١٢٣"]);
        check(r"^\w+$", &["ab_9"], &["é"]);
        check(r"^[\w.]+$", &["a.b"], &["é"]);
        check(r"^[^\d]$", &["a", "١"], &["1"]);
        check(r"^[\D]$", &["a", "١"], &["1"]);
        check(r"^\S+$", &["\u{a0}"], &[" "]);
        check(r"\bid\b", &["id", "/id"], &["idle"]);
    }

    #[test]
    fn brackets_are_plainer() {
        check("^[^[]+$", &["a"], &["a[b"]);
        check("^[[]$", &["["], &["]"]);
        check("^[]a]$", &["]", "a"], &["["]);
        check("^[a&&b]+$", &["a&b"], &["c"]);
        check("^[a~~b]+$", &["a~b"], &["c"]);
        check("^[+--]+$", &["+,-"], &["."]);
        check("^[a-]+$", &["a-"], &["b"]);
        check("^[-a]+$", &["a-"], &["b"]);
        check("^[[:alpha:]_]+$", &["aZ_"], &["é", "1"]);
        check("^[[:^alpha:]]+$", &["12"], &["a"]);
        check(r"^[\p{Greek}\x{41}]+$", &["αA"], &["B"]);
        check(r"^[\]\\]+$", &[r"]\"], &["a"]);
        check(r"\x41\101\0", &["AA\0"], &[]);
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in ["(", "[", "[a", "a)", r"\", r"\1", "*", r"\8"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        assert_eq!(compile("(").unwrap_err(), "unclosed group");
    }

    proptest! {
        #[test]
        fn any_pattern_is_compiled_or_refused(pattern in "[\\[\\]\\\\{}()^$|*+?.:,QE0-9a-dp<&~\\-]{0,16}|\\PC{0,16}") {
            let _ = compile(&pattern);
        }

        #[test]
        fn quoting_matches_exactly_the_text(text in "[^\\\\]{1,12}") {
            let regex = compile(&format!("^\\Q{text}\\E$")).unwrap();
            prop_assert!(regex.is_match(&text));
        }
    }
}
