//! Values that must not be seen: what stands in for them in output, whole or in pieces.

use std::sync::Arc;

use rport_protocol::JobResult;
use rport_runtime::Secret;

/// Shorter values are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;
/// What stands in their place.
const STAND_IN: &str = "***";
/// What stands in place of output in which nobody can tell the values.
const WITHHELD: &str = "[output withheld: values of the vault that may be in it are not known any more]";

/// Values that must not be seen in the output of a job. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) enum Hidden {
    /// There are none.
    #[default]
    Nothing,
    /// The job has some, and this server did not put them in.
    Unknown,
    /// These, the longest first.
    Values(Arc<[Secret]>),
}

impl Hidden {
    /// Makes values unseen, as they stand in output: what surrounds them in blank space is often lost on the way.
    pub(super) fn new(values: impl IntoIterator<Item = Secret>) -> Self {
        let mut values: Vec<Secret> = values
            .into_iter()
            .map(|value| Secret::new(value.expose().trim()))
            .filter(|value| value.expose().len() >= SHORTEST)
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.expose().len()));
        values.dedup();
        if values.is_empty() {
            Self::Nothing
        } else {
            Self::Values(values.into())
        }
    }

    /// Replaces the values in a text that is whole.
    pub(super) fn redact(&self, text: String) -> String {
        if let Self::Nothing = self {
            return text;
        }
        let mut redactor = Redactor::new(self.clone());
        let mut redacted = redactor.push(&text);
        redacted.push_str(&redactor.finish());
        redacted
    }

    /// Replaces the values in a result.
    pub(super) fn redact_result(&self, result: JobResult) -> JobResult {
        JobResult {
            stdout: self.redact(result.stdout),
            stderr: self.redact(result.stderr),
            summary: self.redact(result.summary),
        }
    }
}

/// Replaces values in a text that comes in pieces. What may be the beginning of a value is held back until it is
/// known not to be one.
#[derive(Debug)]
pub(super) struct Redactor {
    hidden: Hidden,
    held: String,
    /// Whether output that is withheld was told of.
    told: bool,
}

impl Redactor {
    /// At the beginning of a text.
    pub(super) fn new(hidden: Hidden) -> Self {
        Self {
            hidden,
            held: String::new(),
            told: false,
        }
    }

    /// Takes a piece and returns what may be seen by now.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let values = match &self.hidden {
            Hidden::Nothing => return piece.to_owned(),
            Hidden::Unknown if piece.is_empty() || std::mem::replace(&mut self.told, true) => {
                return String::new();
            }
            Hidden::Unknown => return WITHHELD.to_owned(),
            Hidden::Values(values) => values.clone(),
        };
        self.held.push_str(piece);
        let (seen, taken) = scan(&self.held, &values, false);
        self.held.drain(..taken);
        seen
    }

    /// Ends the text and returns what was held back.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        match &self.hidden {
            Hidden::Values(values) => scan(&held, values, true).0,
            Hidden::Nothing | Hidden::Unknown => held,
        }
    }
}

/// Replaces values from the left, the longest that fits. Returns what may be seen and how many bytes of the text are
/// done with; all of them at its `end`.
fn scan(text: &str, values: &[Secret], end: bool) -> (String, usize) {
    let mut begins = [false; 256];
    for value in values {
        begins[usize::from(value.expose().as_bytes()[0])] = true;
    }
    let bytes = text.as_bytes();
    let mut seen = String::with_capacity(text.len());
    let (mut at, mut plain) = (0, 0);
    while at < bytes.len() {
        if !begins[usize::from(bytes[at])] {
            at += 1;
            continue;
        }
        let rest = &bytes[at..];
        let mut fits = None;
        for value in values {
            let value = value.expose().as_bytes();
            if rest.starts_with(value) {
                fits = Some(value.len());
                break;
            }
            // A longer one may still come; shorter ones are looked at when that is known.
            if !end && value.starts_with(rest) {
                seen.push_str(&text[plain..at]);
                return (seen, at);
            }
        }
        match fits {
            Some(length) => {
                seen.push_str(&text[plain..at]);
                seen.push_str(STAND_IN);
                at += length;
                plain = at;
            }
            None => at += 1,
        }
    }
    seen.push_str(&text[plain..]);
    (seen, text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hidden(values: &[&str]) -> Hidden {
        Hidden::new(values.iter().copied().map(Secret::from))
    }

    fn in_pieces(hidden: &Hidden, pieces: &[&str]) -> Vec<String> {
        let mut redactor = Redactor::new(hidden.clone());
        let mut seen: Vec<String> = pieces.iter().map(|piece| redactor.push(piece)).collect();
        seen.push(redactor.finish());
        seen
    }

    #[test]
    fn values_are_replaced_wherever_they_stand() {
        let hidden = hidden(&["geheim", "geheimnis", "abc", " spaced \n"]);
        for (text, seen) in [
            ("geheim", "***"),
            ("a geheimnis, geheimgeheim", "a ***, ******"),
            ("gehei geheimni", "gehei ***ni"),
            ("abc is too short", "abc is too short"),
            ("ägeheimä", "ä***ä"),
            ("[spaced]", "[***]"),
            ("", ""),
        ] {
            assert_eq!(hidden.redact(text.to_owned()), seen, "{text}");
        }
    }

    #[test]
    fn pieces_do_not_give_values_away() {
        let hidden = hidden(&["geheim", "geheimnis"]);
        assert_eq!(in_pieces(&hidden, &["x ge", "he", "im!"]), ["x ", "", "***!", ""]);
        assert_eq!(in_pieces(&hidden, &["geheim"]), ["", "***"]);
        assert_eq!(in_pieces(&hidden, &["geheim", "nis"]), ["", "***", ""]);
        assert_eq!(in_pieces(&hidden, &["gehe", "n"]), ["", "gehen", ""]);
        assert_eq!(in_pieces(&hidden, &["ggeh", "eim"]), ["g", "", "***"]);
    }

    #[test]
    fn what_cannot_be_told_is_withheld() {
        assert_eq!(Hidden::Unknown.redact("geheim".to_owned()), WITHHELD);
        assert_eq!(Hidden::Unknown.redact(String::new()), "");
        assert_eq!(
            in_pieces(&Hidden::Unknown, &["", "ge", "heim"]),
            ["", WITHHELD, "", ""]
        );
        let shown = format!("{:?}", hidden(&["geheim"]));
        assert!(!shown.contains("geheim"), "{shown}");
    }

    proptest! {
        #[test]
        fn pieces_make_what_the_whole_makes(
            text in "[abä]{0,60}",
            values in prop::collection::vec("[abä]{2,6}", 0..4),
            cuts in prop::collection::vec(0usize..130, 0..10),
        ) {
            let hidden = Hidden::new(values.iter().map(|value| Secret::from(value.as_str())));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| text.floor_char_boundary(cut.min(text.len()))).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            let whole = hidden.redact(text.clone());
            prop_assert_eq!(in_pieces(&hidden, &pieces).concat(), whole.clone());
            for value in values.iter().filter(|value| value.len() >= SHORTEST) {
                prop_assert!(!whole.contains(value.as_str()), "{} in {}", value, whole);
            }
        }
    }
}
