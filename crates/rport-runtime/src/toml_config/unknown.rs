//! Keys nobody asked for, with the name that was probably meant.

use super::{
    load::{Document, Entry, State},
    report::Problem,
    value::Value,
};

/// Longer names are not compared: they are no typing mistake, and the comparison is quadratic.
const MAX_COMPARED: usize = 64;

/// Finds every key and section of the file that no reader asked for.
pub(super) fn find(document: &Document) -> Vec<Problem> {
    let state = document.state.borrow();
    let mut problems = Vec::new();
    for (name, entry) in &document.root {
        let mut report = |key: &str, entry: &Entry, text: String| {
            problems.push(Problem {
                file: document.name.clone(),
                origin: entry.origin.clone(),
                key: key.to_owned(),
                text,
                unreadable: false,
            });
        };
        match (&entry.value, state.known.get(name)) {
            (Value::Table(table), Some(known)) => {
                for (key, entry) in table {
                    let path = format!("{name}.{key}");
                    if !known.contains(key) && !state.free.contains(name) {
                        report(
                            &path,
                            entry,
                            format!("unknown key, ignored{}", hint(&state, name, key)),
                        );
                    }
                }
            }
            (Value::Table(_), None) => {
                let sections = state.known.keys().map(String::as_str);
                let hint = nearest(name, sections).map(|near| format!("; did you mean [{near}]?"));
                let text = format!(
                    "unknown section, ignored with all its keys{}",
                    hint.unwrap_or_default()
                );
                report(name, entry, text);
            }
            (_, _) => {
                let text = format!("key outside of any section, ignored{}", hint(&state, "", name));
                report(name, entry, text);
            }
        }
    }
    problems.sort_by_key(|problem| match problem.origin {
        super::Origin::Line(line) => line,
        _ => 0,
    });
    problems
}

/// What was probably meant: a similar key of the same section, else the same key of another one.
fn hint(state: &State, section: &str, key: &str) -> String {
    let own = state.known.get(section).into_iter().flatten().map(String::as_str);
    if let Some(near) = nearest(key, own) {
        return format!("; did you mean '{near}'?");
    }
    let elsewhere: Vec<String> = state
        .known
        .iter()
        .filter(|(name, keys)| *name != section && keys.contains(key))
        .map(|(name, _)| format!("[{name}]"))
        .collect();
    match elsewhere.as_slice() {
        [] => String::new(),
        sections => format!("; it belongs to {}", sections.join(" or ")),
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let flat = |text: &str| text.replace(['-', '.', ' '], "_");
    let name = flat(name);
    if name.len() > MAX_COMPARED {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    let distances = known.map(|candidate| (distance(&name, &flat(candidate)), candidate));
    distances
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("url", "url", 0),
            ("adress", "address", 1),
            ("auht", "auth", 1),
            ("a", "b", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["address", "auth", "auth_file", "auth_write", "url"];
        let nearest = |name| nearest(name, known.into_iter());
        assert_eq!(nearest("adress"), Some("address"));
        assert_eq!(nearest("auth-file"), Some("auth_file"));
        assert_eq!(nearest("ulr"), Some("url"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest("x"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
