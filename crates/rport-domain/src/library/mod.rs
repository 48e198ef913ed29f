//! The library: commands and scripts that are kept for later.
//!
//! Source: rest-api.md 4.2 and 14, storage.md 4.7. Both kinds are one type here, since a script is a command with
//! three more members; the API shows each kind only its own.

mod parameters;

use chrono::{DateTime, FixedOffset};

pub use parameters::{LibraryParameter, fill_parameters, library_parameters};

use crate::{
    Error, LibraryId, Permission, Result, UserName,
    list::{FieldsSpec, FilterSpec, ListSpec, Value},
};

/// Time-out of an entry that names none, in seconds.
pub const DEFAULT_TIMEOUT_SEC: i64 = 60;
/// Longest time-out, in seconds: a year. Differs from RPort, which knows no limit; so do the sizes below.
const MAX_TIMEOUT_SEC: i64 = 366 * 24 * 3600;
/// Longest name, in bytes.
const MAX_NAME: usize = 500;
/// Longest interpreter and working directory, in bytes: a path.
const MAX_PATH: usize = 4096;
/// Most tags of an entry.
const MAX_TAGS: usize = 100;
/// Longest tag, in bytes.
const MAX_TAG: usize = 255;
/// Largest text, in bytes.
const MAX_TEXT: usize = 4 << 20;

/// What an entry of the library is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibraryKind {
    /// One line.
    Command,
    /// A body that an interpreter reads.
    Script,
}

impl LibraryKind {
    /// The word used in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Script => "script",
        }
    }

    /// The permission that reading and writing entries takes.
    pub fn permission(self) -> Permission {
        match self {
            Self::Command => Permission::Commands,
            Self::Script => Permission::Scripts,
        }
    }

    /// What a list of entries allows. Without a wish they come in the order of their creation.
    pub fn list_spec(self) -> &'static ListSpec {
        match self {
            Self::Command => &COMMAND_LIST,
            Self::Script => &SCRIPT_LIST,
        }
    }

    /// The members of an entry in answers.
    pub fn fields(self) -> &'static FieldsSpec {
        match self {
            Self::Command => &COMMAND_FIELDS,
            Self::Script => &SCRIPT_FIELDS,
        }
    }

    /// Makes the answer for an entry that does not exist.
    pub fn not_found(self, id: &LibraryId) -> Error {
        let kind = self.as_str();
        Error::not_found(format!("Cannot find a {kind} by the provided id: {id}"))
    }

    /// Makes the answer for a name that is taken.
    pub fn name_taken(self, name: &str) -> Error {
        let kind = self.as_str();
        Error::conflict(format!("another {kind} with the same name '{name}' exists"))
    }
}

/// Asking for `timeout_sec` and `parameters` of commands differs from RPort, which has the first and refuses it.
static COMMAND_FIELDS: FieldsSpec = FieldsSpec {
    resource: "commands",
    also: &[],
    all: COMMAND_MEMBERS,
    default: COMMAND_MEMBERS,
};

const COMMAND_MEMBERS: &[&str] = &[
    "id",
    "name",
    "created_by",
    "created_at",
    "updated_by",
    "updated_at",
    "cmd",
    "tags",
    "timeout_sec",
    "parameters",
];

static SCRIPT_FIELDS: FieldsSpec = FieldsSpec {
    resource: "scripts",
    also: &[],
    all: SCRIPT_MEMBERS,
    default: SCRIPT_MEMBERS,
};

const SCRIPT_MEMBERS: &[&str] = &[
    "id",
    "name",
    "created_by",
    "created_at",
    "updated_by",
    "updated_at",
    "interpreter",
    "is_sudo",
    "cwd",
    "script",
    "tags",
    "timeout_sec",
    "parameters",
];

static COMMAND_LIST: ListSpec = ListSpec {
    default_limit: 20,
    max_limit: 100,
    sorts: &[
        "id",
        "name",
        "created_by",
        "created_at",
        "updated_by",
        "updated_at",
        "cmd",
        "tags",
    ],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("name"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("created_at"),
        FilterSpec::matching("updated_by"),
        FilterSpec::matching("updated_at"),
        FilterSpec::matching("cmd"),
        FilterSpec::matching("tags"),
    ],
    fields: Some(&COMMAND_FIELDS),
};

static SCRIPT_LIST: ListSpec = ListSpec {
    default_limit: 20,
    max_limit: 100,
    sorts: &[
        "id",
        "name",
        "created_by",
        "created_at",
        "updated_by",
        "updated_at",
        "interpreter",
        "is_sudo",
        "cwd",
        "script",
        "tags",
    ],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec::matching("id"),
        FilterSpec::matching("name"),
        FilterSpec::matching("created_by"),
        FilterSpec::matching("created_at"),
        FilterSpec::matching("updated_by"),
        FilterSpec::matching("updated_at"),
        FilterSpec::matching("interpreter"),
        FilterSpec::matching("is_sudo"),
        FilterSpec::matching("cwd"),
        FilterSpec::matching("script"),
        FilterSpec::matching("tags"),
    ],
    fields: Some(&SCRIPT_FIELDS),
};

/// An entry of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    /// Its id.
    pub id: LibraryId,
    /// Who stored it first.
    pub created_by: UserName,
    /// When.
    pub created_at: DateTime<FixedOffset>,
    /// Who changed it last.
    pub updated_by: UserName,
    /// When.
    pub updated_at: DateTime<FixedOffset>,
    /// What it is.
    pub definition: LibraryDefinition,
}

impl LibraryEntry {
    /// A member as list queries compare it.
    pub fn field(&self, name: &str) -> Value<'_> {
        let definition = &self.definition;
        match name {
            "id" => Value::Text(self.id.as_str()),
            "name" => Value::Text(&definition.name),
            "created_by" => Value::Text(self.created_by.as_str()),
            "created_at" => Value::Time(self.created_at),
            "updated_by" => Value::Text(self.updated_by.as_str()),
            "updated_at" => Value::Time(self.updated_at),
            "cmd" | "script" => Value::Text(&definition.text),
            "interpreter" => Value::Text(&definition.interpreter),
            "is_sudo" => Value::Bool(definition.is_sudo),
            "cwd" => Value::Text(&definition.cwd),
            "tags" => Value::list(definition.tags.as_ref()),
            _ => Value::Null,
        }
    }
}

/// What an entry of the library says. A command has neither interpreter, `is_sudo` nor `cwd`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryDefinition {
    /// What people call it; unique among entries of its kind.
    pub name: String,
    /// The command, or the script as it was given: in clear or in base64.
    pub text: String,
    /// What runs the script; empty for the agent's default.
    pub interpreter: String,
    /// Whether the script runs as root.
    pub is_sudo: bool,
    /// Where the script runs; empty for the agent's default.
    pub cwd: String,
    /// For finding it.
    pub tags: Option<Vec<String>>,
    /// How long a run may take, in seconds.
    pub timeout_sec: i64,
}

impl LibraryDefinition {
    /// Checks a definition and fills in the time-out.
    ///
    /// # Errors
    /// `Invalid`, all mistakes joined.
    pub fn checked(mut self, kind: LibraryKind) -> Result<Self> {
        let text_member = match kind {
            LibraryKind::Command => "cmd",
            LibraryKind::Script => "script",
        };
        let mut errors = Vec::new();
        for (member, text) in [("name", &self.name), (text_member, &self.text)] {
            if text.is_empty() {
                errors.push(Error::invalid(format!("{member} is required")));
            }
        }
        let tags = self.tags.as_deref().unwrap_or_default();
        let longest_tag = tags.iter().map(String::len).max().unwrap_or_default();
        for (member, size, limit) in [
            ("name", self.name.len(), MAX_NAME),
            (text_member, self.text.len(), MAX_TEXT),
            ("interpreter", self.interpreter.len(), MAX_PATH),
            ("cwd", self.cwd.len(), MAX_PATH),
            ("a tag", longest_tag, MAX_TAG),
        ] {
            if size > limit {
                let text = format!("{member} has {size} bytes, {limit} are allowed");
                errors.push(Error::invalid(text));
            }
        }
        if tags.len() > MAX_TAGS {
            let text = format!("{} tags are too many, {MAX_TAGS} are allowed", tags.len());
            errors.push(Error::invalid(text));
        }
        if self.timeout_sec > MAX_TIMEOUT_SEC {
            let text = format!("timeout_sec must not be more than {MAX_TIMEOUT_SEC}");
            errors.push(Error::invalid(text));
        }
        if self.timeout_sec <= 0 {
            self.timeout_sec = DEFAULT_TIMEOUT_SEC;
        }
        Error::join(errors).map_or(Ok(self), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(kind: LibraryKind, change: impl FnOnce(&mut LibraryDefinition)) -> Vec<String> {
        let mut definition = LibraryDefinition {
            name: "n".into(),
            text: "t".into(),
            ..LibraryDefinition::default()
        };
        change(&mut definition);
        match definition.checked(kind) {
            Ok(_) => Vec::new(),
            Err(error) => error.items().map(|item| item.title.clone()).collect(),
        }
    }

    #[test]
    fn what_is_missing_is_named_together() {
        let empty = |definition: &mut LibraryDefinition| *definition = LibraryDefinition::default();
        assert_eq!(
            mistakes(LibraryKind::Command, empty),
            ["name is required", "cmd is required"]
        );
        assert_eq!(
            mistakes(LibraryKind::Script, empty),
            ["name is required", "script is required"]
        );
        assert!(mistakes(LibraryKind::Script, |_| {}).is_empty());
    }

    #[test]
    fn sizes_are_limited() {
        let found = mistakes(LibraryKind::Script, |definition| {
            definition.name = "x".repeat(501);
            definition.cwd = "/".repeat(5000);
            definition.tags = Some(vec!["x".repeat(256); 101]);
            definition.timeout_sec = i64::MAX;
        });
        assert_eq!(
            found,
            [
                "name has 501 bytes, 500 are allowed",
                "cwd has 5000 bytes, 4096 are allowed",
                "a tag has 256 bytes, 255 are allowed",
                "101 tags are too many, 100 are allowed",
                "timeout_sec must not be more than 31622400",
            ]
        );
    }

    #[test]
    fn a_time_out_that_is_missing_is_a_minute() {
        for (given, kept) in [(0, 60), (-5, 60), (1, 1), (90, 90)] {
            let definition = LibraryDefinition {
                name: "n".into(),
                text: "t".into(),
                timeout_sec: given,
                ..LibraryDefinition::default()
            };
            let checked = definition.checked(LibraryKind::Command).expect("sound");
            assert_eq!(checked.timeout_sec, kept);
        }
    }
}
