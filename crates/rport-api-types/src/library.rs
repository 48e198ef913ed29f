//! Commands and scripts that are kept for later.

use std::borrow::Cow;

use rport_domain::{Fields, LibraryDefinition, LibraryEntry, LibraryKind, library_parameters};
use rport_protocol::GoTime;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A command or script with the members that were asked for.
#[derive(Debug, Clone)]
struct Shown {
    entry: LibraryEntry,
    fields: Fields,
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = &self.entry;
        let definition = &entry.definition;
        let mut map = serializer.serialize_map(None)?;
        for name in self.fields.names() {
            match name {
                "id" => map.serialize_entry(name, &entry.id),
                "name" => map.serialize_entry(name, &definition.name),
                "created_by" => map.serialize_entry(name, &entry.created_by),
                "created_at" => map.serialize_entry(name, &GoTime(entry.created_at)),
                "updated_by" => map.serialize_entry(name, &entry.updated_by),
                "updated_at" => map.serialize_entry(name, &GoTime(entry.updated_at)),
                "interpreter" => map.serialize_entry(name, &definition.interpreter),
                "is_sudo" => map.serialize_entry(name, &definition.is_sudo),
                "cwd" => map.serialize_entry(name, &definition.cwd),
                "cmd" | "script" => map.serialize_entry(name, &definition.text),
                "tags" => map.serialize_entry(name, &definition.tags),
                "timeout_sec" => map.serialize_entry(name, &definition.timeout_sec),
                "parameters" => map.serialize_entry(name, &parameters(&definition.text)),
                _ => Ok(()),
            }?;
        }
        map.end()
    }
}

fn parameters(text: &str) -> Vec<LibraryParameter> {
    library_parameters(text)
        .into_iter()
        .map(|parameter| LibraryParameter {
            name: parameter.name,
            default: parameter.default,
        })
        .collect()
}

/// Makes the answer types of the two kinds, which differ in their members only.
macro_rules! shown {
    ($($(#[$doc:meta])* $name:ident, $title:literal, $kind:expr, $document:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(transparent)]
        pub struct $name(Shown);

        impl $name {
            /// Shows the wanted members.
            pub fn new(entry: LibraryEntry, fields: Fields) -> Self {
                Self(Shown { entry, fields })
            }
        }

        impl From<LibraryEntry> for $name {
            fn from(entry: LibraryEntry) -> Self {
                Self::new(entry, Fields::all($kind.fields()))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $document::schema()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($title)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $document::schemas(schemas);
            }
        }
    )*};
}

shown! {
    /// A command of the library with the members that were asked for.
    LibraryCommand, "LibraryCommand", LibraryKind::Command, CommandDocument;
    /// A script of the library with the members that were asked for.
    LibraryScript, "LibraryScript", LibraryKind::Script, ScriptDocument;
}

/// A command of the library. Members that were not asked for are absent.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes what LibraryCommand writes, for the OpenAPI document"
)]
struct CommandDocument {
    /// A UUID.
    id: Option<String>,
    /// What people call it; unique among commands.
    name: Option<String>,
    /// Who stored it first.
    created_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<GoTime>,
    /// Who changed it last.
    updated_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<GoTime>,
    /// The command.
    cmd: Option<String>,
    /// For finding it; null when there are none.
    tags: Option<Vec<String>>,
    /// How many seconds a run may take.
    timeout_sec: Option<i64>,
    /// Places of the text that get a value when it runs.
    parameters: Option<Vec<LibraryParameter>>,
}

/// A script of the library. Members that were not asked for are absent.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes what LibraryScript writes, for the OpenAPI document"
)]
struct ScriptDocument {
    /// A UUID.
    id: Option<String>,
    /// What people call it; unique among scripts.
    name: Option<String>,
    /// Who stored it first.
    created_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<GoTime>,
    /// Who changed it last.
    updated_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<GoTime>,
    /// What runs it; empty for the agent's default.
    interpreter: Option<String>,
    /// Whether it runs as root.
    is_sudo: Option<bool>,
    /// Where it runs; empty for the agent's default.
    cwd: Option<String>,
    /// The script as it was given, in clear or in base64.
    script: Option<String>,
    /// For finding it; null when there are none.
    tags: Option<Vec<String>>,
    /// How many seconds a run may take.
    timeout_sec: Option<i64>,
    /// Places of the text that get a value when it runs.
    parameters: Option<Vec<LibraryParameter>>,
}

/// A place of a command or script that gets its value when it runs.
///
/// Written `%%NAME%%`, or `%%NAME=value%%` with a default. A name has two letters, digits or underscores at least, the
/// first being a letter.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryParameter {
    /// Its name.
    #[schema(example = "HOST")]
    pub name: String,
    /// What it is when nobody says otherwise; null when somebody has to.
    #[schema(required)]
    pub default: Option<String>,
}

/// A command to keep.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewLibraryCommand {
    /// What people call it; required, unique among commands.
    #[schema(example = "ping")]
    pub name: String,
    /// The command; required.
    #[schema(example = "ping -c %%COUNT=3%% %%HOST%%")]
    pub cmd: String,
    /// For finding it.
    pub tags: Option<Vec<String>>,
    /// How many seconds a run may take; 60 if missing.
    pub timeout_sec: i64,
}

impl From<NewLibraryCommand> for LibraryDefinition {
    fn from(new: NewLibraryCommand) -> Self {
        Self {
            name: new.name,
            text: new.cmd,
            tags: new.tags,
            timeout_sec: new.timeout_sec,
            ..Self::default()
        }
    }
}

/// A script to keep.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewLibraryScript {
    /// What people call it; required, unique among scripts.
    #[schema(example = "uptime")]
    pub name: String,
    /// The script, in clear or in base64, kept as given; required.
    #[schema(example = "uptime; id %%USER=root%%")]
    pub script: String,
    /// What runs it; the agent's default if missing.
    pub interpreter: String,
    /// Whether it runs as root.
    pub is_sudo: bool,
    /// Where it runs; the agent's default if missing.
    pub cwd: String,
    /// For finding it.
    pub tags: Option<Vec<String>>,
    /// How many seconds a run may take; 60 if missing.
    pub timeout_sec: i64,
}

impl From<NewLibraryScript> for LibraryDefinition {
    fn from(new: NewLibraryScript) -> Self {
        Self {
            name: new.name,
            text: new.script,
            interpreter: new.interpreter,
            is_sudo: new.is_sudo,
            cwd: new.cwd,
            tags: new.tags,
            timeout_sec: new.timeout_sec,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn entry() -> LibraryEntry {
        let at = DateTime::parse_from_rfc3339("2026-11-23T16:29:04.2364Z").expect("a time");
        LibraryEntry {
            id: "1-2".into(),
            created_by: "admin".into(),
            created_at: at,
            updated_by: "admin".into(),
            updated_at: at,
            definition: LibraryDefinition {
                name: "ping".into(),
                text: "ping %%HOST%%".into(),
                timeout_sec: 30,
                ..LibraryDefinition::default()
            },
        }
    }

    /// The members of the Go server in its order, as recorded; ours comes last.
    #[test]
    fn members_come_in_the_go_servers_order() {
        let text = serde_json::to_string(&LibraryCommand::from(entry())).expect("JSON");
        let expected = r#"{"id":"1-2","name":"ping","created_by":"admin","created_at":"2026-11-23T16:29:04.2364Z","updated_by":"admin","updated_at":"2026-11-23T16:29:04.2364Z","cmd":"ping %%HOST%%","tags":null,"timeout_sec":30,"parameters":[{"name":"HOST","default":null}]}"#;
        assert_eq!(text, expected);
        let text = serde_json::to_string(&LibraryScript::from(entry())).expect("JSON");
        let expected = r#"{"id":"1-2","name":"ping","created_by":"admin","created_at":"2026-11-23T16:29:04.2364Z","updated_by":"admin","updated_at":"2026-11-23T16:29:04.2364Z","interpreter":"","is_sudo":false,"cwd":"","script":"ping %%HOST%%","tags":null,"timeout_sec":30,"parameters":[{"name":"HOST","default":null}]}"#;
        assert_eq!(text, expected);
    }
}
