//! The part of the output that a script marks as its summary.

const START: &[u8] = b"<summary>";
const END: &[u8] = b"</summary>";

/// Returns what stands between `<summary>` and `</summary>`: several blocks are joined, line ends inside a block are
/// kept, a block that is not closed goes to the end of the output.
///
/// The tags may be in any case. Source: openrport `client/command.go`, `SummaryBuffer`, which reads line by line:
/// every line that ends inside a block gets a line feed, also the one with the opening tag and a last one that had
/// none.
pub(super) fn extract(output: &str) -> String {
    let mut summary = String::new();
    let mut inside = false;
    for line in output.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            match (inside, find(rest, if inside { END } else { START })) {
                (true, Some((before, after))) => {
                    summary.push_str(before);
                    rest = after;
                    inside = false;
                }
                (true, None) => {
                    summary.push_str(rest);
                    break;
                }
                (false, Some((_, after))) => {
                    rest = after;
                    inside = true;
                }
                (false, None) => break,
            }
        }
        if inside {
            summary.push('\n');
        }
    }
    summary
}

/// Splits a text around a tag, which is ASCII, so that both sides stay text.
fn find<'a>(text: &'a str, tag: &[u8]) -> Option<(&'a str, &'a str)> {
    let at = text
        .as_bytes()
        .windows(tag.len())
        .position(|window| window.eq_ignore_ascii_case(tag))?;
    Some((&text[..at], &text[at + tag.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_are_joined() {
        for (output, expected) in [
            ("", ""),
            ("nothing", ""),
            ("a<summary>b</summary>c", "b"),
            ("<summary>a</summary><SUMMARY>b</Summary>", "ab"),
            ("x\n<summary>a\nb</summary>\ny", "a\nb"),
            ("<summary>\na\n</summary>\n", "\na\n"),
            ("<summary>a\r\nb</summary>", "a\nb"),
            ("<summary>ü</summary> <summary>", "ü\n"),
            ("<summary>open\nend", "open\nend\n"),
            ("</summary>a<summary></summary>", ""),
        ] {
            assert_eq!(extract(output), expected, "{output:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched_without_harm(parts in prop::collection::vec(
            prop_oneof![Just("<summary>"), Just("</SUMMARY>"), Just("\n"), Just("é<"), Just("summary>"), Just("x")],
            0..30,
        )) {
            let output = parts.concat();
            let summary = extract(&output);
            prop_assert!(summary.len() <= output.len() + 1);
            if !output.contains("<summary>") {
                prop_assert!(summary.is_empty());
            }
        }
    }
}
