//! Places of a text that get a value of the vault: `%%vault:KEY%%`.

/// Begins the place.
const BEGIN: &str = "%%vault:";
/// Ends it.
const END: &str = "%%";

/// The place of a key; `None` for what cannot stand in one.
pub(super) fn place(key: &str) -> Option<String> {
    let sound = !key.is_empty() && !key.contains(END) && !key.contains(['\n', '\r']) && !key.ends_with('%');
    sound.then(|| format!("{BEGIN}{key}{END}"))
}

/// The keys that a text names, each once. What is not ended, or names no key, is no place.
pub(super) fn keys(text: &str) -> Vec<&str> {
    let mut keys: Vec<&str> = Vec::new();
    for part in parts(text) {
        if let Part::Value(key) = part
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// Puts values into a text, as they are. What is put in is not looked at again.
pub(super) fn fill<'a>(text: &str, value: impl Fn(&str) -> &'a str) -> String {
    parts(text)
        .map(|part| match part {
            Part::Plain(plain) => plain,
            Part::Value(key) => value(key),
        })
        .collect()
}

enum Part<'a> {
    Plain(&'a str),
    Value(&'a str),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    let mut key = None;
    std::iter::from_fn(move || {
        if let Some(key) = key.take() {
            return Some(Part::Value(key));
        }
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(at) = rest[from..].find(BEGIN) {
            let begin = from + at;
            let inside = begin + BEGIN.len();
            // A key is on one line, so that a stray mark does not take everything up to the next one.
            let line = rest[inside..].lines().next().unwrap_or_default();
            match line.find(END) {
                Some(length) if length > 0 => {
                    let (plain, found) = (&rest[..begin], &rest[inside..inside + length]);
                    rest = &rest[inside + length + END.len()..];
                    if plain.is_empty() {
                        return Some(Part::Value(found));
                    }
                    key = Some(found);
                    return Some(Part::Plain(plain));
                }
                _ => from = inside,
            }
        }
        Some(Part::Plain(std::mem::take(&mut rest)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_found_and_filled() {
        let text = "%%vault:db%% -p %%vault:root pass%%%%vault:db%% %%vault:%% %%vault:x\n%% 5%% %%vault:y";
        assert_eq!(keys(text), ["db", "root pass"]);
        assert_eq!(
            fill(text, |key| if key == "db" { "%%vault:db%%" } else { "B" }),
            "%%vault:db%% -p B%%vault:db%% %%vault:%% %%vault:x\n%% 5%% %%vault:y"
        );
        assert!(keys("echo 5%% %%NAME%%").is_empty());
        assert_eq!(place("a b").as_deref().map(keys), Some(vec!["a b"]));
        for no in ["", "a%%b", "a%", "a\nb"] {
            assert_eq!(place(no), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_no_place_stays(text in "(%%vault:|%|ä|k|\n){0,20}") {
            let same = fill(&text, |_| "\u{1}");
            let places = same.matches('\u{1}').count();
            prop_assert_eq!(places == 0, keys(&text).is_empty());
            if places == 0 {
                prop_assert_eq!(same, text);
            }
        }
    }
}
