//! What the loader has to say about a file.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, counted from 1.
    Line(usize),
    /// Something outside the file, by the name a person knows it: `--addr`, `RPORT_AUTH`.
    Outside(String),
    /// Nowhere: the key is missing and its default applies.
    Missing,
}

/// One thing that is wrong, with the place to mend it.
///
/// `Display` writes `FILE:LINE: key 'SECTION.KEY': TEXT`, or the flag instead of the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the person named it.
    pub file: String,
    /// Where in the file, or what else brought the value.
    pub origin: Origin,
    /// The key with its section, such as `server.address`.
    pub key: String,
    /// What is wrong and what is allowed. Never contains a secret.
    pub text: String,
    /// Whether the value could not be read at all, as opposed to being readable and not allowed.
    pub unreadable: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, text, .. } = self;
        let key = OneLine(&self.key);
        match &self.origin {
            Origin::Line(line) => write!(f, "{file}:{line}: key '{key}': {text}"),
            Origin::Outside(name) => write!(f, "{name} (key '{key}'): {text}"),
            Origin::Missing if file.is_empty() => write!(f, "key '{key}': {text}"),
            Origin::Missing => write!(f, "{file}: key '{key}': {text}"),
        }
    }
}

/// A key as written in the file may hold line breaks; a message must not.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() {
                write!(f, "{}", c.escape_default())
            } else {
                write!(f, "{c}")
            }
        })
    }
}

/// Everything found in one file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Reasons not to start, in the order of the checks; unreadable values come first.
    pub errors: Vec<Problem>,
    /// Lines for the log; the program starts nevertheless.
    pub warnings: Vec<Problem>,
}
