//! From a file to a [`Document`].

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use toml_edit::{Array, InlineTable, Item, Table};

use super::{
    report::{Origin, Problem, Report},
    section::Section,
    unknown,
    value::Value,
};

/// A configuration beyond this size is some other file.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Extensions tried in the current directory, in the order viper tries them.
const EXTENSIONS: [&str; 12] = [
    "json",
    "toml",
    "yaml",
    "yml",
    "properties",
    "props",
    "prop",
    "hcl",
    "tfvars",
    "dotenv",
    "env",
    "ini",
];

/// Why there is no document at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing, unreadable or not text.
    #[error("error reading config file: {name}: {source}")]
    Read {
        /// The file as the person named it.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not TOML, or has a key twice.
    #[error("error reading config file: {name}:{line}: {text}")]
    Syntax {
        /// The file as the person named it.
        name: String,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says. It never quotes the line, which may hold a password.
        text: String,
    },
}

/// A value and where it came from. Only the loader makes these.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A parsed file, with flags laid over it. Sections are read from it; it remembers what was asked for and what was
/// wrong, until [`Document::finish`].
#[derive(Debug)]
pub struct Document {
    pub(super) name: String,
    pub(super) root: BTreeMap<String, Entry>,
    pub(super) state: RefCell<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Keys that the program asked for, by section.
    pub(super) known: BTreeMap<String, BTreeSet<String>>,
    /// Sections and tables whose keys the user chooses.
    pub(super) free: BTreeSet<String>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// [`LoadError`] when the file cannot be read or is not TOML.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        let text = read.and_then(|_| {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if size > MAX_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 4 MiB"));
            }
            String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text"))
        });
        match text {
            Ok(text) => Self::parse(&text, &name),
            Err(source) => Err(LoadError::Read { name, source }),
        }
    }

    /// Parses a text; `name` appears in messages.
    ///
    /// # Errors
    /// [`LoadError::Syntax`] when the text is not TOML or has a key twice.
    pub fn parse(text: &str, name: &str) -> Result<Self, LoadError> {
        let lines = Lines::new(text);
        let syntax = |line, text| LoadError::Syntax {
            name: name.to_owned(),
            line,
            text,
        };
        let parsed = toml_edit::Document::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            syntax(lines.at(start), error.message().trim().replace('\n', ", "))
        })?;
        let root = convert_table(parsed.as_table(), &lines).map_err(|(line, text)| syntax(line, text))?;
        Ok(Self {
            name: name.to_owned(),
            root,
            state: RefCell::default(),
        })
    }

    /// A document without any key: only defaults and flags apply.
    pub fn empty() -> Self {
        Self {
            name: String::new(),
            root: BTreeMap::new(),
            state: RefCell::default(),
        }
    }

    /// The file as the person named it; empty without a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lays a value over the file: `key` is `section.key`, `source` is how the person knows it, such as `--addr`.
    pub fn set(&mut self, key: &str, value: impl Into<Value>, source: &str) {
        self.put(
            key,
            Entry {
                value: value.into(),
                origin: Origin::Outside(source.to_owned()),
            },
            true,
        );
    }

    /// Lays a value under the file: it counts only when the file does not name the key.
    pub fn set_default(&mut self, key: &str, value: impl Into<Value>, source: &str) {
        self.put(
            key,
            Entry {
                value: value.into(),
                origin: Origin::Outside(source.to_owned()),
            },
            false,
        );
    }

    fn put(&mut self, key: &str, entry: Entry, replace: bool) {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        let table = || Entry {
            value: Value::Table(BTreeMap::new()),
            origin: entry.origin.clone(),
        };
        let table = match section {
            "" => &mut self.root,
            name => {
                let slot = self.root.entry(name.to_owned()).or_insert_with(table);
                let Value::Table(table) = &mut slot.value else {
                    return;
                };
                table
            }
        };
        match table.entry(key.to_owned()) {
            btree_map::Entry::Occupied(mut slot) if replace => drop(slot.insert(entry)),
            btree_map::Entry::Occupied(_) => {}
            btree_map::Entry::Vacant(slot) => drop(slot.insert(entry)),
        }
    }

    /// A section to read from. A missing one gives defaults only.
    pub fn section<'a>(&'a self, name: &'a str) -> Section<'a> {
        Section::new(self, name)
    }

    /// Whether the file or a flag names this `section.key`.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        let mut parts = key.split('.');
        let mut entry = self.root.get(parts.next()?)?;
        for part in parts {
            let Value::Table(table) = &entry.value else {
                return None;
            };
            entry = table.get(part)?;
        }
        Some(entry)
    }

    /// Records that a readable value is not allowed. `key` is `section.key`; a missing key is named without a line.
    pub fn error(&self, key: &str, text: impl Into<String>) {
        let problem = self.problem(key, text.into(), false);
        self.state.borrow_mut().errors.push(problem);
    }

    /// Records a warning about a key.
    pub fn warn(&self, key: &str, text: impl Into<String>) {
        let problem = self.problem(key, text.into(), false);
        self.state.borrow_mut().warnings.push(problem);
    }

    /// Records that a value could not be read.
    pub(super) fn unreadable(&self, key: &str, text: String) {
        let problem = self.problem(key, text, true);
        self.state.borrow_mut().errors.push(problem);
    }

    fn problem(&self, key: &str, text: String, unreadable: bool) -> Problem {
        let origin = self
            .entry(key)
            .map_or(Origin::Missing, |entry| entry.origin.clone());
        Problem {
            file: self.name.clone(),
            origin,
            key: key.to_owned(),
            text,
            unreadable,
        }
    }

    /// Whether anything read so far forbids a start.
    pub fn has_errors(&self) -> bool {
        !self.state.borrow().errors.is_empty()
    }

    /// Every `section.key` that was asked for so far. A test compares it with the example file.
    pub fn known_keys(&self) -> BTreeSet<String> {
        let state = self.state.borrow();
        let sections = state.known.iter();
        sections
            .flat_map(|(name, keys)| keys.iter().map(move |key| format!("{name}.{key}")))
            .collect()
    }

    /// Ends the reading: adds a warning for each key nobody asked for, and hands out all that was found.
    pub fn finish(self) -> Report {
        let unknown = unknown::find(&self);
        let State {
            mut errors,
            mut warnings,
            ..
        } = self.state.into_inner();
        errors.sort_by_key(|problem| !problem.unreadable);
        warnings.extend(unknown);
        Report { errors, warnings }
    }
}

/// Finds the file that is read when no path is given: the current directory only, `NAME.json`, `NAME.toml` and so
/// on, then `NAME` itself. All of them are read as TOML.
pub fn find_in_current_dir(name: &str) -> Option<PathBuf> {
    let with_extension = EXTENSIONS.iter().map(|extension| format!("{name}.{extension}"));
    with_extension
        .chain([name.to_owned()])
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

/// Turns byte offsets into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        )
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}

type Converted<T> = Result<T, (usize, String)>;

fn convert_table(table: &Table, lines: &Lines) -> Converted<BTreeMap<String, Entry>> {
    let mut converted = BTreeMap::new();
    for (name, item) in table.iter() {
        let span = table.key(name).and_then(|key| key.span()).or_else(|| item.span());
        let line = span.map_or(1, |span| lines.at(span.start));
        let value = match item {
            Item::None => continue,
            Item::Value(value) => convert_value(value, lines, line)?,
            Item::Table(table) => Value::Table(convert_table(table, lines)?),
            Item::ArrayOfTables(tables) => {
                let tables = tables
                    .iter()
                    .map(|table| convert_table(table, lines).map(Value::Table));
                Value::List(tables.collect::<Converted<_>>()?)
            }
        };
        insert(&mut converted, name, value, line)?;
    }
    Ok(converted)
}

fn convert_inline(table: &InlineTable, lines: &Lines, line: usize) -> Converted<Value> {
    let mut converted = BTreeMap::new();
    for (name, value) in table.iter() {
        insert(&mut converted, name, convert_value(value, lines, line)?, line)?;
    }
    Ok(Value::Table(converted))
}

fn convert_array(array: &Array, lines: &Lines, line: usize) -> Converted<Value> {
    array
        .iter()
        .map(|value| convert_value(value, lines, line))
        .collect::<Converted<_>>()
        .map(Value::List)
}

fn convert_value(value: &toml_edit::Value, lines: &Lines, line: usize) -> Converted<Value> {
    Ok(match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
        toml_edit::Value::Float(number) => Value::Float(*number.value()),
        toml_edit::Value::Boolean(value) => Value::Boolean(*value.value()),
        toml_edit::Value::Datetime(time) => Value::Datetime(time.value().to_string()),
        toml_edit::Value::Array(array) => convert_array(array, lines, line)?,
        toml_edit::Value::InlineTable(table) => convert_inline(table, lines, line)?,
    })
}

fn insert(table: &mut BTreeMap<String, Entry>, name: &str, value: Value, line: usize) -> Converted<()> {
    match table.entry(name.to_lowercase()) {
        btree_map::Entry::Vacant(slot) => {
            slot.insert(Entry {
                value,
                origin: Origin::Line(line),
            });
            Ok(())
        }
        btree_map::Entry::Occupied(slot) => {
            let first = match slot.get().origin {
                Origin::Line(line) => line,
                _ => 1,
            };
            Err((
                line,
                format!("duplicate key {name:?}: keys are case-insensitive, first used on line {first}"),
            ))
        }
    }
}
