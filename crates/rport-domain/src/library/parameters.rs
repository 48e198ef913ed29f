//! Parameters of commands and scripts: places in a text that get their value when it runs.
//!
//! Ours, the Go server has none. `%%NAME%%` is a parameter, `%%NAME=value%%` one with a default. A name has at least
//! two letters, digits or underscores and starts with a letter, so that the loop variables of Windows batch files
//! (`%%i`) are none. A default has no line break. Nothing is stored: names and defaults are read from the text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// Parameters of one text at most; more are not looked for.
const MAX_PARAMETERS: usize = 100;
/// Longest name, in bytes.
const MAX_NAME: usize = 64;
/// What begins and ends a parameter.
const MARK: &str = "%%";

/// A parameter of a command or script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryParameter {
    /// Its name, as written.
    pub name: String,
    /// What it is when nobody says otherwise; `None` when somebody has to.
    pub default: Option<String>,
}

/// Finds the parameters of a text, in the order in which they first appear. The first default of a name counts.
///
/// A script may have been stored in base64, in which case it is decoded: encoded text has no percent signs.
pub fn library_parameters(text: &str) -> Vec<LibraryParameter> {
    let decoded;
    let text = if text.contains(MARK) {
        text
    } else {
        decoded = STANDARD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.as_deref().unwrap_or_default()
    };
    let mut found: Vec<LibraryParameter> = Vec::new();
    for place in places(text) {
        let default = place.default.map(str::to_owned);
        if let Some(known) = found.iter_mut().find(|known| known.name == place.name) {
            known.default = known.default.take().or(default);
        } else if found.len() < MAX_PARAMETERS {
            found.push(LibraryParameter {
                name: place.name.to_owned(),
                default,
            });
        }
    }
    found
}

/// Puts values into a text in clear. `value` is asked for each name; where it has none, the default is taken.
///
/// Values are put in as they are: nothing is quoted for any shell, and a value with marks in it is not looked at
/// again.
///
/// # Errors
/// `Invalid`, naming all parameters that have neither value nor default; else the first error of `value`.
pub fn fill_parameters(text: &str, mut value: impl FnMut(&str) -> Result<Option<String>>) -> Result<String> {
    let defaults = library_parameters(text);
    let default_of = |name: &str| {
        let known = defaults.iter().find(|parameter| parameter.name == name);
        known.and_then(|parameter| parameter.default.clone())
    };
    let mut filled = String::with_capacity(text.len());
    let mut missing: Vec<&str> = Vec::new();
    let mut end = 0;
    for place in places(text) {
        filled.push_str(&text[end..place.start]);
        let default = || default_of(place.name).or_else(|| place.default.map(str::to_owned));
        match value(place.name)?.or_else(default) {
            Some(value) => filled.push_str(&value),
            None if missing.len() >= MAX_PARAMETERS || missing.contains(&place.name) => {}
            None => missing.push(place.name),
        }
        end = place.end;
    }
    filled.push_str(&text[end..]);
    if missing.is_empty() {
        return Ok(filled);
    }
    Err(Error::invalid("Missing parameters.").detail(missing.join(", ")))
}

/// One appearance of a parameter.
struct Place<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    default: Option<&'a str>,
}

fn places(text: &str) -> impl Iterator<Item = Place<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = text[from..].find(MARK) {
            let start = from + at;
            if let Some(place) = place(text, start) {
                from = place.end;
                return Some(place);
            }
            // One sign further only: in `%%%NAME%%` the second one begins the parameter.
            from = start + 1;
        }
        None
    })
}

fn place(text: &str, start: usize) -> Option<Place<'_>> {
    let rest = &text[start + MARK.len()..];
    let length = rest
        .bytes()
        .take(MAX_NAME + 1)
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    let (name, rest) = rest.split_at(length);
    if !(2..=MAX_NAME).contains(&length) || !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let (default, length) = match rest.strip_prefix('=') {
        None if rest.starts_with(MARK) => (None, length),
        None => return None,
        Some(rest) => {
            // To the next mark and no further, or a text full of marks would take its length squared.
            let default = &rest[..rest.find(MARK)?];
            if default.contains(['\n', '\r']) {
                return None;
            }
            (Some(default), length + 1 + default.len())
        }
    };
    Some(Place {
        start,
        end: start + 2 * MARK.len() + length,
        name,
        default,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, Option<&str>)]) {
        let found = library_parameters(text);
        let found: Vec<_> = found
            .iter()
            .map(|parameter| (parameter.name.as_str(), parameter.default.as_deref()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn parameters_are_found() {
        check(
            "ping %%HOST%% -c %%count=3%%",
            &[("HOST", None), ("count", Some("3"))],
        );
        check("%%aa%%%%bb=%%", &[("aa", None), ("bb", Some(""))]);
        check("%%aa%% %%aa=1%% %%aa=2%%", &[("aa", Some("1"))]);
        check("%%%name%%%", &[("name", None)]);
        check(
            "%%url=http://x/?a=b&c=%20%%",
            &[("url", Some("http://x/?a=b&c=%20"))],
        );
        check(&STANDARD.encode("echo %%in_base64%%"), &[("in_base64", None)]);
    }

    #[test]
    fn what_looks_alike_is_left_alone() {
        check("for %%i in (*) do if %%i==%%j echo %%i:%%j", &[]);
        check("date +%Y%m; echo 100%% %% done", &[]);
        check("echo ${x%%suffix}", &[]);
        check("%%1st%% %%_x%% %%a b%% %%ä%%", &[]);
        check("%%open=never\n%%", &[]);
        check("", &[]);
        check("date", &[]);
    }

    #[test]
    fn values_are_put_in_once() {
        let value = |name: &str| Ok((name == "aa").then(|| "%%bb%%".to_owned()));
        assert_eq!(
            fill_parameters("<%%aa%%> %%bb=2%% %%bb%% 50%%", value).expect("filled"),
            "<%%bb%%> 2 2 50%%"
        );
        let error = fill_parameters("%%xx%% %%yy%% %%xx%%", value).expect_err("missing");
        assert_eq!(error.to_string(), "Missing parameters.: xx, yy");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(%|%%|[a-c]{1,3}|=|\n|ä|1| ){0,30}") {
            let found = library_parameters(&text);
            let filled = fill_parameters(&text, |_| Ok(Some(String::new()))).expect("all have values");
            prop_assert!(filled.len() <= text.len());
            prop_assert_eq!(found.is_empty(), filled == text);
        }

        #[test]
        fn what_is_written_is_found(name in "[A-Za-z][A-Za-z0-9_]{1,63}", default in "[ -$&-~]{0,20}") {
            let found = library_parameters(&format!("x%%{name}={default}%%y"));
            prop_assert_eq!(found, [LibraryParameter { name, default: Some(default) }]);
        }
    }
}
