//! Typed reading of one section.

use std::{collections::BTreeMap, time::Duration};

use super::{load::Document, report::Origin, value::Value};
use crate::Secret;

/// One section of a [`Document`]. Each method takes the key in lower case and its default, and registers the key as
/// known. A value that cannot be read is recorded as an error and the default is returned, so that one start reports
/// every mistake of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    document: &'a Document,
    name: &'a str,
}

/// A key chosen by the user, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeEntry {
    /// The key, lower-cased.
    pub key: String,
    /// A list, or a single value as a list of one.
    pub values: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn new(document: &'a Document, name: &'a str) -> Self {
        document
            .state
            .borrow_mut()
            .known
            .entry(name.to_owned())
            .or_default();
        Self { document, name }
    }

    /// Whether the file or a flag names the key.
    pub fn has(&self, key: &str) -> bool {
        self.document.has(&self.path(key))
    }

    /// Records that the value of a key is not allowed.
    pub fn error(&self, key: &str, text: impl Into<String>) {
        self.document.error(&self.path(key), text);
    }

    /// Records a warning about a key.
    pub fn warn(&self, key: &str, text: impl Into<String>) {
        self.document.warn(&self.path(key), text);
    }

    /// `true`, `false`, or one of the weak forms (`1`, `"t"`, `""` …).
    pub fn boolean(&self, key: &str, default: bool) -> bool {
        self.read(key, "true or false", Value::to_boolean)
            .unwrap_or(default)
    }

    /// A whole number, also as text in base-0 notation.
    pub fn integer(&self, key: &str, default: i64) -> i64 {
        self.read(key, "a whole number", Value::to_integer)
            .unwrap_or(default)
    }

    /// A number with a fraction.
    pub fn float(&self, key: &str, default: f64) -> f64 {
        self.read(key, "a number", Value::to_float).unwrap_or(default)
    }

    /// A text; numbers and booleans become one.
    pub fn string(&self, key: &str, default: &str) -> String {
        self.read(key, "a text", Value::to_text)
            .unwrap_or_else(|| default.to_owned())
    }

    /// A text that never appears in a message; empty when missing.
    pub fn secret(&self, key: &str) -> Secret {
        let text = self.lookup(key, |path, value| match value.to_text() {
            Some(text) => Some(text),
            None => {
                self.document
                    .unreadable(path, "expected a text (the value is not shown)".to_owned());
                None
            }
        });
        Secret::from(text.unwrap_or_default())
    }

    /// A list of texts: a list, a single value, or one text with commas.
    pub fn list(&self, key: &str, default: &[&str]) -> Vec<String> {
        let list = self.read(key, "a list of texts, or one text with commas", Value::to_list);
        list.unwrap_or_else(|| default.iter().map(|item| (*item).to_owned()).collect())
    }

    /// A list of at most two texts, filled up with empty ones.
    pub fn pair(&self, key: &str, default: [&str; 2]) -> [String; 2] {
        let list = self.read(key, "a list of at most two texts", |value| {
            value.to_list().filter(|list| list.len() <= 2)
        });
        let mut list = match list {
            Some(list) => list.into_iter(),
            None => return default.map(str::to_owned),
        };
        [list.next().unwrap_or_default(), list.next().unwrap_or_default()]
    }

    /// A duration such as `"1h30m"`. A negative one counts as 0.
    pub fn duration(&self, key: &str, default: Duration) -> Duration {
        let default = i64::try_from(default.as_nanos()).unwrap_or(i64::MAX);
        Duration::from_nanos(u64::try_from(self.nanoseconds(key, default)).unwrap_or(0))
    }

    /// A duration in nanoseconds, possibly negative.
    ///
    /// A bare number counts as nanoseconds, as in the Go programs; because hardly anyone means that, it is a warning.
    pub fn nanoseconds(&self, key: &str, default: i64) -> i64 {
        let nanos = self.read(
            key,
            "a duration with a unit such as \"30s\", \"5m\" or \"1h30m\"",
            |value| {
                if matches!(value, Value::Integer(number) if *number != 0) || matches!(value, Value::Float(_))
                {
                    let text =
                        format!("{value} without a unit is nanoseconds; write for example \"{value}s\"");
                    self.warn(key, text);
                }
                value.to_nanos()
            },
        );
        nanos.unwrap_or(default)
    }

    /// A text that `parse` turns into something else; its error says what is wrong and what is allowed.
    pub fn parsed<T, E: std::fmt::Display>(
        &self,
        key: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        let text = self.read(key, "a text", Value::to_text);
        match text.map(|text| parse(&text)) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.error(key, error.to_string());
                default
            }
        }
    }

    /// A sub-table of texts whose keys the user chooses, such as `[client.labels]`. Its keys are lower-cased.
    pub fn string_map(&self, key: &str) -> BTreeMap<String, String> {
        self.register(key);
        let path = self.path(key);
        self.document.state.borrow_mut().free.insert(path.clone());
        let mut map = BTreeMap::new();
        match self.document.entry(&path).map(|entry| &entry.value) {
            None => {}
            Some(Value::Table(table)) => {
                for (name, entry) in table {
                    match entry.value.to_text() {
                        Some(text) => drop(map.insert(name.clone(), text)),
                        None => self.unreadable_value(&format!("{path}.{name}"), "a text", &entry.value),
                    }
                }
            }
            Some(value) => self.unreadable_value(&path, "a table of texts", value),
        }
        map
    }

    /// Every key of the section, for sections whose keys the user chooses, such as `[interpreter-aliases]`.
    pub fn free_entries(&self) -> Vec<FreeEntry> {
        self.document.state.borrow_mut().free.insert(self.name.to_owned());
        let Some(Value::Table(table)) = self.document.root.get(self.name).map(|entry| &entry.value) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, entry) in table {
            // Unlike a list setting, one text is one value here, commas and all.
            let values = match &entry.value {
                Value::String(text) => Some(vec![text.clone()]),
                value => value.to_list(),
            };
            match values {
                Some(values) => entries.push(FreeEntry {
                    key: key.clone(),
                    values,
                }),
                None => self.unreadable_value(&self.path(key), "a text or a list of texts", &entry.value),
            }
        }
        entries
    }

    /// Registers a key as known without looking at its value.
    pub fn accept(&self, key: &str) {
        self.register(key);
    }

    /// Where the value of a key came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.document
            .entry(&self.path(key))
            .map_or(Origin::Missing, |entry| entry.origin.clone())
    }

    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn register(&self, key: &str) {
        let mut state = self.document.state.borrow_mut();
        if let Some(keys) = state.known.get_mut(self.name) {
            keys.insert(key.to_owned());
        }
    }

    fn lookup<T>(&self, key: &str, read: impl FnOnce(&str, &Value) -> Option<T>) -> Option<T> {
        self.register(key);
        let path = self.path(key);
        let entry = self.document.entry(&path)?;
        read(&path, &entry.value)
    }

    fn read<T>(&self, key: &str, wanted: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        self.lookup(key, |path, value| {
            let converted = convert(value);
            if converted.is_none() {
                self.unreadable_value(path, wanted, value);
            }
            converted
        })
    }

    fn unreadable_value(&self, path: &str, wanted: &str, value: &Value) {
        self.document
            .unreadable(path, format!("expected {wanted}, got {value}"));
    }
}
