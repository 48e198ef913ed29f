//! Checking shell patterns for soundness, as Go's `filepath.Match` defines it.

/// Returns whether a pattern is sound: brackets are closed and hold something, ranges and escapes are complete.
///
/// Source: Go `path/filepath`, `Match`. On Windows a backslash separates folders and escapes nothing.
pub(super) fn is_sound(pattern: &str) -> bool {
    let escapes = !cfg!(windows);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if escapes && chars.next().is_none() => return false,
            '[' => {
                chars.next_if_eq(&'^');
                if !class(&mut chars, escapes) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// Reads ranges up to the closing bracket; an empty class is unsound.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, escapes: bool) -> bool {
    let mut ranges = 0;
    loop {
        if ranges > 0 && chars.next_if_eq(&']').is_some() {
            return true;
        }
        if !bound(chars, escapes) || (chars.next_if_eq(&'-').is_some() && !bound(chars, escapes)) {
            return false;
        }
        ranges += 1;
    }
}

fn bound(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, escapes: bool) -> bool {
    match chars.next() {
        None | Some('-' | ']') => false,
        Some('\\') if escapes => chars.next().is_some(),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_sound;

    #[test]
    fn sound_and_unsound_patterns() {
        for sound in [
            "", "/bin", "/lib*", "a?c", "[a-z]", "[^a-c]x", "[a]]", r"\*", r"[\-x]", "]",
        ] {
            assert!(is_sound(sound), "{sound}");
        }
        for unsound in [
            "[", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^]", "[a", r"\", r"[\", "a[",
        ] {
            assert!(!is_sound(unsound), "{unsound}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(pattern in "[\\[\\]^\\-\\\\a*?]{0,12}") {
            let _ = is_sound(&pattern);
        }
    }
}
